"""The three dialects as their providers document them: streams, lists of models, errors.

Written by hand from the published descriptions. A stream is a list of events, each the bytes of
one, so that faults can be put between them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from tests.remote.replies import Reply

DialectName = Literal["openai", "anthropic", "gemini"]


def _data(value: Any, event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


# --- OpenAI chat completions -----------------------------------------------------------------


def _openai_chunk(model: str, choices: list[Any], **more: Any) -> bytes:
    return _data(
        {
            "id": "chatcmpl-C1",
            "object": "chat.completion.chunk",
            "created": 1763800000,
            "model": f"{model}-2026-08-07",
            "service_tier": "default",
            "system_fingerprint": "fp_1",
            "choices": choices,
            **more,
        }
    )


def openai_stream(model: str, reply: Reply, *, usage: bool = True) -> list[bytes]:
    """Chunks of chat.completion.chunk, the usage in one without choices, then [DONE]."""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _openai_chunk(model, [choice], **({"usage": None} if usage else {}))

    events = [chunk({"role": "assistant", "content": "", "refusal": None})]
    events += [chunk({"reasoning_content": piece}) for piece in reply.reasoning]
    events += [chunk({"content": piece}) for piece in reply.pieces]
    for index, call in enumerate(reply.calls):
        function = {"name": call.name, "arguments": ""}
        opening = {"index": index, "id": call.id, "type": "function", "function": function}
        events.append(chunk({"tool_calls": [opening]}))
        events += [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
            for part in _halves(call.arguments)
        ]
    events.append(chunk({}, reply.finish or ("tool_calls" if reply.calls else "stop")))
    if usage:
        events.append(_openai_chunk(model, [], usage=openai_usage(reply)))
    return [*events, b"data: [DONE]\n\n"]


def openai_usage(reply: Reply) -> dict[str, Any]:
    """Cached tokens are part of the prompt's, reasoning tokens of the completion's."""
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        **reply.more_usage,
    }


def openai_models(models: dict[str, dict[str, Any]]) -> Any:
    """The list; what is told beside the name differs from server to server."""
    listed = [
        {"id": name, "object": "model", "created": 1763800000, "owned_by": "tests", **more}
        for name, more in models.items()
    ]
    return {"object": "list", "data": listed}


_OPENAI_ERRORS: dict[str, tuple[str, str | None, str]] = {
    "400": ("invalid_request_error", None, "Invalid value for 'temperature'."),
    "401": ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-bad***1."),
    "402": ("insufficient_balance", None, "Insufficient Balance"),
    "403": ("permission_error", "unsupported_country", "Country not supported."),
    "404": (
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "408": ("timeout", None, "Request timed out."),
    "413": ("invalid_request_error", None, "Maximum content size limit exceeded."),
    "429": (
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for {model} on tokens per min. Please try again in 6.3s.",
    ),
    "500": (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "503": ("server_error", None, "The engine is currently overloaded, please try again later."),
    "529": ("overloaded_error", None, "Overloaded"),
    "context": (
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens, your messages have 9001 tokens.",
    ),
    "quota": (
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "blocked": (
        "invalid_request_error",
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
    ),
}


def openai_error(name: str, model: str, said: str = "") -> Any:
    """The body that goes with a status."""
    kind, code, message = _OPENAI_ERRORS.get(name, _OPENAI_ERRORS["500"])
    message = said or message.replace("{model}", model)
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def openai_error_inside(said: str = "") -> bytes:
    """As it comes in the middle of a stream."""
    return _data(openai_error("500", "", said))


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    """One chunk as a plain server writes it."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "choices": [choice], **more}


def stream(*events: Any, done: bool = True) -> bytes:
    """A stream of these, with the mark of its end."""
    written = [one if isinstance(one, str) else json.dumps(one) for one in events]
    return "".join(f"data: {one}\n\n" for one in [*written, *(["[DONE]"] if done else [])]).encode()


def said(*pieces: str, finish: Any = "stop", **more: Any) -> list[dict[str, Any]]:
    """A chunk for each piece, and one for the end, which has ``more``."""
    return [*(chunk({"content": piece}) for piece in pieces), chunk({}, finish, **more)]


# --- Anthropic messages ----------------------------------------------------------------------


def anthropic_stream(model: str, reply: Reply, *, usage: bool = True) -> list[bytes]:
    """message_start, blocks with their deltas, message_delta with what was counted, the end."""
    cached, written = reply.cached_tokens, reply.cache_write_tokens
    counts: dict[str, Any] = {
        "input_tokens": reply.prompt_tokens - cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 1,
        "service_tier": "standard",
    }
    message: dict[str, object] = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": f"{model}-20260807",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        **({"usage": counts} if usage else {}),
    }
    events = [_named("message_start", message=message)]
    for index, (block, deltas) in enumerate(_blocks(reply)):
        events.append(_named("content_block_start", index=index, content_block=block))
        if index == 0:
            events.append(_named("ping"))
        events += [_named("content_block_delta", index=index, delta=delta) for delta in deltas]
        events.append(_named("content_block_stop", index=index))
    stop = reply.finish or ("tool_use" if reply.calls else "end_turn")
    total: dict[str, Any] = {"output_tokens": reply.completion_tokens, **reply.more_usage}
    if reply.reasoning_tokens:
        total["output_tokens_details"] = {"thinking_tokens": reply.reasoning_tokens}
    delta = {"stop_reason": stop, "stop_sequence": None}
    events.append(_named("message_delta", delta=delta, **({"usage": total} if usage else {})))
    return [*events, _named("message_stop")]


def _named(kind: str, **more: Any) -> bytes:
    return _data({"type": kind, **more}, kind)


def _blocks(reply: Reply) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block as it begins, and what is added to it."""
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if reply.reasoning:
        thinking = [{"type": "thinking_delta", "thinking": piece} for piece in reply.reasoning]
        signed = {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbc"}
        opening = {"type": "thinking", "thinking": "", "signature": ""}
        blocks.append((opening, [*thinking, signed]))
        blocks.append(({"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3p"}, []))
    if reply.pieces:
        texts = [{"type": "text_delta", "text": piece} for piece in reply.pieces]
        blocks.append(({"type": "text", "text": ""}, texts))
    for call in reply.calls:
        parts = ("", *_halves(call.arguments))
        written = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        blocks.append((block, written))
    return blocks


def anthropic_models(models: dict[str, dict[str, Any]]) -> Any:
    """The list, with what a model can do."""
    listed = [
        {"type": "model", "id": name, "display_name": name.title(), **more}
        for name, more in models.items()
    ]
    return {"data": listed, "has_more": False, "first_id": None, "last_id": None}


_ANTHROPIC_ERRORS: dict[str, tuple[str, str]] = {
    "400": ("invalid_request_error", "temperature: range: 0..1"),
    "401": ("authentication_error", "invalid x-api-key"),
    "402": ("billing_error", "There is an issue with your billing or payment information."),
    "403": ("permission_error", "Your API key does not have permission to use this resource."),
    "404": ("not_found_error", "model: {model}"),
    "408": ("timeout_error", "Request timed out."),
    "413": ("request_too_large", "Request exceeds the maximum size"),
    "429": ("rate_limit_error", "Your organization has exceeded its rate limit."),
    "500": ("api_error", "Internal server error"),
    "503": ("api_error", "Service temporarily unavailable"),
    "529": ("overloaded_error", "Overloaded"),
    "context": ("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
    "quota": (
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
    ),
    "blocked": ("invalid_request_error", "Output blocked by content filtering policy"),
}


def anthropic_error(name: str, model: str, said: str = "") -> Any:
    """The body that goes with a status."""
    kind, message = _ANTHROPIC_ERRORS.get(name, _ANTHROPIC_ERRORS["500"])
    message = said or message.replace("{model}", model)
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_01"}


def anthropic_error_inside(said: str = "") -> bytes:
    """As it comes in the middle of a stream."""
    return _data(anthropic_error("529", "", said), "error")


# --- Gemini generateContent ------------------------------------------------------------------


def gemini_stream(model: str, reply: Reply, *, usage: bool = True) -> list[bytes]:
    """Whole responses, each with the counts so far; the reason for the end in the last one."""
    parts: list[dict[str, Any]] = [{"text": piece, "thought": True} for piece in reply.reasoning]
    parts += [{"text": piece} for piece in reply.pieces]
    for call in reply.calls:
        function = {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}
        parts.append({"functionCall": function, "thoughtSignature": "CikBVKhc7r"})
    events = []
    for number, part in enumerate(parts or [{"text": ""}], start=1):
        is_last = number == len(parts)
        candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
        if is_last:
            candidate["finishReason"] = reply.finish or "STOP"
        counts = gemini_usage(reply, whole=is_last)
        events.append(
            _data(
                {
                    "candidates": [candidate],
                    **({"usageMetadata": counts} if usage else {}),
                    "modelVersion": f"{model}-001",
                    "responseId": "R1",
                }
            ).replace(b"\n", b"\r\n")
        )
    return events


def gemini_usage(reply: Reply, *, whole: bool = True) -> dict[str, Any]:
    """What was thought is counted beside the candidates, what was cached within the prompt."""
    thought = reply.reasoning_tokens
    answered = reply.completion_tokens - thought if whole else 1
    counts: dict[str, Any] = {
        "promptTokenCount": reply.prompt_tokens,
        "candidatesTokenCount": answered,
        "totalTokenCount": reply.prompt_tokens + answered + thought,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.prompt_tokens}],
    }
    if reply.cached_tokens:
        counts["cachedContentTokenCount"] = reply.cached_tokens
    if thought:
        counts["thoughtsTokenCount"] = thought
    return {**counts, **reply.more_usage}


def gemini_blocked() -> bytes:
    """The whole answer to a prompt that was refused."""
    return _data(
        {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
            "modelVersion": "small-001",
        }
    )


def gemini_models(models: dict[str, dict[str, Any]]) -> Any:
    """The list; names begin with "models/"."""
    listed = [
        {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name.title(),
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            **more,
        }
        for name, more in models.items()
    ]
    return {"models": listed}


_GEMINI_ERRORS: dict[str, tuple[int, str, str]] = {
    "400": (400, "INVALID_ARGUMENT", "Invalid value at 'generation_config.temperature'"),
    "401": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "402": (402, "FAILED_PRECONDITION", "Please enable billing on your project."),
    "403": (403, "PERMISSION_DENIED", "Your project has been denied access."),
    "404": (404, "NOT_FOUND", "models/{model} is not found for API version v1beta."),
    "408": (408, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    "413": (413, "INVALID_ARGUMENT", "Request payload size exceeds the limit"),
    "429": (429, "RESOURCE_EXHAUSTED", "You exceeded your rate of requests."),
    "500": (500, "INTERNAL", "An internal error has occurred."),
    "503": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "529": (529, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "context": (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "quota": (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted: see billing."),
}


def gemini_error(name: str, model: str, said: str = "") -> Any:
    """The body that goes with a status; for a bad key it says more than the status."""
    number, word, message = _GEMINI_ERRORS.get(name, _GEMINI_ERRORS["500"])
    message = said or message.replace("{model}", model)
    details: list[dict[str, Any]] = []
    if name == "401":
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo"})
        details[0] |= {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    if name == "429":
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"})
    return {"error": {"code": number, "message": message, "status": word, "details": details}}


def gemini_error_inside(said: str = "") -> bytes:
    """As it comes in the middle of a stream."""
    return _data(gemini_error("503", "", said))


# --- what the server asks for ----------------------------------------------------------------

STREAMS: dict[DialectName, Callable[..., list[bytes]]] = {
    "openai": openai_stream,
    "anthropic": anthropic_stream,
    "gemini": gemini_stream,
}
MODELS: dict[DialectName, Callable[[dict[str, dict[str, Any]]], Any]] = {
    "openai": openai_models,
    "anthropic": anthropic_models,
    "gemini": gemini_models,
}
ERRORS: dict[DialectName, Callable[[str, str, str], Any]] = {
    "openai": openai_error,
    "anthropic": anthropic_error,
    "gemini": gemini_error,
}
ERRORS_INSIDE: dict[DialectName, Callable[[str], bytes]] = {
    "openai": openai_error_inside,
    "anthropic": anthropic_error_inside,
    "gemini": gemini_error_inside,
}
