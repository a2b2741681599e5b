"""Reads a stream of Anthropic's message events."""

from __future__ import annotations

from typing import Any

import msgspec

from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.gate.dialects.provider_errors import Recipient, content_refused
from lockhouse.gate.dialects.stream_reader import PartialCall, RawCount, StreamReader, count
from lockhouse.gate.remote_requests import RemoteEvent


class _Details(msgspec.Struct):
    thinking_tokens: RawCount = None


class _Usage(msgspec.Struct):
    """Counts so far, each of them a total; a missing one has not changed."""

    input_tokens: RawCount = None
    cache_creation_input_tokens: RawCount = None
    cache_read_input_tokens: RawCount = None
    output_tokens: RawCount = None
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


class Reader(StreamReader):
    """Reads one answer."""

    decoder = msgspec.json.Decoder(_Event)
    stopped_by_length = ("max_tokens", "model_context_window_exceeded")
    stopped_for_tools = ("tool_use",)

    def __init__(self, who: Recipient) -> None:
        super().__init__(who)
        self._open: dict[int, PartialCall] = {}  # by the index of their block
        self._input = self._cached = self._output = self._thinking = 0

    def read(self, found: _Event) -> list[RemoteEvent]:
        """What an event means."""
        if found.type == "content_block_delta" and found.delta is not None:
            return self._delta(found.index, found.delta)
        if found.type == "content_block_start" and found.content_block is not None:
            return self._begin(found.index, found.content_block)
        if found.type == "content_block_stop":
            call = self._open.pop(found.index, None)
            return [] if call is None else [call.whole(found.index)]
        if found.type == "message_start" and found.message is not None:
            self.response_id, self.model = found.message.id or "", found.message.model or ""
            return self._count(found.message.usage)
        if found.type == "message_delta":
            self.finish = (found.delta.stop_reason if found.delta else None) or self.finish
            return self._count(found.usage)
        self.is_done = self.is_done or found.type == "message_stop"
        return []

    def _delta(self, index: int, delta: _Delta) -> list[RemoteEvent]:
        if delta.text:
            return [Text(delta.text)]
        if delta.thinking:
            return [Reasoning(delta.thinking)]
        if delta.partial_json and index in self._open:
            self._open[index].pieces.append(delta.partial_json)
        return []

    def _begin(self, index: int, block: _Block) -> list[RemoteEvent]:
        if block.type == "tool_use":
            self._open[index] = PartialCall(block.id or "", block.name or "", block.input)
        if block.text:
            return [Text(block.text)]
        return [Reasoning(block.thinking)] if block.thinking else []

    def _count(self, usage: _Usage | None) -> list[RemoteEvent]:
        """In our terms: what was cached, read or written, belongs to the prompt."""
        if usage is None:
            return []
        self._input = _newer(usage.input_tokens, self._input)
        self.cache_write_tokens = _newer(usage.cache_creation_input_tokens, self.cache_write_tokens)
        self._cached = _newer(usage.cache_read_input_tokens, self._cached)
        self._output = _newer(usage.output_tokens, self._output)
        if usage.output_tokens_details is not None:
            self._thinking = _newer(usage.output_tokens_details.thinking_tokens, self._thinking)
        prompt = self._input + self.cache_write_tokens + self._cached
        self.usage = Usage(prompt, self._cached, self._output, self._thinking)
        return [self.usage]

    def require_complete(self) -> None:
        """Raise RemoteFailure when the answer was refused, or ended without a reason."""
        if self.finish == "refusal":
            raise content_refused(self.who)
        super().require_complete()


def _newer(raw: RawCount, before: int) -> int:
    return before if raw is None else count(raw)
