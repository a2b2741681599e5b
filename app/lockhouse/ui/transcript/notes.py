"""Under an answer that did not end by itself: what happened, and the ways on. And waiting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QPushButton, QWidget

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.transcript.values import Progress, TranscriptMessage
from lockhouse.ui.widgets import Spinner, ThinBar

_WORDS = {
    "cut": ("Cut off when the program ended.", ""),
    "cancelled": ("You stopped this answer.", ""),
    "failed": ("The answer failed.", "Try again."),
    "complete": ("", ""),  # only with a limit, which has words of its own
}
_MOST_WAYS = 4
_TICK_MS = 500
_KEPT = " What had come is kept."
_NOTHING = " Nothing had come yet."


def _ways(message: TranscriptMessage, *, has_any: bool) -> list[tuple[str, str]]:
    """What can be done, each with its label."""
    if message.ways:
        return list(message.ways)
    ways: list[tuple[str, str]] = []
    if message.text or (message.status != "failed" and has_any):
        ways.append(("continue", "Continue"))
    if not message.limit:
        ways.append(("regenerate", "Try again"))
    if message.retry_safer:
        ways.append(("retry_safer", "Try again with safer settings"))
    return ways


class StatusNote(QWidget):
    """A sentence, a hint, and buttons: continue, try again, try again with safer settings."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = ""
        self._hint = ""
        self._failed = False
        self._text_width = 0
        self._buttons = [QPushButton(self) for _ in range(_MOST_WAYS)]
        for index, button in enumerate(self._buttons):
            button.setProperty("compact", "true")
            button.clicked.connect(lambda _=False, index=index: self._choose(index))
        self._kinds: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._retry_at: datetime | None = None
        self._countdown = QTimer(self)
        self._countdown.setInterval(_TICK_MS)
        self._countdown.timeout.connect(self._count_down)

    def show_message(self, message: TranscriptMessage) -> None:
        words, hint = _WORDS[message.status]
        self._failed = message.status == "failed"
        has_any = bool(message.text or message.reasoning)
        if message.status in ("cut", "cancelled"):
            words += _KEPT if has_any else _NOTHING
        self._words = message.error_message or message.limit or words
        self._hint = message.error_hint or (hint if not message.error_message else "")
        ways = _ways(message, has_any=has_any)[:_MOST_WAYS]
        self._kinds = tuple(kind for kind, _ in ways)
        self._labels = tuple(label for _, label in ways)
        self._retry_at = message.retry_at
        self._label_buttons(self._labels)
        self._count_down()
        word = "Error" if self._failed else "Note"
        self.setAccessibleName(f"{word}: {self._words} {self._hint}".strip())
        self.update()

    def fit(self, width: int) -> int:
        px = self._theme.px
        self._text_width = width - px(12) - px(16) - px(10) - px(12)
        top = px(8) + self._text_height() + px(6)
        left = px(38)
        height = self._buttons[0].sizeHint().height()
        for button in self._buttons:
            if button.isHidden():
                continue
            wide = button.sizeHint().width()
            if left > px(38) and left + wide > width - px(8):
                left, top = px(38), top + height + px(6)
            button.setGeometry(left, top, wide, height)
            left += wide + px(8)
        return top + height + px(8)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("danger-soft" if self._failed else "border"), 1))
        painter.setBrush(theme.color("danger-soft" if self._failed else "bg-1"))
        radius = px(tokens.RADIUS_CONTROL)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        icon, ink = ("circle-alert", "danger") if self._failed else ("info", "text-2")
        drawn = theme.pixmap(icon, 16, ink, ratio=self.devicePixelRatioF())
        painter.drawPixmap(QPointF(px(12), px(10)), drawn)
        top = float(px(8))
        for words, weight, ink in ((self._words, 500, "text-1"), (self._hint, 400, "text-2")):
            if not words:
                continue
            painter.setFont(theme.font("body", weight=weight))
            painter.setPen(theme.color(ink))
            height = self._height_of(words, weight)
            box = QRectF(px(38), top, self._text_width, height)
            painter.drawText(box, Qt.TextFlag.TextWordWrap, words)
            top += height

    def _text_height(self) -> int:
        hint = self._height_of(self._hint, 400) if self._hint else 0
        return int(self._height_of(self._words, 500) + hint + 0.999)

    def _height_of(self, words: str, weight: int) -> float:
        metrics = QFontMetricsF(self._theme.font("body", weight=weight))
        room = QRectF(0, 0, self._text_width, 10_000)
        height = metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, words).height()
        return max(height, self._theme.line_height("body"))

    def _label_buttons(self, labels: Sequence[str]) -> None:
        for index, button in enumerate(self._buttons):
            button.setVisible(index < len(labels))
            if index < len(labels):
                button.setText(labels[index])
                button.setObjectName(f"note-{self._kinds[index]}")

    def _count_down(self) -> None:
        """Trying again makes sense only when the provider wants to be asked again."""
        left_s = 0
        if self._retry_at is not None:
            left = (self._retry_at - datetime.now(UTC)).total_seconds()
            left_s = max(0, math.ceil(left))
        for index, kind in enumerate(self._kinds):
            if kind == "regenerate":
                button, words = self._buttons[index], self._labels[index]
                button.setText(f"{words} in {left_s} s" if left_s else words)
                button.setEnabled(not left_s)
                wide = max(button.width(), button.sizeHint().width())
                button.resize(wide, button.height())
        if not left_s:
            self._countdown.stop()
        elif not self._countdown.isActive():
            self._countdown.start()

    def _choose(self, index: int) -> None:
        self.chosen.emit(self._kinds[index])


class WaitingRow(QWidget):
    """Before the first word: a model being loaded, a prompt being read, and how far that is."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = ""
        self._bar = ThinBar(theme, "Progress", self)
        self._spinner = Spinner(theme, "Working", self)

    def show_progress(self, progress: Progress | None) -> None:
        self._words = waiting_words(progress)
        known = progress is not None and progress.total > 0
        self._bar.setVisible(known)
        self._spinner.setVisible(not known)
        if progress is not None and known:
            self._bar.set_fraction(progress.done / progress.total)
        self.setAccessibleName(self._words)
        self.update()

    def fit(self, width: int) -> int:
        """As high as its words need: a provider's can be long."""
        px = self._theme.px
        line = px(24)
        self._bar.setGeometry(0, (line - px(4)) // 2, px(160), px(4))
        side = px(12)
        self._spinner.setGeometry(0, (line - side) // 2, side, side)
        metrics = QFontMetricsF(self._theme.font("caption", tabular=True))
        room = QRectF(0, 0, max(1, width - self._left()), 10_000)
        needed = metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, self._words).height()
        return max(line, round(needed) + px(8))

    def _left(self) -> int:
        return self._theme.px(172) if not self._bar.isHidden() else self._theme.px(20)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        painter.setFont(theme.font("caption", tabular=True))
        painter.setPen(theme.color("text-2"))
        box = QRectF(self._left(), 0, self.width() - self._left(), self.height())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box, flags, self._words)


def waiting_words(progress: Progress | None) -> str:
    """What is being waited for, in words."""
    if progress is None:
        return "Waiting for the model"
    if progress.words:
        return progress.words
    if progress.kind == "loading":
        if progress.total <= 0:
            return "Loading the model"
        return f"Loading the model, {100 * progress.done // progress.total} %"
    if progress.total <= 0:
        return "Reading the prompt"
    return f"Reading the prompt, {progress.done:,} of {progress.total:,} tokens"
