"""OpenAI's chat completions API, which most providers and all local servers have.

Hides the differences between their settings and lists of models.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import Reasoning, Text, Usage
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.dialects import Dialect
from lockhouse.gate.dialects.bodies import (
    Fields,
    base64_of,
    chosen,
    described,
    identifier,
    refuse_grammar,
    schema,
    written,
)
from lockhouse.gate.dialects.provider_errors import (
    UNREADABLE,
    Recipient,
    content_refused,
    cut_short,
    ended_oddly,
    no_list,
    refusal,
    said_by,
)
from lockhouse.gate.dialects.stream_reader import PartialCall, RawCount, StreamReader, amount, count
from lockhouse.gate.dialects.thinking import for_openai
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import ListedModel, RemoteEvent

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
    reasoning_text: str | None = None
    thinking: str | dict[str, Any] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None  # instead of it: of an answer that is not streamed, and of some
    text: str | None = None  # likewise, of completions
    finish_reason: str | None = None


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
    # Of errors without that name: an "object" of that kind, or a detail.
    object: str | None = None
    message: str | None = None
    type: str | None = None
    detail: str | list[Any] | dict[str, Any] | None = None


class Reader(StreamReader):
    """Reads one answer."""

    decoder = msgspec.json.Decoder(_Chunk)
    stopped_by_length = ("length", "model_length", "max_tokens")
    stopped_for_tools = ("tool_calls", "function_call")
    has_error_events = True
    lists = ("choices",)
    splits_text = True

    def __init__(self, who: Recipient, sent: bytes = b"") -> None:
        super().__init__(who, sent)
        self._refusal = ""
        self._has_deltas = False
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
        if chunk.choices is None and (chunk.object == "error" or chunk.detail):
            said = {"message": chunk.message or chunk.detail, "type": chunk.type}
            raise refusal(self.who, 0, {}, said_by(said))
        events: list[RemoteEvent] = []
        # One answer is asked for, so the first is it, whatever its index: some count with it.
        for choice in (chunk.choices or ())[:1]:
            if not self.is_done:  # after the mark of the end only counts are of use
                self._take(choice, events)
        usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq is not None else None)
        if usage is not None:
            self.usage = self._counted(usage)
            events.append(self.usage)
        return events

    def _take(self, choice: _Choice, events: list[RemoteEvent]) -> None:
        delta = self._delta(choice)
        if delta is not None:
            reasoning = (
                delta.reasoning_content or delta.reasoning or delta.reasoning_text or delta.thinking
            )
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
            self.finish = choice.finish_reason.lower()
            events.extend(self._complete_calls())

    def _delta(self, choice: _Choice) -> _Delta | None:
        """What it adds. Beside deltas, a message repeats all that they said so far."""
        if choice.delta is not None:
            self._has_deltas = True
            return choice.delta
        if self._has_deltas:
            return None
        return choice.message or (_Delta(content=choice.text) if choice.text else None)

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
        if not self.finish and not self.is_done:  # many mark the end and give no reason for it
            raise cut_short(self.who)


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


_SAMPLING = ("temperature", "top_p")
# Left out at their neutral value: models without penalties refuse the field itself.
_PENALTIES = {"frequency_penalty": 0.0, "presence_penalty": 0.0}
# Known to own servers and to some providers; the ``omit`` of the others names them.
_MORE_SAMPLING = {
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
}
# Of llama.cpp.
_LAN_SAMPLING = {
    "repeat_last_n": 64,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": -1,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
}


class OpenAI(Dialect):
    """See :class:`lockhouse.gate.dialects.Dialect`."""

    models_path = "/models"
    reader = Reader

    def body(
        self, provider: Provider, model: str, request: AnswerRequest, *, max_tokens: int
    ) -> bytes:
        fields: Fields = {
            "model": model,
            "messages": _messages(provider, request),
            "stream": True,
            "stream_options": {"include_usage": True},
            provider.max_tokens_field: max_tokens,
            **_sampling(provider, request),
            **for_openai(provider, model, request),
        }
        if request.stop:
            fields["stop"] = list(request.stop)
        if request.sampling.seed is not None:
            fields["seed"] = request.sampling.seed
        if request.tools:
            fields["tools"] = _tools(request)
        if request.json_schema is not None:
            fields["response_format"] = _response_format(request.json_schema)
        if provider.zone == "lan":
            fields.update(_for_own_servers(request))
        else:
            refuse_grammar(request, provider.title or provider.name)
        return written(provider, fields)

    def path(self, model: str) -> str:
        return "/chat/completions"

    def key_header(self, key: str) -> tuple[str, str]:
        return ("authorization", f"Bearer {key}")

    def listed(self, data: bytes) -> tuple[ListedModel, ...]:
        return _listed(data)


def _messages(provider: Provider, request: AnswerRequest) -> list[Fields]:
    messages = [_message(turn) for turn in request.turns]
    if provider.system_role == "user":
        messages = in_first_message(messages)
    else:
        for message in messages:
            if message["role"] == "system":
                message["role"] = provider.system_role
    if request.prefill:
        messages.append({"role": "assistant", "content": request.prefill})
    return messages


def _message(turn: Turn) -> Fields:
    if turn.role == "tool":
        call = identifier(turn.tool_call_id)
        return {"role": "tool", "tool_call_id": call, "content": turn.content}
    if turn.images:
        parts: list[Fields] = [{"type": "text", "text": turn.content}] if turn.content else []
        for image in turn.images:
            url = f"data:{image.media_type};base64,{base64_of(image)}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        return {"role": turn.role, "content": parts}
    message: Fields = {"role": turn.role, "content": turn.content}
    if turn.tool_calls:
        message["content"] = turn.content or None
        message["tool_calls"] = [
            {
                "id": identifier(call.id),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in turn.tool_calls
        ]
    return message


def in_first_message(messages: list[Fields]) -> list[Fields]:
    """The same with what the system says at the beginning of the first message of the user."""
    told = [one for one in messages if one["role"] in ("system", "developer")]
    system = "\n\n".join(str(one["content"]) for one in told if one["content"])
    rest = [dict(one) for one in messages if one not in told]
    if not system:
        return rest
    first = next((one for one in rest if one["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *rest]
    said = first["content"]
    if isinstance(said, list):
        first["content"] = [{"type": "text", "text": system}, *said]
    else:
        first["content"] = f"{system}\n\n{said}" if said else system
    return rest


def _sampling(provider: Provider, request: AnswerRequest) -> Fields:
    fields: Fields = {**chosen(request, _SAMPLING)}
    neutral = {**_PENALTIES, **_MORE_SAMPLING}
    if provider.zone == "lan":
        neutral |= _LAN_SAMPLING
    for name, value in chosen(request, neutral).items():
        if value != neutral[name]:
            fields[name] = value
    # Two names for one setting: servers use the one they know.
    if "repeat_penalty" in fields and "repeat_penalty" not in provider.omit:
        fields["repetition_penalty"] = fields["repeat_penalty"]
    if request.sampling.logit_bias:
        bias = request.sampling.logit_bias
        if not all(token.isascii() and token.isdecimal() for token in bias):
            raise InvalidInput(
                "Logit biases need token numbers here, not the text of tokens.",
                hint="Leave them out, or choose a model on this machine.",
            )
        fields["logit_bias"] = dict(bias)
    return fields


def _tools(request: AnswerRequest) -> list[Fields]:
    tools: list[Fields] = []
    for tool in request.tools:
        entry, form = described(tool)
        tools.append({"type": "function", "function": {**entry, "parameters": form}})
    return tools


def _response_format(text: str) -> Fields:
    wanted = schema(text, "The schema of the answer")
    form: Fields = {"name": "answer", "schema": wanted}
    if _is_strict(wanted):
        form["strict"] = True
    return {"type": "json_schema", "json_schema": form}


def _is_strict(part: object) -> bool:
    """Whether a schema can be strict: every object is closed and all its fields are required."""
    if isinstance(part, list):
        return all(_is_strict(each) for each in part)
    if not isinstance(part, dict):
        return True
    if part.get("type") == "object" or "properties" in part:
        properties, required = part.get("properties", {}), part.get("required", [])
        if part.get("additionalProperties") is not False or not isinstance(properties, dict):
            return False
        if not isinstance(required, list) or set(properties) != set(required):
            return False
    return all(_is_strict(each) for each in part.values())


def _for_own_servers(request: AnswerRequest) -> Fields:
    """What the servers of llama.cpp and vLLM accept beyond the dialect."""
    fields: Fields = {}
    if request.grammar is not None:
        fields["grammar"] = request.grammar
    if request.prefill:
        fields["continue_final_message"] = True
        fields["add_generation_prompt"] = False
    return fields


# --- lists -----------------------------------------------------------------------------------

# Parts of the names of models that cannot chat, where the list does not say so.
_NO_CHAT = (
    "embed", "whisper", "tts", "dall-e", "moderation", "transcribe", "realtime", "-audio",
    "gpt-image", "sora", "davinci-002", "babbage-002", "rerank", "-ocr", "guard", "omni-mod",
)  # fmt: skip
_KINDS_OF_CHAT = ("", "chat", "language", "code", "model", "llm", "vlm", "base")


def _listed(data: bytes) -> tuple[ListedModel, ...]:
    """The models that can chat, in the order of the list. Raises RemoteFailure."""
    try:
        found: Any = msgspec.json.decode(data)
    except UNREADABLE as error:
        raise no_list() from error
    if isinstance(found, dict):
        found = found.get("data", found.get("models"))
    if not isinstance(found, list):
        raise no_list()
    models = [_model(entry) for entry in found if isinstance(entry, dict)]
    return tuple(model for model in models if model is not None)


def _model(entry: dict[str, Any]) -> ListedModel | None:
    name = entry.get("id") or entry.get("name")
    if not isinstance(name, str) or not name:
        return None
    stated = entry.get("capabilities")
    if isinstance(stated, dict) and stated.get("completion_chat") is False:
        return None
    if str(entry.get("type") or "") not in _KINDS_OF_CHAT or entry.get("active") is False:
        return None
    if not isinstance(stated, dict) and any(part in name.lower() for part in _NO_CHAT):
        return None
    title = entry.get("display_name") or entry.get("name") or ""
    return ListedModel(
        name,
        title if isinstance(title, str) and title != name else "",
        _first(entry, _CONTEXTS),
        _first(entry, _OUTPUTS),
        _capabilities(entry),
    )


# Where the context length is: vLLM, Mistral, Groq, OpenRouter and Together, and llama-server,
# whose current one comes before the one that the model was trained for.
_CONTEXTS = (
    ("max_model_len",), ("max_context_length",), ("context_window",), ("context_length",),
    ("meta", "n_ctx"), ("meta", "n_ctx_train"), ("max_input_tokens",),
)  # fmt: skip
_OUTPUTS = (
    ("top_provider", "max_completion_tokens"), ("max_completion_tokens",), ("max_output_tokens",),
)  # fmt: skip


def _first(entry: dict[str, Any], places: tuple[tuple[str, ...], ...]) -> int:
    for place in places:
        value: Any = entry
        for name in place:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0


def _capabilities(entry: dict[str, Any]) -> tuple[str, ...]:
    """The capabilities in the list; empty where it has none."""
    stated, more = entry.get("capabilities"), entry.get("supported_parameters")
    architecture = entry.get("architecture")
    found: list[str] = []
    if isinstance(stated, dict):  # Mistral
        names = {"vision": "vision", "function_calling": "tools", "reasoning": "reasoning"}
        found = [ours for theirs, ours in names.items() if stated.get(theirs)]
    elif isinstance(stated, list):  # llama-server says "multimodal"
        found = ["vision"] if "multimodal" in stated or "vision" in stated else []
    elif isinstance(more, list):  # OpenRouter
        inputs = architecture.get("input_modalities") if isinstance(architecture, dict) else None
        found = ["vision"] if isinstance(inputs, list) and "image" in inputs else []
        names = {"tools": "tools", "structured_outputs": "json_schema", "reasoning": "reasoning"}
        found += [ours for theirs, ours in names.items() if theirs in more]
    else:
        return ()
    return ("chat", *found)
