"""The small square button with an icon and no label."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QToolButton, QWidget

from lockhouse.ui.theme import Theme, tokens


class IconButton(QToolButton):
    """28 x 28, with an icon and a name for tool tip and screen readers.

    A shortcut may be part of the tooltip, not of the name. The focus ring shows only when the
    focus came from the keyboard (the theme sees to it).
    """

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        parent: QWidget | None = None,
        *,
        shortcut: str = "",
        size: int = 16,
        role: str = "text-2",
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._size = size
        self._role = role
        self._shown = ("", "", "")
        self.setProperty("kind", "icon")
        self.setAutoRaise(True)
        self.set_icon(icon, name, shortcut=shortcut)

    def set_icon(self, icon: str, name: str, *, shortcut: str = "") -> None:
        """Show another icon and name."""
        if not name:
            raise ValueError("an icon button needs a name")
        if (icon, name, shortcut) == self._shown:
            return
        self._shown = (icon, name, shortcut)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}  {shortcut}" if shortcut else name)
        self._theme.bind_icon(self, icon, size=self._size, role=self._role)

    def sizeHint(self) -> QSize:
        side = self._theme.px(tokens.COMPACT_HEIGHT)
        return QSize(side, side)
