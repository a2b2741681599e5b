"""Cards that are buttons: an icon, a title, a line below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QBoxLayout, QSizePolicy, QWidget

from lockhouse.ui.theme import Theme


class CardButton(QAbstractButton):
    """62 px high; the whole card is pressed."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        title: str,
        line: str,
        *,
        chevron: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        self._line = line
        self._chevron = chevron
        self.setText(title)
        self.setAccessibleName(f"{title.rstrip('…')}: {line}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self._theme.px(62))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(120), self._theme.px(62))

    def whole_width(self) -> int:
        """How wide it has to be for nothing in it to be cut."""
        theme, px = self._theme, self._theme.px
        title = QFontMetrics(theme.font("body", weight=500)).horizontalAdvance(self.text())
        line = QFontMetrics(theme.font("caption")).horizontalAdvance(self._line)
        around = px(48 + 34) if self._chevron else px(42 + 12)
        return max(title, line) + around + 2

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = bool(self.property("ring"))
        width = 2 if ring else 1
        half = width / 2
        lively = self.underMouse() or self.isDown()
        painter.setBrush(theme.color("hover" if lively else "surface"))
        painter.setPen(QPen(theme.color("focus" if ring else "border"), width))
        area = QRectF(self.rect()).adjusted(half, half, -half, -half)
        painter.drawRoundedRect(area, px(10), px(10))
        ratio = self.devicePixelRatioF()
        left = px(14)
        if self._chevron:
            pixmap = theme.pixmap(self._icon, 20, "text-2", ratio=ratio)
            painter.drawPixmap(px(16), (self.height() - px(20)) // 2, pixmap)
            left = px(48)
        else:
            pixmap = theme.pixmap(self._icon, 16, "text-2", ratio=ratio)
            painter.drawPixmap(left, px(15), pixmap)
            left = px(42)
        right = px(34) if self._chevron else px(12)
        room = self.width() - left - right
        painter.setPen(theme.color("text-1"))
        painter.setFont(theme.font("body", weight=500))
        self._draw(painter, left, px(13), room, self.text(), px(20))
        painter.setPen(theme.color("text-3"))
        painter.setFont(theme.font("caption"))
        self._draw(painter, left, px(33), room, self._line, px(16))
        if self._chevron:
            mark = theme.pixmap("chevron-right", 16, "text-2", ratio=ratio)
            painter.drawPixmap(self.width() - px(32), (self.height() - px(16)) // 2, mark)

    @staticmethod
    def _draw(painter: QPainter, left: int, top: int, room: int, text: str, height: int) -> None:
        metrics = QFontMetrics(painter.font())
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(left, top, room, height), Qt.AlignmentFlag.AlignVCenter, shown)

    def enterEvent(self, _event: object) -> None:
        self.update()

    def leaveEvent(self, _event: object) -> None:
        self.update()


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
        is_wide = all(card.whole_width() <= each for card in self._cards)
        direction = (
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )
        if direction != self._box.direction():
            self._box.setDirection(direction)
            self._box.setSpacing(self._theme.px(12 if is_wide else 8))
            self.updateGeometry()


class IconTile(QWidget):
    """An icon of 20 px on a soft square of 40."""

    def __init__(self, theme: Theme, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        side = theme.px(40)
        self.setFixedSize(side, side)
        theme.changed.connect(self._retheme)

    def _retheme(self) -> None:
        side = self._theme.px(40)
        self.setFixedSize(side, side)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent-soft"))
        painter.drawRoundedRect(QRectF(self.rect()), px(6), px(6))
        pixmap = theme.pixmap(self._icon, 20, "accent-text", ratio=self.devicePixelRatioF())
        painter.drawPixmap(px(10), px(10), pixmap)
