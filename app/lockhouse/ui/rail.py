"""The narrow bar at the left edge: the logo, and a button for each page."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QLabel, QToolButton, QVBoxLayout, QWidget

from lockhouse.bundled import resource
from lockhouse.ui.pages import PageEntry
from lockhouse.ui.shortcuts import native_keys
from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import RAIL_WIDTH


class Rail(QFrame):
    """56 px wide; a coloured bar marks the page that is shown."""

    chosen = Signal(str)

    def __init__(
        self, theme: Theme, pages: Sequence[PageEntry], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._buttons: dict[str, QToolButton] = {}
        self.setObjectName("rail")
        self.setAccessibleName("Pages")
        column = QVBoxLayout(self)
        self._column = column
        self._mark = QLabel()
        self._mark.setObjectName("mark")
        self._mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._mark.setAccessibleName("Lockhouse")
        column.addWidget(self._mark)
        group = QButtonGroup(self)
        for entry in pages:
            button = self._buttons[entry.key] = self._make_button(entry)
            group.addButton(button)
        for at_foot in (False, True):
            for entry in pages:
                if entry.at_foot is at_foot:
                    button = self._buttons[entry.key]
                    column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            column.addStretch(0 if at_foot else 1)
        theme.changed.connect(self._dress)
        self._dress()

    def _make_button(self, entry: PageEntry) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"rail_{entry.key}")
        button.setAccessibleName(entry.title)
        button.setToolTip(f"{entry.title}  ({native_keys(entry.shortcut)})")
        button.setProperty("kind", "rail")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self.chosen.emit(entry.key))
        self._theme.bind_icon(button, entry.icon, size=20)
        return button

    def show_page(self, key: str) -> None:
        """Mark the page that is shown."""
        self._buttons[key].setChecked(True)
        self.update()

    def _dress(self) -> None:
        theme, px = self._theme, self._theme.px
        self.setFixedWidth(px(RAIL_WIDTH))
        self._column.setContentsMargins(px(8), px(12), px(7), px(8))
        self._column.setSpacing(px(4))
        self._mark.setFixedHeight(px(44))
        self._mark.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        self._mark.setPixmap(theme.pixmap("mark", 32, "accent"))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        px = self._theme.px
        for button in self._buttons.values():
            if button.isChecked():
                painter = QPainter(self)
                middle = button.geometry().center().y()
                bar = QRect(0, middle - px(10), px(3), px(20))
                painter.fillRect(bar, self._theme.color("accent"))
                painter.end()


def app_icon_path(size: int) -> str:
    """The bundled application icon."""
    return str(resource("app", f"lockhouse-{size}.png"))
