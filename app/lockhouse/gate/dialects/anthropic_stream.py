"""Reading a stream of Anthropic's message events."""

from __future__ import annotations

from typing import Any

import msgspec

from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.core.messages import ToolCall
from lockhouse.gate.dialects.counts import Told, count
from lockhouse.gate.dialects.provider_errors import (
    UNREADABLE,
    Recipient,
    bad_stream,
    content_refused,
    cut_short,
    refusal,
    said_by,
)
from lockhouse.gate.remote_requests import Answered, RemoteEvent

_LENGTH = ("max_tokens", "model_context_window_exceeded")


class _Details(msgspec.Struct):
    thinking_tokens: Told = None


class _Usage(msgspec.Struct):
    """Counts so far, each of them a total; what is left out has not changed."""

    input_tokens: Told = None
    cache_creation_input_tokens: Told = None
    cache_read_input_tokens: Told = None
    output_tokens: Told = None
    output_tokens_details: _Details | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    text: str | None = None
    thinking: str | None = None


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Event)


class Reader:
    """Reads one answer."""

    def __init__(self, who: Recipient) -> None:
        self._who = who
        self._id = ""
        self._model = ""
        self._stop = ""
        self._open: dict[int, tuple[_Block, list[str]]] = {}  # calls that are still written
        self._input = self._written = self._read = self._output = self._thought = 0
        self._counted = False
        self._came = False
        self.is_done = False

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one event means. Raises RemoteFailure for an error inside the stream."""
        try:
            found = _DECODER.decode(data)
        except UNREADABLE as error:
            raise bad_stream(self._who, f"a piece of it cannot be read ({error})") from error
        if found.error is not None:
            raise refusal(self._who, 0, {}, said_by({"error": found.error}))
        self._came = True
        if found.type == "content_block_delta" and found.delta is not None:
            return self._delta(found.index, found.delta)
        if found.type == "content_block_start" and found.content_block is not None:
            return self._begin(found.index, found.content_block)
        if found.type == "content_block_stop":
            return self._end_of_block(found.index)
        if found.type == "message_start" and found.message is not None:
            self._id, self._model = found.message.id or "", found.message.model or ""
            return self._count(found.message.usage)
        if found.type == "message_delta":
            self._stop = (found.delta.stop_reason if found.delta else None) or self._stop
            return self._count(found.usage)
        self.is_done = self.is_done or found.type == "message_stop"
        return []

    def _delta(self, index: int, delta: _Delta) -> list[RemoteEvent]:
        if delta.text:
            return [Text(delta.text)]
        if delta.thinking:
            return [Reasoning(delta.thinking)]
        if delta.partial_json and index in self._open:
            self._open[index][1].append(delta.partial_json)
        return []

    def _begin(self, index: int, block: _Block) -> list[RemoteEvent]:
        if block.type == "tool_use":
            self._open[index] = (block, [])
        if block.text:
            return [Text(block.text)]
        return [Reasoning(block.thinking)] if block.thinking else []

    def _end_of_block(self, index: int) -> list[RemoteEvent]:
        block, pieces = self._open.pop(index, (None, []))
        if block is None:
            return []
        whole = msgspec.json.encode(block.input or {}).decode()
        return [ToolCall(block.id or f"call_{index}", block.name or "", "".join(pieces) or whole)]

    def _count(self, usage: _Usage | None) -> list[RemoteEvent]:
        if usage is None:
            return []
        self._counted = True
        self._input = _newer(usage.input_tokens, self._input)
        self._written = _newer(usage.cache_creation_input_tokens, self._written)
        self._read = _newer(usage.cache_read_input_tokens, self._read)
        self._output = _newer(usage.output_tokens, self._output)
        if usage.output_tokens_details is not None:
            self._thought = _newer(usage.output_tokens_details.thinking_tokens, self._thought)
        return [self._usage()]

    def _usage(self) -> Usage:
        """With one meaning: what was cached, read or written, belongs to the prompt."""
        prompt = self._input + self._written + self._read
        return Usage(prompt, self._read, self._output, self._thought)

    def end(self) -> Answered:
        """The stream is over. Raises RemoteFailure when the answer is not complete or refused."""
        if not self._came:
            raise bad_stream(self._who, "nothing in it is an answer")
        if self._stop == "refusal":
            raise content_refused(self._who)
        if not self._stop:
            raise cut_short(self._who)
        finish = "length" if self._stop in _LENGTH else "stop"
        if self._stop == "tool_use":
            finish = "tool_calls"
        return Answered(
            finish,
            self._usage() if self._counted else None,
            self._model,
            self._id,
            cache_write_tokens=self._written,
        )


def _newer(told: Told, before: int) -> int:
    return before if told is None else count(told)
