"""Keys that a part of the window keeps for itself while it has the keyboard.

The window's own shortcuts see a key first; a part that means something else by it has to say so.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent


def claims_escape(event: QEvent) -> bool:
    """Whether this asks who wants Esc; the one who asked here gets it."""
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.key() != Qt.Key.Key_Escape or event.modifiers():
        return False
    event.accept()
    return True
