"""Watches one answer come, for every command that asks for one.

Hides the signals: Ctrl-C, a terminal that closes, or a reader that leaves stop the answer,
and what came until then is kept. Text goes out as it comes; everything else to standard error.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

from lockhouse.answer.form_check import FORM_CUT
from lockhouse.answer.target import TargetInfo
from lockhouse.cli import output
from lockhouse.cli.line_reader import unseen_typing
from lockhouse.core.cancellation import CancelToken
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
)
from lockhouse.core.messages import ToolCall

Shape = Literal["text", "json", "jsonl"]
_LONG_PROMPT_TOKENS = 256  # below this, reading it is not worth a word


@dataclass(slots=True)
class Answer:
    """What has come of an answer so far."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    finished: Finished | None = None
    failed: Failed | None = None
    answered_by: TargetInfo | None = None  # where another target took over
    conversation_id: str | None = None
    message_id: str | None = None
    form_cut: str = ""  # what to say of one that was cut before it had the form asked for
    reader_left: bool = False
    stopped_by: int = 0  # the signal, 0 for none

    @property
    def origin(self) -> Finished | None:
        """Its end, where it came from another machine and there is something to say of that."""
        end = self.finished
        if end is None or not end.host:
            return None
        came = self.text or self.reasoning or self.tool_calls
        return end if came or end.cost is not None else None

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody stopped it."""
        return self.stopped_by != 0 or (
            self.finished is not None and self.finished.finish_reason == "cancelled"
        )


@contextlib.contextmanager
def signals_stop(cancel: CancelToken, answer: Answer) -> Iterator[None]:
    """The first signal asks the answer to stop; a second Ctrl-C ends the wait for that."""

    def stop(number: int, _: FrameType | None) -> None:
        if cancel.cancelled and number == signal.SIGINT:
            raise KeyboardInterrupt
        answer.stopped_by = number
        cancel.cancel()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def permitted(events: Iterator[object]) -> Iterator[object]:
    """The same events, once asking is permitted.

    Until the first one comes, a person may be asked: Ctrl-C and the keyboard are for that then,
    and not for an answer.
    """
    return itertools.chain((next(events),), events)


class StreamPrinter:
    """Takes the events of one answer to where they belong."""

    def __init__(self, shape: Shape, cancel: CancelToken) -> None:
        self._shape = shape
        self._cancel = cancel
        self._status = output.StatusLine()
        self._in_reasoning = False
        self.answer = Answer()

    def follow(self, events: Iterable[object]) -> Answer:
        """Read the events to their end. Only then is the answer stored."""
        with signals_stop(self._cancel, self.answer), unseen_typing():
            try:
                for event in events:
                    self._take(event)
            finally:
                self._status.clear()
        if self._shape == "text" and not self.answer.reader_left:
            self._end_text()
        return self.answer

    def _take(self, event: object) -> None:
        from lockhouse.answer.session import AnsweredBy
        from lockhouse.chat.turns import TurnStarted

        if isinstance(event, TurnStarted):
            self.answer.conversation_id = event.conversation.id
            self.answer.message_id = event.answer.id
            return
        if isinstance(event, AnsweredBy):
            self.answer.answered_by = event.target
        match event:
            case Text():
                self._take_text(event.text)
            case Reasoning():
                self._take_reasoning(event.text)
            case TextWasReasoning():
                self._take_back()
            case StartOver():
                self._start_over(event.reason)
            case ToolCall():
                self._take_call(event)
            case LoadProgress() | PromptProgress():
                self._wait(event)
            case Notice():
                self._note(event)
            case Finished() | Failed():
                self._take_end(event)
            case _:  # Usage is told with Finished
                return
        if self._shape == "jsonl":
            self._write_event(event)

    def _take_end(self, event: Finished | Failed) -> None:
        if isinstance(event, Finished):
            self.answer.finished = event
        else:
            self.answer.failed = event
            self.answer.finished = event.finished

    def _wait(self, event: LoadProgress | PromptProgress) -> None:
        if isinstance(event, LoadProgress):
            self._status.show(f"Loading the model, {event.fraction:.0%}")
        elif event.tokens_total - event.cached > _LONG_PROMPT_TOKENS:
            done = f"{event.tokens_read:,} of {event.tokens_total:,} tokens"
            self._status.show(f"Reading the prompt, {done}")

    def _note(self, notice: Notice) -> None:
        self._status.clear()
        if notice.code == FORM_CUT:  # for the end, which says that it was cut
            self.answer.form_cut = notice.message
        else:
            output.note(f"note: {notice.message}")

    def _take_text(self, text: str) -> None:
        self._status.clear()
        self.answer.text.append(text)
        if self._in_reasoning:
            self._in_reasoning = False
            output.note("")
        if self._shape == "text":
            self._to_reader(text)

    def _take_reasoning(self, text: str) -> None:
        self.answer.reasoning.append(text)
        if self._shape == "text" and output.is_terminal(sys.stderr):
            self._status.clear()
            self._in_reasoning = True
            output.write_aside(text)

    def _take_back(self) -> None:
        """What was shown as the answer was reasoning; it cannot be unprinted, so it is said."""
        self.answer.reasoning += self.answer.text
        self.answer.text.clear()
        if self._shape == "text":
            self._to_reader("\n\n")
            output.note("note: the text above was the model's reasoning; the answer follows.")

    def _start_over(self, reason: str) -> None:
        """What was shown is void; it cannot be unprinted, so it is said."""
        was_shown = bool(self.answer.text)
        self.answer.text.clear()
        self.answer.reasoning.clear()
        self.answer.tool_calls.clear()
        if self._shape == "text":
            if was_shown:
                self._to_reader("\n\n")
            output.note(f"note: {reason} The answer begins again.")

    def _take_call(self, call: ToolCall) -> None:
        self._status.clear()
        self.answer.tool_calls.append(call)
        if self._shape == "text":
            if self.answer.text and not self.answer.text[-1].endswith("\n"):
                self._to_reader("\n")
            self._to_reader(f"{call.name}({call.arguments})\n")

    def _to_reader(self, told: Any, write: Callable[[Any], None] = output.write) -> None:
        if self.answer.reader_left:
            return
        try:
            write(told)
        except BrokenPipeError:
            self.answer.reader_left = True
            self._cancel.cancel()

    def _write_event(self, event: object) -> None:
        line = output.plain(event)
        if isinstance(event, Finished):
            self._to_reader(output.plain(event.usage), output.write_json_line)
            line["usage"].pop("type", None)
            line["conversation_id"] = self.answer.conversation_id
            line["message_id"] = self.answer.message_id
        self._to_reader(line, output.write_json_line)

    def _end_text(self) -> None:
        if self.answer.tool_calls:
            return
        if self.answer.text and not self.answer.text[-1].endswith("\n"):
            self._to_reader("\n")
