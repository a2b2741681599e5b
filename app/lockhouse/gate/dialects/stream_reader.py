"""What the readers of all dialects share: the state of an answer, its tool calls and its end.

A dialect says what one decoded event means. Errors inside the stream and a missing end are
handled here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from lockhouse.core.events import Usage
from lockhouse.core.messages import ToolCall
from lockhouse.gate.dialects.provider_errors import (
    UNREADABLE,
    Recipient,
    bad_stream,
    cut_short,
    refusal,
    said_by,
)
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
        return ToolCall(self.id or f"call_{number}", self.name, arguments)


class StreamReader:
    """Reads one answer, event by event. A dialect has its own :meth:`read`, decoder and words."""

    decoder: ClassVar[msgspec.json.Decoder[Any]]
    stopped_by_length: ClassVar[tuple[str, ...]]  # finish reasons
    stopped_for_tools: ClassVar[tuple[str, ...]]
    has_error_events: ClassVar[bool] = False  # whether an event named "error" is one in itself

    def __init__(self, who: Recipient) -> None:
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

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one event of the stream means. Raises RemoteFailure for an error inside it."""
        try:
            found = self.decoder.decode(data)
        except UNREADABLE as error:
            raise bad_stream(self.who, f"a part of it cannot be read ({error})") from error
        if found.error is not None:
            raise refusal(self.who, 0, {}, said_by({"error": found.error}))
        if self.has_error_events and event == "error":
            raise refusal(self.who, 0, {}, said_by(msgspec.json.decode(data)))
        self._has_read = True
        return self.read(found)

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
        return Answered(
            finish,
            self.usage,
            self.model,
            self.response_id,
            cache_write_tokens=self.cache_write_tokens,
            reported_cost=self.reported_cost,
            pieces=self.pieces,
        )

    def require_complete(self) -> None:
        """Raise RemoteFailure when the answer was refused, or ended without a reason."""
        if not self.finish:
            raise cut_short(self.who)


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
