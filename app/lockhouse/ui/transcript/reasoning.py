"""The reasoning before an answer: folded to one line, opened by a click."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QPushButton, QWidget

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.transcript.parts import TextPart
from lockhouse.ui.transcript.styles import Styles
from lockhouse.ui.widgets import Spinner


class ReasoningBox(QWidget):
    """Folded: chevron, duration and last line. Open: the whole text below."""

    toggled = Signal(bool)
    answer_now = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = ""
        self._summary = ""
        self._open = False
        self._running = False
        self.body = TextPart(self)
        self.body.hide()
        self._spinner = Spinner(theme, "Thinking", self)
        self._spinner.hide()
        self._now = QPushButton("Answer now", self)
        self._now.setProperty("kind", "link")
        self._now.setProperty("compact", "true")
        self._now.setAccessibleName("Stop thinking and answer now")
        self._now.clicked.connect(self.answer_now)
        self._now.hide()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_state(
        self, text: str, styles: Styles, *, seconds: float | None, running: bool, opened: bool
    ) -> None:
        """``seconds`` is None when the duration is not known."""
        self._running, self._open = running, opened
        self._title = _title(seconds, running=running)
        self._summary = "" if opened else summary(text, running=running)
        self.body.setVisible(opened)
        if opened:
            self.body.show_plain(text.strip(), styles, role="body", ink="text-2")
            if not running:
                self.body.describe(text.strip()[:20_000])
        self._spinner.setVisible(running)
        self._now.setVisible(running)
        self.setAccessibleName(f"{self._title}. {'Hide' if opened else 'Show'} reasoning")
        self.update()

    def fit(self, width: int) -> int:
        px = self._theme.px
        head = px(32)
        middle = head // 2
        side = px(12)
        self._spinner.setGeometry(px(10), middle - side // 2, side, side)
        button = self._now.sizeHint()
        self._now.setGeometry(
            width - button.width() - px(4),
            (head - button.height()) // 2,
            button.width(),
            button.height(),
        )
        if not self._open:
            return head
        inner = width - px(31) - px(12)
        text = self.body.fit(inner)
        self.body.setGeometry(px(31), head, inner, text)
        return head + text + px(10)

    def is_open(self) -> bool:
        return self._open

    def mousePressEvent(self, event: QMouseEvent) -> None:
        head = event.position().y() < self._theme.px(32)
        if head and event.button() == Qt.MouseButton.LeftButton:
            self.toggled.emit(not self._open)
            event.accept()
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggled.emit(not self._open)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = self.hasFocus()
        painter.setPen(QPen(theme.color("focus" if focused else "border"), 2 if focused else 1))
        painter.setBrush(theme.color("bg-1"))
        inset = 1.0 if focused else 0.5
        radius = px(tokens.RADIUS_CONTROL)
        box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(box, radius, radius)
        head = px(32)
        if not self._running:
            chevron = theme.pixmap(
                "chevron-down" if self._open else "chevron-right",
                14,
                "text-1",
                ratio=self.devicePixelRatioF(),
            )
            painter.drawPixmap(QPointF(px(9), (head - px(14)) / 2), chevron)
        self._paint_words(painter, head)

    def _paint_words(self, painter: QPainter, head: int) -> None:
        theme, px = self._theme, self._theme.px
        left = px(31)
        font = theme.font("body", weight=500, tabular=True)
        painter.setFont(font)
        painter.setPen(theme.color("text-2"))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, 0, self.width() - left, head), middle, self._title)
        left += round(QFontMetricsF(font).horizontalAdvance(self._title)) + px(8)
        right = self._now.x() - px(8) if self._running else self.width() - px(12)
        if self._summary and right > left:
            font = theme.font("body")
            painter.setFont(font)
            painter.setPen(theme.color("text-3"))
            shown = QFontMetricsF(font).elidedText(
                self._summary, Qt.TextElideMode.ElideRight, right - left
            )
            painter.drawText(QRectF(left, 0, right - left, head), middle, shown)


def summary(text: str, *, running: bool) -> str:
    """One line of the reasoning: the last while it runs, the first afterwards."""
    if running:
        lines = [line for line in text[-600:].split("\n") if line.strip()]
        return lines[-1].strip()[-200:] if lines else ""
    head = text.lstrip()[:400].split("\n", 1)[0]
    return head.strip()


def _title(seconds: float | None, *, running: bool) -> str:
    if running:
        return f"Thinking, {elapsed(seconds)}" if seconds and seconds >= 1 else "Thinking"
    return f"Thought for {elapsed(seconds)}" if seconds is not None else "Thought"


def elapsed(seconds: float | None) -> str:
    """A short duration: ``6 s``, ``2 min 5 s``."""
    whole = int(seconds or 0)
    if whole < 1:
        return "less than 1 s"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
