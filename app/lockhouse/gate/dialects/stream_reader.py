"""What the readers of all dialects share: the state of an answer, its tool calls and its end.

A dialect says what one decoded event means. Errors inside the stream, a missing end, reasoning
among the text and what is not quite in the dialect are handled here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from lockhouse.core.events import Reasoning, Text, TextWasReasoning, Usage
from lockhouse.core.messages import ToolCall
from lockhouse.core.reasoning import ReasoningSplitter
from lockhouse.gate.dialects.provider_errors import (
    UNREADABLE,
    Recipient,
    bad_stream,
    cut_short,
    read_error,
    refusal,
    said_by,
    says_nothing,
)
from lockhouse.gate.dialects.tolerance import CharacterJoiner, read_tolerantly, whole_characters
from lockhouse.gate.remote_requests import Answered, RemoteEvent

RawCount = int | float | None  # a count as a server gives it: any number, none, or nonsense

_MOST_TOKENS = 1_000_000_000
_HIGHEST_DIGIT = 5  # of what one answer costs: less than a million
_LEAST_DIGIT = -30


@dataclass(slots=True)
class PartialCall:
    """A tool call while its arguments arrive: whole, in pieces, or both."""

    id: str = ""
    name: str = ""
    given: dict[str, Any] | None = None
    pieces: list[str] = field(default_factory=list)

    def whole(self, number: int) -> ToolCall:
        """The call; where it has no id of its own, it is given one by its number."""
        arguments = "".join(self.pieces) or msgspec.json.encode(self.given or {}).decode()
        call_id, name = whole_characters(self.id), whole_characters(self.name)
        return ToolCall(call_id or f"call_{number}", name, whole_characters(arguments))


class StreamReader:
    """Reads one answer, event by event. A dialect has its own :meth:`read`, decoder and words."""

    decoder: ClassVar[msgspec.json.Decoder[Any]]
    stopped_by_length: ClassVar[tuple[str, ...]]  # finish reasons
    stopped_for_tools: ClassVar[tuple[str, ...]]
    has_error_events: ClassVar[bool] = False  # whether an event named "error" is one in itself
    lists: ClassVar[tuple[str, ...]] = ()  # fields of an event that nothing can be read without
    splits_text: ClassVar[bool] = False  # whether reasoning may stand in the text, between marks

    def __init__(self, who: Recipient, sent: bytes = b"") -> None:
        """``sent`` is the body that is answered: what it asks for belongs to the answer."""
        self.who = who
        self.is_done = False  # whether the dialect's own mark of the end has come
        self.response_id = ""
        self.model = ""
        self.finish = ""  # the dialect's word for why the answer ended
        self.usage: Usage | None = None
        self.cache_write_tokens = 0
        self.reported_cost = ""
        self.pieces = 0
        self._has_read = False
        self._has_said = False  # any text, reasoning or call
        self._joiner: CharacterJoiner | None = None  # once something had to be read tolerantly
        asked = sent.decode("utf-8", "replace") if self.splits_text else ""
        self._splitter = ReasoningSplitter(asked=asked) if self.splits_text else None

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one event of the stream means. Raises RemoteFailure for an error inside it."""
        if self.has_error_events and event == "error":
            raise refusal(self.who, 0, {}, read_error(data))
        try:
            found = self._decoded(data)
        except UNREADABLE as error:
            if self.finish:  # the answer is complete: what follows it is not needed
                return []
            raise bad_stream(self.who, f"a part of it cannot be read ({error})") from error
        if found.error:
            raise refusal(self.who, 0, {}, said_by({"error": found.error}))
        self._has_read = True
        events = self.read(found)
        if self._joiner is not None:
            events = self._joiner.joined(events)
        if self._splitter is not None:
            events = self._split(self._splitter, events)
        self._has_said = self._has_said or any(isinstance(told, _SAID) for told in events)
        return events

    def _decoded(self, data: bytes) -> Any:
        try:
            return self.decoder.decode(data)
        except UNREADABLE:
            found = read_tolerantly(data, self.decoder.type, self.lists)
            self._joiner = self._joiner or CharacterJoiner()
            return found

    def _split(self, splitter: ReasoningSplitter, events: list[RemoteEvent]) -> list[RemoteEvent]:
        """The same events with the reasoning that stands in the text told as such."""
        found: list[RemoteEvent] = []
        for event in events:
            if isinstance(event, Text) and self._splitter is not None:
                for kind, text in splitter.feed(event.text):
                    found += _late_trace(splitter)
                    found.append(Text(text) if kind == "text" else Reasoning(text))
                found += _late_trace(splitter)
                continue
            if isinstance(event, Reasoning):  # it is told apart already
                self._splitter = None
            if isinstance(event, Reasoning | ToolCall):
                found += _told(splitter)
            found.append(event)
        return found

    def rest(self) -> list[RemoteEvent]:
        """What was held back: nothing more comes."""
        events = _told(self._splitter) if self._splitter is not None else []
        self._has_said = self._has_said or bool(events)
        return events

    def read(self, found: Any) -> list[RemoteEvent]:
        """What a decoded event means, as events of ours."""
        raise NotImplementedError

    def end(self) -> Answered:
        """The stream is over. Raises RemoteFailure when the answer is not complete or refused."""
        if not self._has_read:
            raise bad_stream(self.who, "nothing in it is an answer")
        self.require_complete()
        finish = "stop"
        if self.finish in self.stopped_by_length:
            finish = "length"
        elif self.finish in self.stopped_for_tools:
            finish = "tool_calls"
        # Without a reason for its end, whoever asked knows whether it was dropped.
        if finish == "stop" and self.finish and not self._has_said:
            raise says_nothing(self.who)
        return Answered(
            finish,
            self.usage,
            self.model,
            self.response_id,
            cache_write_tokens=self.cache_write_tokens,
            reported_cost=self.reported_cost,
            pieces=self.pieces,
            has_reason=bool(self.finish),
        )

    def require_complete(self) -> None:
        """Raise RemoteFailure when the answer was refused, or ended without a reason."""
        if not self.finish:
            raise cut_short(self.who)


_SAID = (Text, Reasoning, ToolCall)


def _late_trace(splitter: ReasoningSplitter) -> list[RemoteEvent]:
    """The trace ended without having begun: all text so far was reasoning."""
    if not splitter.trace_without_opening:
        return []
    splitter.trace_without_opening = False
    return [TextWasReasoning()]


def _told(splitter: ReasoningSplitter) -> list[RemoteEvent]:
    return [Text(text) if kind == "text" else Reasoning(text) for kind, text in splitter.finish()]


def count(raw: RawCount) -> int:
    """A number of tokens: none at the least, and not more than there can be."""
    return int(max(0, min(raw or 0, _MOST_TOKENS)))


def amount(raw: Decimal | None) -> str:
    """What a provider says it charged, exactly; empty where that cannot be true."""
    if raw is None or not raw.is_finite() or raw.is_signed():
        return ""
    if raw and not _LEAST_DIGIT <= raw.adjusted() <= _HIGHEST_DIGIT:
        return ""
    return format(+raw, "f")  # no more digits than are ever counted with
