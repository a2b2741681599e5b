"""Answers in progress, several at once, each in a chat of its own.

Hides the threads, the cancel tokens and the folding of events into what the page shows. A run
belongs to a chat, not to what is on the screen: it continues in the background when another chat
is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

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
    failed_of,
)
from lockhouse.ui.chat.values import AnswerEnded, AnswerGrew, Note, Phase, RunState
from lockhouse.ui.jobs import JobHandle, Jobs

TurnFactory = Callable[[CancelToken], Iterator[TurnEvent]]  # called on the run's own thread

_SHOWN_IN_PLACE = ("waiting", "server_changed")  # where the answer will stand, not in a banner
_RATE_AFTER_S = 0.4  # before that a rate is noise


@dataclass
class _Run:
    chat: str  # its key: the conversation's id once the question is stored
    cancel: CancelToken
    handle: JobHandle | None = None
    message_id: str = ""
    target: str = ""
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
        told = "" if self.text else self.told
        return RunState(self.chat, self.message_id, self.phase, self.done, self.total, rate, told)


class Runs(QObject):
    """Starts, follows and stops answers."""

    begun = Signal(str)  # key of a chat: asking has begun, nothing is stored yet
    started = Signal(str, object)  # that key, and TurnStarted: question and answer are stored
    grew = Signal(object)  # AnswerGrew
    progressed = Signal(object)  # RunState, of answers that have started
    noticed = Signal(str, object)  # conversation, Note
    ended = Signal(object)  # AnswerEnded

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._runs: dict[str, _Run] = {}

    def start(self, chat: str, turn: TurnFactory) -> bool:
        """Begin an answer. False when one is already running in that chat."""
        if chat in self._runs:
            return False
        run = _Run(chat, CancelToken())
        self._runs[chat] = run
        run.handle = self._jobs.stream(
            lambda: turn(run.cancel),
            lambda events: self._take(run, events),
            lambda: self._end(run),
            lambda error: self._fail(run, error),
            on_cancel=run.cancel.cancel,
        )
        self.begun.emit(chat)
        return True

    def stop(self, chat: str) -> None:
        """Ask the answer to end; what came is kept."""
        if run := self._runs.get(chat):
            run.cancel.cancel()

    def abandon(self, chat: str) -> None:
        """End a run of which nothing was stored, without waiting for its thread."""
        run = self._runs.get(chat)
        if run is not None and not run.message_id and run.handle is not None:
            run.handle.cancel()  # what its thread still tells is of no interest
            self._end(run)

    def leave_all(self) -> None:
        """The window closes: end every answer, as interrupted and not as stopped by the reader."""
        for run in self._runs.values():
            run.cancel.leave()

    def answer_now(self, chat: str) -> None:
        """End the reasoning and answer."""
        if run := self._runs.get(chat):
            run.cancel.answer_now()

    def running(self, chat: str) -> RunState | None:
        """The state of the answer in that chat, None when nothing runs."""
        run = self._runs.get(chat)
        return run.state() if run else None

    def all_running(self) -> tuple[RunState, ...]:
        """Every answer in progress."""
        return tuple(run.state() for run in self._runs.values())

    def so_far(self, chat: str) -> tuple[str, str, str]:
        """Message id, text and reasoning of the running answer, up to this moment."""
        run = self._runs.get(chat)
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
                run.remark = "Started over on another server"
                self._show_from_start(run)
            elif isinstance(event, TurnStarted):
                self._started(run, event)
            else:
                self._take_other(run, event, has_words=bool(run.text or text))
        run.text += text
        run.reasoning += reasoning
        if text or reasoning:
            run.first_at = run.first_at or time.monotonic()
            run.phase = "answering" if run.text else "thinking"
            self.grew.emit(AnswerGrew(run.chat, run.message_id, "".join(text), "".join(reasoning)))
        if run.message_id:
            self.progressed.emit(run.state())

    def _started(self, run: _Run, event: TurnStarted) -> None:
        key = run.chat
        del self._runs[key]
        run.chat = event.conversation.id
        self._runs[run.chat] = run
        run.message_id = event.answer.id
        run.target = event.answer.target.name if event.answer.target else ""
        run.text += filter(None, [event.answer.content])
        run.reasoning += filter(None, [event.answer.reasoning])
        self.started.emit(key, event)

    def _show_from_start(self, run: _Run) -> None:
        trace = "".join(run.reasoning)
        self.grew.emit(
            AnswerGrew(run.chat, run.message_id, "", trace, from_start=True, remark=run.remark)
        )

    def _take_other(self, run: _Run, event: TurnEvent, *, has_words: bool) -> None:
        if isinstance(event, LoadProgress):
            run.phase, run.done, run.total = "loading", round(event.fraction * 100), 100
        elif isinstance(event, PromptProgress):
            run.phase, run.done, run.total = "reading", event.tokens_read, event.tokens_total
        elif isinstance(event, Usage):
            run.counted = event.completion_tokens
        elif isinstance(event, Notice):
            if event.code not in _SHOWN_IN_PLACE:
                self.noticed.emit(run.chat, Note(event.message, "warning"))
            elif has_words:
                self.noticed.emit(run.chat, Note(event.message))
            else:
                run.told = event.message
        elif isinstance(event, Finished):
            run.finished = event
        elif isinstance(event, Failed):
            run.failed = event

    def _fail(self, run: _Run, error: LockhouseError) -> None:
        run.failed = failed_of(error)
        self._end(run)

    def _end(self, run: _Run) -> None:
        self._runs.pop(run.chat, None)
        self.ended.emit(AnswerEnded(run.chat, run.message_id, run.target, run.finished, run.failed))
