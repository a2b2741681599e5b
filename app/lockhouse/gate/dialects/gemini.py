"""Gemini's generateContent API: contents in parts, settings in a separate object."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

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
from lockhouse.gate.dialects.gemini_stream import Reader
from lockhouse.gate.dialects.provider_errors import UNREADABLE, no_list
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import ListedModel

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
        fields["generationConfig"] = _settings(request, max_tokens)
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
                ("chat", "reasoning") if model.thinking else (),
            )
            for model in found.models
            if "generateContent" in model.supported_generation_methods
        )


def _contents(request: AnswerRequest) -> list[Fields]:
    names = {call.id: call.name for turn in request.turns for call in turn.tool_calls}

    def parts(turn: Turn) -> list[Fields]:
        return _parts(turn, names)

    contents: list[Fields] = [
        {"role": role, "parts": found} for role, found in alternating(request.turns, _role, parts)
    ]
    if request.prefill:
        contents.append({"role": "model", "parts": [{"text": request.prefill}]})
    return contents


def _role(turn: Turn) -> str:
    return "model" if turn.role == "assistant" else "user"


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
    if request.reasoning_budget is not None:
        budget = request.reasoning_budget
        settings["thinkingConfig"] = {"includeThoughts": budget > 0, "thinkingBudget": budget}
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
