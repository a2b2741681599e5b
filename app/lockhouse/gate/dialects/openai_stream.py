"""Reads a stream of chat completion chunks, in the variants of all providers and servers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.gate.dialects.provider_errors import (
    Recipient,
    content_refused,
    cut_short,
    ended_oddly,
    given_up,
)
from lockhouse.gate.dialects.stream_reader import (
    PartialCall,
    RawCount,
    StreamReader,
    amount,
    count,
)
from lockhouse.gate.remote_requests import RemoteEvent

_MOST_REFUSAL = 4096  # one sentence of it is shown
_ODD = ("error", "abort", "insufficient_system_resource")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Any] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None
    index: int | None = 0


class _PromptDetails(msgspec.Struct):
    cached_tokens: RawCount = None
    cache_write_tokens: RawCount = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: RawCount = None


class _Usage(msgspec.Struct):
    prompt_tokens: RawCount = None
    completion_tokens: RawCount = None
    total_tokens: RawCount = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: RawCount = None  # of providers that count hits and misses
    cost: Decimal | None = None  # where the provider reports it


class _Groq(msgspec.Struct):
    usage: _Usage | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    x_groq: _Groq | None = None
    error: dict[str, Any] | str | None = None


class Reader(StreamReader):
    """Reads one answer."""

    decoder = msgspec.json.Decoder(_Chunk)
    stopped_by_length = ("length", "model_length", "max_tokens")
    stopped_for_tools = ("tool_calls", "function_call")
    has_error_events = True

    def __init__(self, who: Recipient) -> None:
        super().__init__(who)
        self._refusal = ""
        self._calls: list[PartialCall] = []
        self._at: dict[int, int] = {}  # where the call of an index stands among them

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one chunk means; the last is a mark and no JSON."""
        if data.strip() == b"[DONE]":
            self.is_done = True
            return self._complete_calls()
        return super().feed(event, data)

    def read(self, chunk: _Chunk) -> list[RemoteEvent]:
        """What a chunk means."""
        self.response_id = self.response_id or chunk.id or ""
        self.model = chunk.model or self.model
        events: list[RemoteEvent] = []
        for choice in chunk.choices or ():
            if choice.index in (0, None):
                self._take(choice, events)
        usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq is not None else None)
        if usage is not None:
            self.usage = self._counted(usage)
            events.append(self.usage)
        return events

    def _take(self, choice: _Choice, events: list[RemoteEvent]) -> None:
        delta = choice.delta
        if delta is not None:
            reasoning = delta.reasoning_content or delta.reasoning
            if isinstance(reasoning, str) and reasoning:
                events.append(Reasoning(reasoning))
            if delta.content:
                if isinstance(delta.content, str):
                    events.append(Text(delta.content))
                else:
                    events.extend(_parts(delta.content))
            self.pieces += bool(reasoning) or bool(delta.content)
            if delta.refusal and len(self._refusal) < _MOST_REFUSAL:
                self._refusal += delta.refusal
            for call in delta.tool_calls or ():
                self._add_to_call(call)
        if choice.finish_reason:
            self.finish = choice.finish_reason
            events.extend(self._complete_calls())

    def _add_to_call(self, piece: _Call) -> None:
        """Some servers give each call an id of its own but the index 0."""
        index = piece.index if piece.index is not None else len(self._at)
        at = self._at.get(index)
        if at is None or (piece.id and self._calls[at].id and piece.id != self._calls[at].id):
            at = self._at[index] = len(self._calls)
            self._calls.append(PartialCall())
        call, function = self._calls[at], piece.function or _Function()
        call.id = call.id or piece.id or ""
        call.name = call.name or function.name or ""
        if isinstance(function.arguments, dict):
            call.pieces.append(msgspec.json.encode(function.arguments).decode())
        elif function.arguments:
            call.pieces.append(function.arguments)

    def _complete_calls(self) -> list[RemoteEvent]:
        """The calls, once no more of them comes."""
        calls: list[RemoteEvent] = [
            call.whole(number) for number, call in enumerate(self._calls, start=1) if call.name
        ]
        if calls and self.finish in ("", "stop"):
            self.finish = "tool_calls"
        self._calls.clear()
        self._at.clear()
        return calls

    def _counted(self, usage: _Usage) -> Usage:
        """In our terms: the prompt includes what was cached, the completion the reasoning."""
        prompt, completion = count(usage.prompt_tokens), count(usage.completion_tokens)
        prompts = usage.prompt_tokens_details or _PromptDetails()
        completions = usage.completion_tokens_details or _CompletionDetails()
        reasoning = count(completions.reasoning_tokens)
        if reasoning and usage.total_tokens == prompt + completion + reasoning:
            completion += reasoning  # counted apart
        self.cache_write_tokens = count(prompts.cache_write_tokens)
        self.reported_cost = amount(usage.cost) or self.reported_cost
        cached = count(prompts.cached_tokens or usage.prompt_cache_hit_tokens)
        return Usage(prompt, cached, completion, reasoning)

    def require_complete(self) -> None:
        """Raise RemoteFailure when the answer was refused, or ended without a reason."""
        if self.finish == "content_filter" or (self._refusal and self.finish != "length"):
            raise content_refused(self.who, self._refusal)
        if self.finish in _ODD:
            raise ended_oddly(self.who, self.finish.replace("_", " "))
        if not self.finish:  # a mark of the end without a reason: it turned to another question
            raise given_up(self.who) if self.is_done else cut_short(self.who)


def _parts(parts: list[dict[str, Any]]) -> list[RemoteEvent]:
    """Content in parts, as it is written by providers that put reasoning among them."""
    events: list[RemoteEvent] = []
    for part in parts:
        text = part.get("text")
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            pieces = inner if isinstance(inner, list) else [{"text": inner}]
            thought = "".join(
                each["text"]
                for each in pieces
                if isinstance(each, dict) and isinstance(each.get("text"), str)
            )
            if thought:
                events.append(Reasoning(thought))
        elif isinstance(text, str) and text:
            events.append(Text(text))
    return events
