"""A page or list with nothing in it: why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.theme import Theme


class EmptyState(QWidget):
    """An icon, a sentence, a way on or two, in the middle."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        icon: str,
        title: str,
        words: str,
        actions: Sequence[tuple[str, str]] = (),
        parent: QWidget | None = None,
    ) -> None:
        """``actions`` are pairs of key and words, the first one is what most people want."""
        super().__init__(parent)
        self._theme = theme
        self._icon_name = icon
        px = theme.px
        self._icon = label("")
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = label(title, role="h3")
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words = label(words, ink="2", wrap=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self._words.setFixedWidth(px(420))
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(24), px(24), px(24))
        column.setSpacing(px(8))
        column.addStretch(2)
        column.addWidget(self._icon)
        column.addWidget(self._title)
        column.addWidget(self._words, 0, Qt.AlignmentFlag.AlignHCenter)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addStretch(1)
        for key, spoken in actions:
            button = push_button(theme, spoken, name=f"empty_{key}")
            button.clicked.connect(lambda _checked=False, chosen=key: self.chosen.emit(chosen))
            row.addWidget(button)
        row.addStretch(1)
        column.addSpacing(px(8))
        column.addLayout(row)
        column.addStretch(3)
        theme.changed.connect(self._dress)
        self._dress()

    def say(self, title: str, words: str) -> None:
        """Another reason."""
        self._title.setText(title)
        self._words.setText(words)
        self._give_room()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        """A label in the middle of a layout is not asked how high its lines are together."""
        self._words.ensurePolished()
        self._words.setMinimumHeight(self._words.heightForWidth(self._words.width()))

    def _dress(self) -> None:
        self._icon.setPixmap(self._theme.pixmap(self._icon_name, 24, "text-3"))
        self._give_room()
