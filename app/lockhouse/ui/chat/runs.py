"""Answers in progress, several at once, each in a conversation of its own.

Hides the threads, the cancel tokens and the folding of core events into what the page shows.
A run belongs to a conversation, not to what is on the screen: it goes on in the background
when another conversation is opened.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from lockhouse.chat.turns import TurnEvent, TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError
from lockhouse.core.events import (
    Failed,
    Finished,
    LoadProgress,
    Notice,
    PromptProgress,
    Reasoning,
    StartOver,
    Text,
    TextWasReasoning,
    Usage,
)
from lockhouse.ui.chat.values import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    Note,
    Phase,
    RunState,
)
from lockhouse.ui.jobs import JobHandle, Jobs

_QUIET = ("waiting", "server_changed")  # told where the answer is going to stand
_RATE_AFTER_S = 0.4  # before that a rate is noise


class TurnFactory(Protocol):
    """Starts a turn; called on the run's own thread."""

    def __call__(self, cancel: CancelToken) -> Iterator[TurnEvent]: ...


@dataclass
class _Run:
    conversation_id: str
    cancel: CancelToken
    handle: JobHandle | None = None
    message_id: str = ""
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    phase: Phase = "loading"
    done: int = 0
    total: int = 0
    counted: int = 0
    first_at: float = 0.0
    finished: Finished | None = None
    failed: Failed | None = None
    told: str = ""
    remark: str = ""

    def state(self) -> RunState:
        elapsed = time.monotonic() - self.first_at if self.first_at else 0.0
        rate = self.counted / elapsed if elapsed > _RATE_AFTER_S else 0.0
        return RunState(
            self.conversation_id,
            self.message_id,
            self.phase,
            self.done,
            self.total,
            rate,
            "" if self.text else self.told,
        )


class Runs(QObject):
    """Starts, follows and stops answers."""

    started = Signal(object)  # AnswerStarted
    grew = Signal(object)  # AnswerGrew
    progressed = Signal(object)  # RunState
    noticed = Signal(object)  # Note
    ended = Signal(object)  # AnswerEnded

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._runs: dict[str, _Run] = {}

    def start(self, conversation_id: str, turn: TurnFactory) -> bool:
        """Begin an answer. False when one is already running in that conversation."""
        if conversation_id in self._runs:
            return False
        run = _Run(conversation_id, CancelToken())
        self._runs[conversation_id] = run
        run.handle = self._jobs.stream(
            lambda: turn(run.cancel),
            lambda events: self._take(run, events),
            lambda: self._end(run),
            lambda error: self._fail(run, error),
            on_cancel=run.cancel.cancel,
        )
        self.progressed.emit(run.state())
        return True

    def stop(self, conversation_id: str) -> None:
        """Ask the answer to end; what came is kept."""
        if run := self._runs.get(conversation_id):
            run.cancel.cancel()

    def leave_all(self) -> None:
        """The window closes: end every answer, as cut off and not as stopped by the reader."""
        for run in self._runs.values():
            run.cancel.leave()

    def answer_now(self, conversation_id: str) -> None:
        """End the reasoning and answer."""
        if run := self._runs.get(conversation_id):
            run.cancel.answer_now()

    def running(self, conversation_id: str) -> RunState | None:
        """The state of the answer in that conversation, None when nothing runs."""
        run = self._runs.get(conversation_id)
        return run.state() if run else None

    def all_running(self) -> tuple[RunState, ...]:
        """Every answer in progress."""
        return tuple(run.state() for run in self._runs.values())

    def so_far(self, conversation_id: str) -> tuple[str, str, str]:
        """Message id, text and reasoning of the running answer, up to this moment."""
        run = self._runs.get(conversation_id)
        if run is None:
            return "", "", ""
        return run.message_id, "".join(run.text), "".join(run.reasoning)

    def _take(self, run: _Run, events: list[TurnEvent]) -> None:
        text: list[str] = []
        reasoning: list[str] = []
        for event in events:
            if isinstance(event, Text):
                text.append(event.text)
            elif isinstance(event, Reasoning):
                reasoning.append(event.text)
            elif isinstance(event, TextWasReasoning):
                run.reasoning += [*reasoning, *run.text, *text]
                run.text, text, reasoning = [], [], []
                self._show_from_start(run)
            elif isinstance(event, StartOver):
                run.text, run.reasoning, text, reasoning = [], [], [], []
                run.remark = "Began again: another server took over"
                self._show_from_start(run)
            else:
                self._take_other(run, event, has_words=bool(run.text or text))
        run.text += text
        run.reasoning += reasoning
        if text or reasoning:
            run.first_at = run.first_at or time.monotonic()
            run.phase = "answering" if run.text else "thinking"
            self.grew.emit(
                AnswerGrew(run.conversation_id, run.message_id, "".join(text), "".join(reasoning))
            )
        self.progressed.emit(run.state())

    def _show_from_start(self, run: _Run) -> None:
        trace = "".join(run.reasoning)
        self.grew.emit(
            AnswerGrew(
                run.conversation_id,
                run.message_id,
                "",
                trace,
                from_start=True,
                remark=run.remark,
            )
        )

    def _take_other(self, run: _Run, event: TurnEvent, *, has_words: bool) -> None:
        if isinstance(event, TurnStarted):
            run.message_id = event.answer.id
            if event.answer.content:
                run.text.append(event.answer.content)
            if event.answer.reasoning:
                run.reasoning.append(event.answer.reasoning)
            self.started.emit(AnswerStarted(run.conversation_id, event.user, event.answer))
        elif isinstance(event, LoadProgress):
            run.phase, run.done, run.total = "loading", round(event.fraction * 100), 100
        elif isinstance(event, PromptProgress):
            run.phase, run.done, run.total = "reading", event.tokens_read, event.tokens_total
        elif isinstance(event, Usage):
            run.counted = event.completion_tokens
        elif isinstance(event, Notice):
            if event.code in _QUIET and not has_words:
                run.told = event.message
            elif event.code in _QUIET:
                self.noticed.emit(Note(event.message))
            else:
                self.noticed.emit(Note(event.message, "warning"))
        elif isinstance(event, Finished):
            run.finished = event
        elif isinstance(event, Failed):
            run.failed = event

    def _fail(self, run: _Run, error: LockhouseError) -> None:
        run.failed = Failed(error.code, error.message, error.hint, error.exit_code)
        self._end(run)

    def _end(self, run: _Run) -> None:
        self._runs.pop(run.conversation_id, None)
        self.ended.emit(AnswerEnded(run.conversation_id, run.message_id, run.finished, run.failed))
