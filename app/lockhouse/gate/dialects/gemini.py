"""Gemini's generateContent API: contents in parts, settings in a separate object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.dialects import Dialect
from lockhouse.gate.dialects.bodies import (
    Fields,
    alternating,
    base64_of,
    chosen,
    described,
    refuse_grammar,
    schema,
    system_text,
    written,
)
from lockhouse.gate.dialects.provider_errors import (
    UNREADABLE,
    Recipient,
    content_refused,
    ended_oddly,
    no_list,
)
from lockhouse.gate.dialects.stream_reader import PartialCall, RawCount, StreamReader, count
from lockhouse.gate.dialects.thinking import for_gemini
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import ListedModel, RemoteEvent

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
    error: dict[str, Any] | str | None = None


class Reader(StreamReader):
    """Reads one answer."""

    lists = ("candidates",)
    decoder = msgspec.json.Decoder(_Response)
    stopped_by_length = ("MAX_TOKENS",)
    stopped_for_tools = ("TOOL_CALLS",)  # our own word: Gemini has none

    def __init__(self, who: Recipient, sent: bytes = b"") -> None:
        super().__init__(who, sent)
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


# Replaces the signature of a thought, which is not stored; models that require one accept it.
_NO_SIGNATURE = "skip_thought_signature_validator"
_NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}
_OFF_AT_0 = ("top_k", "frequency_penalty", "presence_penalty")


class Gemini(Dialect):
    """See :class:`lockhouse.gate.dialects.Dialect`."""

    models_path = "/models?pageSize=1000"
    reader = Reader

    def body(
        self, provider: Provider, model: str, request: AnswerRequest, *, max_tokens: int
    ) -> bytes:
        refuse_grammar(request, provider.title or provider.name)
        fields: Fields = {}
        if system := system_text(request.turns):
            fields["systemInstruction"] = {"parts": [{"text": system}]}
        fields["contents"] = _contents(request)
        if request.tools:
            fields["tools"] = [{"functionDeclarations": _declarations(request)}]
        settings = _settings(request, max_tokens)
        if thinking := for_gemini(provider, model, request):
            settings["thinkingConfig"] = thinking
        fields["generationConfig"] = settings
        return written(provider, fields)

    def path(self, model: str) -> str:
        name = quote(model.removeprefix("models/"), safe="")
        return f"/models/{name}:streamGenerateContent?alt=sse"

    def key_header(self, key: str) -> tuple[str, str]:
        return ("x-goog-api-key", key)

    def listed(self, data: bytes) -> tuple[ListedModel, ...]:
        try:
            found = decoded(data, _List)
        except UNREADABLE as error:
            raise no_list() from error
        return tuple(
            ListedModel(
                model.name.removeprefix("models/"),
                model.display_name or "",
                model.input_token_limit or 0,
                model.output_token_limit or 0,
                _capabilities(model),
            )
            for model in found.models
            if "generateContent" in model.supported_generation_methods
        )


def _capabilities(model: _Model) -> tuple[str, ...]:
    """What a model can do: the list says whether it thinks, and the family all the rest.

    Every Gemini reads pictures and calls tools; the open models beside them call none.
    """
    found: tuple[str, ...] = ("chat", "vision")
    found += ("tools",) if model.name.removeprefix("models/").startswith("gemini") else ()
    return (*found, "reasoning") if model.thinking else found


def _contents(request: AnswerRequest) -> list[Fields]:
    names = {call.id: call.name for turn in request.turns for call in turn.tool_calls}

    def parts(turn: Turn) -> list[Fields]:
        return _parts(turn, names)

    contents: list[Fields] = [
        {"role": role, "parts": found} for role, found in alternating(request.turns, "model", parts)
    ]
    if request.prefill:
        contents.append({"role": "model", "parts": [{"text": request.prefill}]})
    return contents


def _parts(turn: Turn, names: Mapping[str, str]) -> list[Fields]:
    if turn.role == "tool":
        called = turn.tool_call_id
        name = names.get(called, called)
        result: Fields = {"id": called, "name": name, "response": _response(turn)}
        return [{"functionResponse": result}]
    parts: list[Fields] = [
        {"inlineData": {"mimeType": image.media_type, "data": base64_of(image)}}
        for image in turn.images
    ]
    if turn.content:
        parts.append({"text": turn.content})
    for number, call in enumerate(turn.tool_calls):
        arguments = schema(call.arguments or "{}", f"The arguments of {call.name}")
        part: Fields = {"functionCall": {"id": call.id, "name": call.name, "args": arguments}}
        if number == 0:
            part["thoughtSignature"] = _NO_SIGNATURE
        parts.append(part)
    return parts


def _response(turn: Turn) -> Fields:
    """The result of a tool as an object, which this API requires."""
    try:
        return decoded(turn.content.encode(), dict[str, object])
    except msgspec.DecodeError:
        return {"result": turn.content}


def _declarations(request: AnswerRequest) -> list[Fields]:
    declarations: list[Fields] = []
    for entry, form in map(described, request.tools):
        if form.get("properties") or form.get("type", "object") != "object":  # none is refused
            entry["parametersJsonSchema"] = form
        declarations.append(entry)
    return declarations


def _settings(request: AnswerRequest, max_tokens: int) -> Fields:
    settings: Fields = {"maxOutputTokens": max_tokens}
    for name, value in chosen(request, _NAMES).items():
        if value or name not in _OFF_AT_0:
            settings[_NAMES[name]] = value
    if request.sampling.seed is not None:
        settings["seed"] = request.sampling.seed
    if request.stop:
        settings["stopSequences"] = list(request.stop)
    if request.json_schema is not None:
        settings["responseMimeType"] = "application/json"
        settings["responseJsonSchema"] = schema(request.json_schema, "The schema of the answer")
    return settings


# --- lists -----------------------------------------------------------------------------------


class _Model(msgspec.Struct, rename="camel"):
    name: str
    display_name: str | None = None
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    supported_generation_methods: tuple[str, ...] = ()
    thinking: bool | None = None


class _List(msgspec.Struct):
    models: list[_Model]
