"""An empty page or list: why it is empty, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.theme import Theme

_TEXT_WIDTH = 420


class EmptyState(QWidget):
    """An icon, a title, a sentence and buttons, in the middle."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        icon: str,
        title: str,
        text: str,
        actions: Sequence[tuple[str, str]] = (),
        parent: QWidget | None = None,
    ) -> None:
        """``actions`` are pairs of key and label, the most useful first."""
        super().__init__(parent)
        self._theme = theme
        self._icon_name = icon
        px = theme.px
        self._icon = label("")
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = label(title, role="h3")
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text = label(text, ink="2", wrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(24), px(24), px(24))
        column.setSpacing(px(8))
        column.addStretch(2)
        column.addWidget(self._icon)
        column.addWidget(self._title)
        column.addWidget(self._text, 0, Qt.AlignmentFlag.AlignHCenter)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addStretch(1)
        for key, name in actions:
            button = push_button(theme, name, name=f"empty_{key}")
            button.clicked.connect(lambda _checked=False, chosen=key: self.chosen.emit(chosen))
            row.addWidget(button)
        row.addStretch(1)
        column.addSpacing(px(8))
        column.addLayout(row)
        column.addStretch(3)
        theme.changed.connect(self._restyle)
        self._restyle()

    def say(self, title: str, text: str) -> None:
        """Show another reason."""
        self._title.setText(title)
        self._text.setText(text)
        self._give_room()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._give_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        """A label in the middle of a layout is not asked for the height of all its lines."""
        px = self._theme.px
        self._text.setFixedWidth(max(px(120), min(px(_TEXT_WIDTH), self.width() - px(48))))
        self._text.ensurePolished()
        self._text.setMinimumHeight(self._text.heightForWidth(self._text.width()))

    def _restyle(self) -> None:
        self._icon.setPixmap(self._theme.pixmap(self._icon_name, 24, "text-3"))
        self._give_room()
