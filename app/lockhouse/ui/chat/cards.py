"""Cards that are buttons: an icon, a title, and a line below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import label
from lockhouse.ui.theme import Theme


class IconLabel(QLabel):
    """An icon in the colours of the theme; ``tile`` puts it on a soft square twice as large."""

    def __init__(
        self, theme: Theme, icon: str, size: int, ink: str = "text-2", *, tile: bool = False
    ) -> None:
        super().__init__()
        self._theme = theme
        self._icon = (icon, size, ink)
        self._tile = tile
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        theme, (icon, size, ink) = self._theme, self._icon
        self.setPixmap(theme.pixmap(icon, size, ink, ratio=self.devicePixelRatioF()))
        if self._tile:
            side = theme.px(2 * size)
            self.setFixedSize(side, side)
            ground, radius = theme.hex("accent-soft"), theme.px(6)
            self.setStyleSheet(f"background: {ground}; border-radius: {radius}px;")


class CardButton(QPushButton):
    """The whole card is pressed."""

    def __init__(
        self, theme: Theme, icon: str, title: str, line: str, *, chevron: bool = False
    ) -> None:
        super().__init__()
        px = theme.px
        self.setProperty("kind", "card")
        self.setAccessibleName(f"{title.rstrip('…')}: {line}")
        self.setAutoDefault(False)
        words = QVBoxLayout()
        words.setSpacing(px(2))
        words.addWidget(label(title, role="medium"))
        words.addWidget(label(line, role="caption", ink="3"))
        row = QHBoxLayout(self)
        row.setContentsMargins(px(14), px(10), px(12), px(10))
        row.setSpacing(px(12))
        row.addWidget(IconLabel(theme, icon, 20 if chevron else 16))
        row.addLayout(words, 1)
        if chevron:
            row.addWidget(IconLabel(theme, "chevron-right", 16))
        for part in self.findChildren(QLabel):
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        return layout.sizeHint() if layout else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        return QSize(self.sizeHint().width() // 2, self.sizeHint().height())


class CardRow(QWidget):
    """Cards side by side, one below the other where their words would be cut."""

    def __init__(
        self, theme: Theme, cards: Sequence[CardButton], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._cards = tuple(cards)
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(theme.px(12))
        for card in cards:
            self._box.addWidget(card, 1)

    def minimumSizeHint(self) -> QSize:
        narrowest = max(card.minimumSizeHint().width() for card in self._cards)
        return QSize(narrowest, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        count = len(self._cards)
        each = (self.width() - (count - 1) * self._theme.px(12)) // count
        is_wide = all(card.sizeHint().width() <= each for card in self._cards)
        direction = (
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )
        if direction != self._box.direction():
            self._box.setDirection(direction)
            self._box.setSpacing(self._theme.px(12 if is_wide else 8))
            self.updateGeometry()
