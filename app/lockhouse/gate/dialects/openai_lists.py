"""Reading the lists of models of those who speak chat completions: each tells something else."""

from __future__ import annotations

from typing import Any

import msgspec

from lockhouse.gate.dialects.provider_errors import UNREADABLE, no_list
from lockhouse.gate.remote_requests import ListedModel

# Parts of the names of models that answer no chat, where the list does not say it.
_NO_CHAT = (
    "embed", "whisper", "tts", "dall-e", "moderation", "transcribe", "realtime", "-audio",
    "gpt-image", "sora", "davinci-002", "babbage-002", "rerank", "-ocr", "guard", "omni-mod",
)  # fmt: skip
_KINDS_OF_CHAT = ("", "chat", "language", "code", "model", "llm", "vlm", "base")


def listed(data: bytes) -> tuple[ListedModel, ...]:
    """The models that can chat, in the order of the list. Raises RemoteFailure for no list."""
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
    told = entry.get("capabilities")
    if isinstance(told, dict) and told.get("completion_chat") is False:
        return None
    if str(entry.get("type") or "") not in _KINDS_OF_CHAT or entry.get("active") is False:
        return None
    if not isinstance(told, dict) and any(part in name.lower() for part in _NO_CHAT):
        return None
    title = entry.get("display_name") or entry.get("name") or ""
    return ListedModel(
        name,
        title if isinstance(title, str) and title != name else "",
        _first(entry, _CONTEXTS),
        _first(entry, _OUTPUTS),
        _capabilities(entry),
    )


# Where the length of the context is told: vLLM, Mistral, Groq, OpenRouter and Together, and what
# llama-server runs with before what the model was trained for.
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
    """What the list tells of it; empty where it tells nothing."""
    told, more = entry.get("capabilities"), entry.get("supported_parameters")
    architecture = entry.get("architecture")
    found: list[str] = []
    if isinstance(told, dict):  # Mistral
        names = {"vision": "vision", "function_calling": "tools", "reasoning": "reasoning"}
        found = [ours for theirs, ours in names.items() if told.get(theirs)]
    elif isinstance(told, list):  # llama-server says "multimodal"
        found = ["vision"] if "multimodal" in told or "vision" in told else []
    elif isinstance(more, list):  # OpenRouter
        inputs = architecture.get("input_modalities") if isinstance(architecture, dict) else None
        found = ["vision"] if isinstance(inputs, list) and "image" in inputs else []
        names = {"tools": "tools", "structured_outputs": "json_schema", "reasoning": "reasoning"}
        found += [ours for theirs, ours in names.items() if theirs in more]
    else:
        return ()
    return ("chat", *found)
