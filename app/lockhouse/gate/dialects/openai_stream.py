"""Reading a stream of chat completion chunks, from everyone who sends them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.core.messages import ToolCall
from lockhouse.gate.dialects.counts import Told, amount, count
from lockhouse.gate.dialects.provider_errors import (
    UNREADABLE,
    Recipient,
    bad_stream,
    content_refused,
    cut_short,
    ended_oddly,
    given_up,
    refusal,
    said_by,
)
from lockhouse.gate.remote_requests import Answered, RemoteEvent

_LENGTH = ("length", "model_length", "max_tokens")
_MOST_REFUSAL = 4096  # a sentence of it is told
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
    cached_tokens: Told = None
    cache_write_tokens: Told = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: Told = None


class _Usage(msgspec.Struct):
    prompt_tokens: Told = None
    completion_tokens: Told = None
    total_tokens: Told = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: Told = None  # where the provider counts hits and misses
    cost: Decimal | None = None  # where it says what it charged


class _Groq(msgspec.Struct):
    usage: _Usage | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    x_groq: _Groq | None = None
    error: dict[str, Any] | str | None = None


_DECODER = msgspec.json.Decoder(_Chunk)


class Reader:
    """Reads one answer."""

    def __init__(self, who: Recipient) -> None:
        self._who = who
        self._id = ""
        self._model = ""
        self._finish = ""
        self._refusal = ""
        self._calls: list[tuple[str, str, list[str]]] = []  # id, name, pieces of the arguments
        self._at: dict[int, int] = {}  # where the call of an index stands among them
        self._usage: Usage | None = None
        self._cost = ""
        self._cache_write_tokens = 0
        self._came = False
        self._pieces = 0
        self.is_done = False

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one chunk means. Raises RemoteFailure for an error inside the stream."""
        if data.strip() == b"[DONE]":
            self.is_done = True
            return self._gathered()
        try:
            chunk = _DECODER.decode(data)
        except UNREADABLE as error:
            raise bad_stream(self._who, f"a piece of it cannot be read ({error})") from error
        if chunk.error is not None or event == "error":
            found = {"error": chunk.error} if chunk.error is not None else msgspec.json.decode(data)
            raise refusal(self._who, 0, {}, said_by(found))
        self._came = True
        self._id = self._id or chunk.id or ""
        self._model = chunk.model or self._model
        events: list[RemoteEvent] = []
        for choice in chunk.choices or ():
            if choice.index in (0, None):
                self._take(choice, events)
        usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq is not None else None)
        if usage is not None:
            self._usage = self._counted(usage)
            events.append(self._usage)
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
            self._pieces += bool(reasoning) or bool(delta.content)
            if delta.refusal and len(self._refusal) < _MOST_REFUSAL:
                self._refusal += delta.refusal
            for call in delta.tool_calls or ():
                self._gather(call)
        if choice.finish_reason:
            self._finish = choice.finish_reason
            events.extend(self._gathered())

    def _gather(self, piece: _Call) -> None:
        """Add a piece to its call. Some name each call anew but count them all 0."""
        index = piece.index if piece.index is not None else len(self._at)
        at = self._at.get(index)
        if at is None or (piece.id and self._calls[at][0] and piece.id != self._calls[at][0]):
            at = self._at[index] = len(self._calls)
            self._calls.append(("", "", []))
        call_id, name, arguments = self._calls[at]
        function = piece.function or _Function()
        if isinstance(function.arguments, dict):
            arguments.append(msgspec.json.encode(function.arguments).decode())
        elif function.arguments:
            arguments.append(function.arguments)
        self._calls[at] = (call_id or piece.id or "", name or function.name or "", arguments)

    def _gathered(self) -> list[RemoteEvent]:
        """The calls, once they are complete."""
        calls: list[RemoteEvent] = [
            ToolCall(call_id or f"call_{number}", name, "".join(arguments) or "{}")
            for number, (call_id, name, arguments) in enumerate(self._calls, start=1)
            if name
        ]
        if calls and self._finish in ("", "stop"):
            self._finish = "tool_calls"
        self._calls.clear()
        self._at.clear()
        return calls

    def _counted(self, usage: _Usage) -> Usage:
        """With one meaning: the prompt includes what was cached, the completion the reasoning."""
        prompt, completion = count(usage.prompt_tokens), count(usage.completion_tokens)
        prompts = usage.prompt_tokens_details or _PromptDetails()
        completions = usage.completion_tokens_details or _CompletionDetails()
        reasoning = count(completions.reasoning_tokens)
        if reasoning and usage.total_tokens == prompt + completion + reasoning:
            completion += reasoning  # counted apart
        self._cache_write_tokens = count(prompts.cache_write_tokens)
        self._cost = amount(usage.cost) or self._cost
        cached = count(prompts.cached_tokens or usage.prompt_cache_hit_tokens)
        return Usage(prompt, cached, completion, reasoning)

    def end(self) -> Answered:
        """The stream is over. Raises RemoteFailure when the answer is not complete or refused."""
        if not self._came:
            raise bad_stream(self._who, "nothing in it is an answer")
        if self._finish == "content_filter" or (self._refusal and self._finish != "length"):
            raise content_refused(self._who, self._refusal)
        if self._finish in _ODD:
            raise ended_oddly(self._who, self._finish.replace("_", " "))
        if not self._finish:  # one that marks the end without a reason has turned to another
            raise given_up(self._who) if self.is_done else cut_short(self._who)
        finish = "length" if self._finish in _LENGTH else "stop"
        if self._finish in ("tool_calls", "function_call"):
            finish = "tool_calls"
        return Answered(
            finish,
            self._usage,
            self._model,
            self._id,
            cache_write_tokens=self._cache_write_tokens,
            reported_cost=self._cost,
            pieces=self._pieces,
        )


def _parts(parts: list[dict[str, Any]]) -> list[RemoteEvent]:
    """Content in parts, as those write it who put reasoning among them."""
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
