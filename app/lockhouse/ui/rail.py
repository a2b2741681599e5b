"""The narrow rail at the left: the mark and the pages."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QLabel, QToolButton, QVBoxLayout, QWidget

from lockhouse.bundled import resource
from lockhouse.ui import shortcuts
from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import RAIL_WIDTH


@dataclass(frozen=True, slots=True)
class RailItem:
    """A page."""

    key: str
    words: str
    icon: str
    shortcut: str
    at_foot: bool = False


class _RailButton(QToolButton):
    """40 px square with a bar at the left edge of the rail while its page is shown."""

    def __init__(self, theme: Theme, item: RailItem) -> None:
        super().__init__()
        self._theme = theme
        self.setObjectName(f"rail_{item.key}")
        self.setAccessibleName(item.words)
        self.setToolTip(shortcuts.with_keys(item.words, item.shortcut))
        self.setProperty("kind", "rail")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.bind_icon(self, item.icon, size=20)


class Rail(QFrame):
    """56 px wide."""

    chosen = Signal(str)

    def __init__(
        self, theme: Theme, items: tuple[RailItem, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._buttons: dict[str, _RailButton] = {}
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
        stretched = False
        for item in items:
            if item.at_foot and not stretched:
                column.addStretch(1)
                stretched = True
            button = _RailButton(theme, item)
            button.clicked.connect(lambda _checked=False, key=item.key: self.chosen.emit(key))
            group.addButton(button)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            self._buttons[item.key] = button
        theme.changed.connect(self._dress)
        self._dress()

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
    """The bundled picture of the program."""
    return str(resource("app", f"lockhouse-{size}.png"))
