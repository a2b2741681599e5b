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


# --- what the server asks for ----------------------------------------------------------------

STREAMS: dict[DialectName, Callable[..., list[bytes]]] = {"openai": openai_stream}
MODELS: dict[DialectName, Callable[[dict[str, dict[str, Any]]], Any]] = {"openai": openai_models}
ERRORS: dict[DialectName, Callable[[str, str, str], Any]] = {"openai": openai_error}
ERRORS_INSIDE: dict[DialectName, Callable[[str], bytes]] = {"openai": openai_error_inside}
