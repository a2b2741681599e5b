"""Under an answer: why it ended early and what can be done, or what it still waits for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import IconLabel, label
from lockhouse.ui.layouts import TOP, column, row
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.timers import repetition
from lockhouse.ui.transcript.values import Progress, TranscriptMessage
from lockhouse.ui.widgets import Spinner, ThinBar

_WORDS = {
    "cut": ("Interrupted when Lockhouse ended.", ""),
    "cancelled": ("You stopped this answer.", ""),
    "failed": ("The answer failed.", "Try again."),
    "complete": ("", ""),  # shown only with a limit, which has its own text
}
_MOST_WAYS = 4
_TICK_MS = 500
_KEPT = " The text so far is kept."
_NOTHING = " It had no text yet."


def _ways(message: TranscriptMessage, *, has_any: bool) -> list[tuple[str, str]]:
    """What can be done about it: kinds and labels."""
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


class StatusNote(QFrame):
    """A sentence, a hint, and buttons: continue, try again, try again with safer settings."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self._icon = IconLabel(theme, "info")
        self._words = label("", role="medium", wrap=True)
        self._hint = label("", ink="2", wrap=True)
        ways = QWidget()
        self._flow = FlowLayout(ways, spacing=px(8))
        text = column(theme, self._words, self._hint, 6, ways)
        self._row = row(theme, (self._icon, TOP), (text, 1), gap=10, margins=(11, 7), on=self)
        self._buttons = [QPushButton(ways) for _ in range(_MOST_WAYS)]
        for index, button in enumerate(self._buttons):
            button.setProperty("compact", "true")
            button.clicked.connect(lambda _=False, index=index: self._choose(index))
            self._flow.addWidget(button)
        self._kinds: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()
        self._retry_at: datetime | None = None
        self._countdown = repetition(self, _TICK_MS, self._count_down)

    def show_message(self, message: TranscriptMessage) -> None:
        words, hint = _WORDS[message.status]
        failed = message.status == "failed"
        has_any = bool(message.text or message.reasoning)
        if message.status in ("cut", "cancelled"):
            words += _KEPT if has_any else _NOTHING
        words = message.error_message or message.limit or words
        hint = message.error_hint or (hint if not message.error_message else "")
        self._words.setText(words)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._dress(failed=failed)
        ways = _ways(message, has_any=has_any)[:_MOST_WAYS]
        self._kinds = tuple(kind for kind, _ in ways)
        self._labels = tuple(words for _, words in ways)
        self._retry_at = message.retry_at
        self._label_buttons(self._labels)
        self._count_down()
        word = "Error" if failed else "Note"
        self.setAccessibleName(f"{word}: {words} {hint}".strip())

    def _dress(self, *, failed: bool) -> None:
        tone = "note-failed" if failed else "note"
        if tone != self.property("tone"):
            self.setProperty("tone", tone)
            repolish(self)
        icon, ink = ("circle-alert", "danger") if failed else ("info", "text-2")
        self._icon.show_icon(icon, 16, ink)

    def fit(self, width: int) -> int:
        """The height at that width."""
        self._row.invalidate()
        return self._row.totalHeightForWidth(width)

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
        if not left_s:
            self._countdown.stop()
        elif not self._countdown.isActive():
            self._countdown.start()

    def _choose(self, index: int) -> None:
        self.chosen.emit(self._kinds[index])


class WaitingRow(QWidget):
    """Before the first word: what is being waited for, and how far it is."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bar = ThinBar(theme, "Progress")
        self._bar.setFixedWidth(theme.px(160))
        self._spinner = Spinner(theme, "Working")
        self._words = label("", role="caption", ink="2", wrap=True)
        self._row = row(theme, self._bar, self._spinner, (self._words, 1), gap=8, on=self)

    def show_progress(self, progress: Progress | None) -> None:
        words = waiting_words(progress)
        known = progress is not None and progress.total > 0
        self._bar.setVisible(known)
        self._spinner.setVisible(not known)
        if progress is not None and known:
            self._bar.set_fraction(progress.done / progress.total)
        self._words.setText(words)
        self.setAccessibleName(words)

    def fit(self, width: int) -> int:
        """The height at that width: the words of a provider can be long."""
        self._row.invalidate()
        px = self._theme.px
        return max(px(24), self._row.totalHeightForWidth(width) + px(8))


def waiting_words(progress: Progress | None) -> str:
    """What the answer waits for."""
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
