"""Anthropic's messages API: content in blocks, a separate system prompt, named events."""

from __future__ import annotations

from typing import Any

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
    identifier,
    refuse_grammar,
    schema,
    system_text,
    written,
)
from lockhouse.gate.dialects.provider_errors import UNREADABLE, Recipient, content_refused, no_list
from lockhouse.gate.dialects.stream_reader import PartialCall, RawCount, StreamReader, count
from lockhouse.gate.dialects.thinking import for_anthropic
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import ListedModel, RemoteEvent


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
    # Of a whole message, where the answer is not streamed.
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: dict[str, Any] | str | None = None


class Reader(StreamReader):
    """Reads one answer."""

    decoder = msgspec.json.Decoder(_Event)
    stopped_by_length = ("max_tokens", "model_context_window_exceeded")
    stopped_for_tools = ("tool_use",)

    def __init__(self, who: Recipient, sent: bytes = b"") -> None:
        super().__init__(who, sent)
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
        if found.type == "message":
            return self._whole(found)
        if found.type == "message_delta":
            self.finish = (found.delta.stop_reason if found.delta else None) or self.finish
            return self._count(found.usage)
        self.is_done = self.is_done or found.type == "message_stop"
        return []

    def _whole(self, message: _Event) -> list[RemoteEvent]:
        self.response_id, self.model = message.id or "", message.model or ""
        events: list[RemoteEvent] = []
        for index, block in enumerate(message.content or ()):
            events += self._begin(index, block)
            if (call := self._open.pop(index, None)) is not None:
                events.append(call.whole(index))
        self.finish, self.is_done = message.stop_reason or "", True
        return events + self._count(message.usage)

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


_VERSION = "2023-06-01"
_WARMEST = 1.0


class Anthropic(Dialect):
    """See :class:`lockhouse.gate.dialects.Dialect`."""

    models_path = "/models?limit=1000"
    list_headers = (("anthropic-version", _VERSION),)
    request_headers = (
        ("accept", "text/event-stream"),
        ("anthropic-version", _VERSION),
        ("content-type", "application/json"),
    )
    reader = Reader

    def body(
        self, provider: Provider, model: str, request: AnswerRequest, *, max_tokens: int
    ) -> bytes:
        refuse_grammar(request, provider.title or provider.name)
        fields: Fields = {"model": model, "max_tokens": max_tokens}
        if system := system_text(request.turns):
            fields["system"] = system
        fields["messages"] = _messages(request)
        fields["stream"] = True
        thinking, output = for_anthropic(provider, model, request, max_tokens)
        fields.update(thinking or _sampling(request))  # thinking excludes sampler settings
        if stops := [text for text in request.stop if text.strip()]:  # only white space is refused
            fields["stop_sequences"] = stops
        if request.tools:
            fields["tools"] = _tools(request)
        if request.json_schema is not None:
            form = schema(request.json_schema, "The schema of the answer")
            output["format"] = {"type": "json_schema", "schema": form}
        if output:
            fields["output_config"] = output
        return written(provider, fields)

    def path(self, model: str) -> str:
        return "/messages"

    def key_header(self, key: str) -> tuple[str, str]:
        return ("x-api-key", key)

    def listed(self, data: bytes) -> tuple[ListedModel, ...]:
        try:
            found = decoded(data, _List)
        except UNREADABLE as error:
            raise no_list() from error
        return tuple(
            ListedModel(
                model.id,
                model.display_name or "",
                model.max_input_tokens or 0,
                model.max_tokens or 0,
                _capabilities(model.capabilities),
            )
            for model in found.data
            if model.lifecycle != "retired"
        )


def _messages(request: AnswerRequest) -> list[Fields]:
    messages: list[Fields] = [
        {"role": role, "content": _plain(parts)}
        for role, parts in alternating(request.turns, "assistant", _blocks)
    ]
    if request.prefill.rstrip():  # white space at its end is refused
        messages.append({"role": "assistant", "content": request.prefill.rstrip()})
    return messages


def _plain(parts: list[Fields]) -> object:
    """The text alone where there is nothing else."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _blocks(turn: Turn) -> list[Fields]:
    if turn.role == "tool":
        result: Fields = {"type": "tool_result", "tool_use_id": identifier(turn.tool_call_id)}
        return [{**result, "content": turn.content}]
    blocks: list[Fields] = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": image.media_type,
                "data": base64_of(image),
            },
        }
        for image in turn.images
    ]
    if turn.content.strip():  # empty text is refused
        blocks.append({"type": "text", "text": turn.content})
    calls: list[Fields] = [
        {
            "type": "tool_use",
            "id": identifier(call.id),
            "name": call.name,
            "input": schema(call.arguments or "{}", f"The arguments of {call.name}"),
        }
        for call in turn.tool_calls
    ]
    return blocks + calls


def _sampling(request: AnswerRequest) -> Fields:
    """Temperature or top_p: newer models refuse both at once."""
    picked = chosen(request, ("temperature", "top_p", "top_k"))
    fields: Fields = {}
    if "temperature" in picked:
        fields["temperature"] = min(picked["temperature"], _WARMEST)
    elif "top_p" in picked:
        fields["top_p"] = picked["top_p"]
    if picked.get("top_k"):
        fields["top_k"] = picked["top_k"]
    return fields


def _tools(request: AnswerRequest) -> list[Fields]:
    return [
        {**entry, "input_schema": {"type": "object", **form}}
        for entry, form in map(described, request.tools)
    ]


# --- lists -----------------------------------------------------------------------------------


class _Model(msgspec.Struct):
    id: str
    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    lifecycle: str | None = None
    capabilities: dict[str, Any] | None = None


class _List(msgspec.Struct):
    data: list[_Model]


_CAPABILITIES = {
    "image_input": "vision",
    "structured_outputs": "json_schema",
    "thinking": "reasoning",
}


def _capabilities(stated: dict[str, Any] | None) -> tuple[str, ...]:
    if stated is None:
        return ()
    found = [
        ours
        for theirs, ours in _CAPABILITIES.items()
        if isinstance(stated.get(theirs), dict) and stated[theirs].get("supported")
    ]
    return ("chat", "tools", *found)
