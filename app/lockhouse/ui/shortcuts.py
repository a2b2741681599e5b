"""Every keyboard shortcut of the window, in one table; those of pages are in the table of pages.

Actions and the list that Ctrl+/ shows are made from the same entries, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from lockhouse.ui.pages import PageEntry

Handler = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One action of the window and its keys; the first is the one that is shown."""

    name: str
    group: str
    label: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that a widget handles itself; only listed beside the shortcuts."""

    group: str
    label: str
    shown: str


SHORTCUTS: tuple[Shortcut, ...] = (
    Shortcut("new_chat", "Chats", "New chat", ("Ctrl+N", "Ctrl+Shift+O")),
    Shortcut("search", "Chats", "Search all chats", ("Ctrl+K",)),
    Shortcut("sidebar", "Chats", "Show or hide the sidebar", ("Ctrl+B",)),
    Shortcut("rename", "Chats", "Rename the chat", ("F2",)),
    Shortcut("find", "Chats", "Find in this chat", ("Ctrl+F",)),
    Shortcut("stop", "Answers", "Stop the answer, or close a panel", ("Esc",)),
    Shortcut("regenerate", "Answers", "Regenerate the answer", ("Ctrl+R",)),
    Shortcut("ask_elsewhere", "Answers", "Ask another model…", ("Ctrl+Shift+A",)),
    Shortcut("copy_answer", "Answers", "Copy the last answer", ("Ctrl+Shift+C",)),
    Shortcut("focus_composer", "Answers", "Go to the message box", ("Shift+Esc",)),
    Shortcut("details", "Answers", "Show or hide details", ("Ctrl+I",)),
    Shortcut("larger", "Window", "Larger text", ("Ctrl++", "Ctrl+=")),
    Shortcut("smaller", "Window", "Smaller text", ("Ctrl+-",)),
    Shortcut("normal_size", "Window", "Default text size", ("Ctrl+0",)),
    Shortcut("shortcuts", "Window", "Keyboard shortcuts", ("Ctrl+/", "F1")),
    Shortcut("quit", "Window", "Quit", ("Ctrl+Q",)),
)

OTHER_KEYS: tuple[Keys, ...] = (
    Keys("Answers", "Recall the last question", "Up, in an empty message box"),
    Keys("Chats", "Delete the chat", "Del, in the sidebar"),
    Keys("Chats", "Undo delete", "Ctrl+Z, while Undo is shown"),
)


def with_pages(pages: Sequence[PageEntry]) -> tuple[Shortcut, ...]:
    """All shortcuts, with those of the pages first in their group."""
    first = next(at for at, entry in enumerate(SHORTCUTS) if entry.group == "Window")
    own = tuple(
        Shortcut(f"page_{page.key}", "Window", page.title, (page.shortcut,)) for page in pages
    )
    return SHORTCUTS[:first] + own + SHORTCUTS[first:]


def bind(window: QWidget, entries: Sequence[Shortcut], handlers: Mapping[str, Handler]) -> None:
    """Make the actions on the window. Every handler needs an entry, every entry a handler."""
    names = {entry.name for entry in entries}
    if unknown := names ^ set(handlers):
        raise KeyError(f"shortcuts and handlers differ: {sorted(unknown)}")
    for entry in entries:
        action = QAction(entry.label, window)
        action.setObjectName(f"action_{entry.name}")
        action.setShortcuts([QKeySequence(keys) for keys in entry.keys])
        handler = handlers[entry.name]
        action.triggered.connect(lambda _checked=False, call=handler: call())
        window.addAction(action)


def native_keys(keys: str) -> str:
    """The keys as the platform writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)


def shown_keys(name: str) -> str:
    """The first keys of a shortcut, as the platform writes them."""
    return native_keys(next(entry for entry in SHORTCUTS if entry.name == name).keys[0])


def with_keys(text: str, name: str) -> str:
    """A tool tip that names its shortcut."""
    return f"{text}  ({shown_keys(name)})"


def claims_escape(event: QEvent) -> bool:
    """Whether a widget with the keyboard is asked for Esc; it then gets the key itself.

    The shortcuts of the window would otherwise take it first.
    """
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.key() != Qt.Key.Key_Escape or event.modifiers():
        return False
    event.accept()
    return True
