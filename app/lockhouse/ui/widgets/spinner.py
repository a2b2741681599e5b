"""A turning arc for work in progress; still when less motion is wanted."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lockhouse.ui.theme import Theme

_STEP_MS = 50
_STEP_DEGREES = 24


class Spinner(QWidget):
    """An arc of 12 px, always beside words that say what is going on."""

    def __init__(
        self, theme: Theme, name: str, parent: QWidget | None = None, *, size: int = 12
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._size = size
        self._angle = 90
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._turn)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._retheme)

    def is_turning(self) -> bool:
        return self._timer.isActive()

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(self._size), self._theme.px(self._size))

    def showEvent(self, _event: QShowEvent) -> None:
        self._retheme()

    def hideEvent(self, _event: QHideEvent) -> None:
        self._timer.stop()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = max(1.5, self.width() / 8)
        box = QRectF(self.rect()).adjusted(width, width, -width, -width)
        painter.setPen(QPen(self._theme.color("track"), width))
        painter.drawEllipse(box)
        pen = QPen(self._theme.color("accent"), width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(box, self._angle * 16, -100 * 16)

    def _turn(self) -> None:
        self._angle = (self._angle - _STEP_DEGREES) % 360
        self.update()

    def _retheme(self) -> None:
        if self.isVisible() and not self._theme.less_motion:
            self._timer.start()
        else:
            self._timer.stop()
        self.updateGeometry()
        self.update()
