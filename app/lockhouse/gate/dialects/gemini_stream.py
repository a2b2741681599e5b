"""Reads a stream of Gemini's generateContent responses."""

from __future__ import annotations

from typing import Any

import msgspec

from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.gate.dialects.provider_errors import (
    Recipient,
    content_refused,
    ended_oddly,
)
from lockhouse.gate.dialects.stream_reader import PartialCall, RawCount, StreamReader, count
from lockhouse.gate.remote_requests import RemoteEvent

_REFUSED = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
)  # fmt: skip


class _Call(msgspec.Struct):
    name: str = ""
    id: str | None = None
    args: dict[str, Any] | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: RawCount = None
    cached_content_token_count: RawCount = None
    candidates_token_count: RawCount = None
    thoughts_token_count: RawCount = None
    tool_use_prompt_token_count: RawCount = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class _Response(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    prompt_feedback: _Feedback | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: dict[str, Any] | None = None


class Reader(StreamReader):
    """Reads one answer."""

    decoder = msgspec.json.Decoder(_Response)
    stopped_by_length = ("MAX_TOKENS",)
    stopped_for_tools = ("TOOL_CALLS",)  # our own word: Gemini has none

    def __init__(self, who: Recipient) -> None:
        super().__init__(who)
        self._finish_message = ""
        self._blocked = ""
        self._calls = 0

    def read(self, found: _Response) -> list[RemoteEvent]:
        """What a response means."""
        self.response_id = self.response_id or found.response_id or ""
        self.model = found.model_version or self.model
        if found.prompt_feedback is not None and found.prompt_feedback.block_reason:
            feedback = found.prompt_feedback
            self._blocked = feedback.block_reason_message or feedback.block_reason or ""
            self.is_done = True
        events: list[RemoteEvent] = []
        for candidate in found.candidates or ():
            if not candidate.index:
                self._take(candidate, events)
        self._count(found.usage_metadata, events)
        return events

    def _take(self, candidate: _Candidate, events: list[RemoteEvent]) -> None:
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.text:
                events.append(Reasoning(part.text) if part.thought else Text(part.text))
            if (call := part.function_call) is not None:
                self._calls += 1
                events.append(PartialCall(call.id or "", call.name, call.args).whole(self._calls))
        if candidate.finish_reason:
            self.finish = candidate.finish_reason
            self._finish_message = candidate.finish_message or ""
            self.is_done = True

    def _count(self, usage: _Usage | None, events: list[RemoteEvent]) -> None:
        """Counts come with every response; they are passed on at the beginning and at the end.

        Gemini counts reasoning apart from the answer, and what tools read apart from the prompt.
        """
        if usage is None:
            return
        is_first = self.usage is None
        thought = count(usage.thoughts_token_count)
        self.usage = Usage(
            count(usage.prompt_token_count) + count(usage.tool_use_prompt_token_count),
            count(usage.cached_content_token_count),
            count(usage.candidates_token_count) + thought,
            thought,
        )
        if is_first or self.is_done:
            events.append(self.usage)

    def require_complete(self) -> None:
        """Raise RemoteFailure when the answer was refused, or ended without a reason."""
        if self._blocked:
            raise content_refused(self.who, _plain(self._blocked))
        reason = self._finish_message or _plain(self.finish)
        if self.finish in _REFUSED:
            raise content_refused(self.who, reason)
        super().require_complete()
        if self.finish not in ("STOP", "MAX_TOKENS"):
            raise ended_oddly(self.who, reason)
        if self.finish == "STOP" and self._calls:
            self.finish = "TOOL_CALLS"


def _plain(word: str) -> str:
    """PROHIBITED_CONTENT in plain words; a sentence stays as it is."""
    return word.replace("_", " ").lower() if word.isupper() else word
