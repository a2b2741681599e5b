"""Reading a stream of Gemini's generateContent responses."""

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
    ended_oddly,
    refusal,
    said_by,
)
from lockhouse.gate.remote_requests import Answered, RemoteEvent

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
    prompt_token_count: Told = None
    cached_content_token_count: Told = None
    candidates_token_count: Told = None
    thoughts_token_count: Told = None
    tool_use_prompt_token_count: Told = None


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


_DECODER = msgspec.json.Decoder(_Response)


class Reader:
    """Reads one answer."""

    def __init__(self, who: Recipient) -> None:
        self._who = who
        self._id = ""
        self._model = ""
        self._finish = ""
        self._finish_message = ""
        self._blocked = ""
        self._calls = 0
        self._usage: Usage | None = None
        self._came = False
        self.is_done = False

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one response means. Raises RemoteFailure for an error inside the stream."""
        try:
            found = _DECODER.decode(data)
        except UNREADABLE as error:
            raise bad_stream(self._who, f"a piece of it cannot be read ({error})") from error
        if found.error is not None:
            raise refusal(self._who, 0, {}, said_by({"error": found.error}))
        self._came = True
        self._id = self._id or found.response_id or ""
        self._model = found.model_version or self._model
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
                arguments = msgspec.json.encode(call.args or {}).decode()
                events.append(ToolCall(call.id or f"call_{self._calls}", call.name, arguments))
        if candidate.finish_reason:
            self._finish = candidate.finish_reason
            self._finish_message = candidate.finish_message or ""
            self.is_done = True

    def _count(self, usage: _Usage | None, events: list[RemoteEvent]) -> None:
        """Counts come with every response; they are told at the beginning and at the end.

        Here what was thought is counted apart from the answer, and what tools read apart from
        the prompt.
        """
        if usage is None:
            return
        is_first = self._usage is None
        thought = count(usage.thoughts_token_count)
        self._usage = Usage(
            count(usage.prompt_token_count) + count(usage.tool_use_prompt_token_count),
            count(usage.cached_content_token_count),
            count(usage.candidates_token_count) + thought,
            thought,
        )
        if is_first or self.is_done:
            events.append(self._usage)

    def end(self) -> Answered:
        """The stream is over. Raises RemoteFailure when the answer is not complete or refused."""
        if not self._came:
            raise bad_stream(self._who, "nothing in it is an answer")
        if self._blocked:
            raise content_refused(self._who, _plain(self._blocked))
        if self._finish in _REFUSED:
            raise content_refused(self._who, self._finish_message or _plain(self._finish))
        if not self._finish:
            raise cut_short(self._who)
        if self._finish not in ("STOP", "MAX_TOKENS"):
            raise ended_oddly(self._who, self._finish_message or _plain(self._finish))
        finish = "length" if self._finish == "MAX_TOKENS" else "stop"
        if finish == "stop" and self._calls:
            finish = "tool_calls"
        return Answered(finish, self._usage, self._model, self._id)


def _plain(word: str) -> str:
    """PROHIBITED_CONTENT as people write it; a sentence stays as it is."""
    return word.replace("_", " ").lower() if word.isupper() else word
