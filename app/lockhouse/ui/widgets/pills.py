"""Labels with a background: pills (a state as icon and words) and key caps."""

from __future__ import annotations

from typing import Final, Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from lockhouse.ui.theme import Theme, tokens

PillTone = Literal["neutral", "accent", "success", "warning", "danger"]

_COLOURS: Final[dict[PillTone, tuple[str, str]]] = {
    "neutral": ("text-2", "active"),
    "accent": ("accent-text", "accent-soft"),
    "success": ("success", "success-soft"),
    "warning": ("warning", "warning-soft"),
    "danger": ("danger", "danger-soft"),
}


def pill_width(theme: Theme, text: str, icon: str) -> float:
    """How wide a pill with this text is; for delegates that paint pills themselves."""
    metrics = QFontMetricsF(theme.font("caption", weight=500))
    left = 6 + 12 + 4 if icon else 8
    return theme.px(left) + metrics.horizontalAdvance(text) + theme.px(8)


def paint_pill(
    painter: QPainter, theme: Theme, at: QPointF, text: str, icon: str, tone: PillTone
) -> QRectF:
    """Paint a pill with its top left corner at ``at``; returns the rectangle it took."""
    ink, ground = _COLOURS[tone]
    box = QRectF(at.x(), at.y(), pill_width(theme, text, icon), theme.px(tokens.PILL_HEIGHT))
    radius = theme.px(tokens.RADIUS_CONTROL)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color(ground))
    painter.drawRoundedRect(box, radius, radius)
    left = box.left() + theme.px(8)
    if icon:
        ratio = painter.device().devicePixelRatio()
        drawn = theme.pixmap(icon, 12, ink, ratio=ratio)
        side = theme.px(12)
        place = QPointF(box.left() + theme.px(6), box.top() + (box.height() - side) / 2)
        painter.drawPixmap(place, drawn)
        left = box.left() + theme.px(6) + side + theme.px(4)
    painter.setFont(theme.font("caption", weight=500))
    painter.setPen(theme.color(ink))
    words = QRectF(left, box.top(), box.right() - left, box.height())
    painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, text)
    return box


class Pill(QWidget):
    """A state in words on a tinted background, with an icon where colour alone is not enough."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        *,
        icon: str = "",
        tone: PillTone = "neutral",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text = text
        self._icon = icon
        self._tone: PillTone = tone
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)
        theme.changed.connect(self._retheme)

    def show_state(self, text: str, *, icon: str = "", tone: PillTone = "neutral") -> None:
        if (text, icon, tone) != (self._text, self._icon, self._tone):
            self._text, self._icon, self._tone = text, icon, tone
            self.setAccessibleName(text)
            self._retheme()

    def text(self) -> str:
        return self._text

    def sizeHint(self) -> QSize:
        width = pill_width(self._theme, self._text, self._icon)
        return QSize(int(width + 0.999), self._theme.px(tokens.PILL_HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_pill(painter, self._theme, QPointF(0, 0), self._text, self._icon, self._tone)

    def _retheme(self) -> None:
        self.updateGeometry()
        self.update()


class KeyCap(QLabel):
    """A key or a combination of keys."""

    def __init__(self, keys: str, parent: QWidget | None = None) -> None:
        super().__init__(keys, parent)
        self.setProperty("role", "key")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(f"Shortcut {keys}")
