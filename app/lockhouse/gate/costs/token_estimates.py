"""Estimates the tokens of a request: a likely number, and an upper bound.

A tokenizer cuts text into tokens of at least one byte, so a prompt never has more
tokens than bytes; what a model's template puts around a message is shorter than the JSON around
it. Some tokenizers write out compatibility characters first ("ﷺ" becomes 18 letters), so the
longer spelling counts. On top come tokens for what a provider adds unseen, and for every picture
the most that its dialect's models are known to make of one. The answer is bounded by what the
body asks for; reasoning counts as part of it everywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec

from lockhouse.gate.remote_requests import DialectName

ADDED_TOKENS = 1024  # a provider's own lines before a prompt: up to some hundreds are known
ADDED_FOR_TOOLS = 1024  # and before tools: 159 to 530 are published
# Published: 48,169 (gpt-4o-mini, eight tiles), 4,784 (Claude), 258 a tile of 768 pixels and at
# most 3,072 pixels a side (Gemini).
MOST_PER_IMAGE: dict[DialectName, int] = {"openai": 50_000, "anthropic": 5_000, "gemini": 10_000}
_LIKELY_PER_IMAGE: dict[DialectName, int] = {"openai": 1_100, "anthropic": 1_600, "gemini": 1_100}
_LIKELY_PER_MESSAGE = 6

_IMAGES = frozenset({"image_url", "inline_data", "inlineData"})
_OTHER_MEDIA = frozenset({"file_data", "fileData", "input_audio", "video_url", "file"})
_TEXTS = frozenset({"content", "text", "system", "thinking", "reasoning_content", "arguments"})
_CALLERS_OWN = frozenset(
    {"tools", "response_format", "generationConfig", "output_config", "input", "args", "response"}
)
# Billed beyond tokens at the standard rate.
_EXTRAS = frozenset({"web_search_options", "plugins", "speed"})
_STANDARD_TIERS = frozenset({"auto", "default", "standard", "standard_only", "on_demand", "flex"})


class Measured(msgspec.Struct, frozen=True):
    """The token counts of a body. ``max_tokens`` 0: it sets no limit for the answer.

    ``is_plain``: everything in it is billed as tokens, and everything has a known size.
    """

    prompt_tokens: int
    most_prompt_tokens: int
    max_tokens: int
    answers: int = 1
    is_plain: bool = True


def measure(body: bytes, dialect: DialectName) -> Measured:
    """Estimate the tokens of a request's body."""
    fields = msgspec.json.decode(body)
    images = media_bytes = 0
    likely = float(
        _LIKELY_PER_MESSAGE * len(fields.get("messages") or fields.get("contents") or ())
    )
    is_plain = _is_standard(fields)
    for key, value in _walk(fields):
        if key in _OTHER_MEDIA or (key == "type" and value == "document"):
            is_plain = False
        elif key in _IMAGES or (key == "source" and isinstance(value, dict)):
            images += 1
            media_bytes += _data_bytes(value)
        elif key in _TEXTS and isinstance(value, str):
            likely += likely_tokens(value)
    tools = fields.get("tools")
    if tools:
        likely += len(msgspec.json.encode(tools)) / 4
    most = len(body) - media_bytes + _growth(fields) + images * MOST_PER_IMAGE[dialect]
    return Measured(
        prompt_tokens=round(likely) + images * _LIKELY_PER_IMAGE[dialect],
        most_prompt_tokens=most + ADDED_TOKENS + (ADDED_FOR_TOOLS if tools else 0),
        max_tokens=_max_tokens(fields),
        answers=_answers(fields),
        is_plain=is_plain,
    )


def likely_tokens(text: str) -> float:
    """About as many as a tokenizer makes: one for four letters, or for an ideogram."""
    if text.isascii():
        return len(text) / 4
    ascii_letters = sum(1 for letter in text if letter < "\x80")
    wide = sum(1 for letter in text if letter > "\u07ff")
    return ascii_letters / 4 + wide + (len(text) - ascii_letters - wide) / 2


def _walk(fields: object) -> Iterator[tuple[str, Any]]:
    """Every key with its value, except in the caller's own data: schemas, tools, arguments."""
    waiting: list[tuple[str, Any]] = [("", fields)]
    while waiting:
        key, value = waiting.pop()
        yield key, value
        if isinstance(value, dict):
            waiting.extend(item for item in value.items() if item[0] not in _CALLERS_OWN)
        elif isinstance(value, list):
            waiting.extend((key if isinstance(one, str) else "", one) for one in value)


def _data_bytes(value: object) -> int:
    """How many bytes of the body are a picture, which is not billed by its bytes."""
    if isinstance(value, dict):
        value = value.get("url") or value.get("data")
    return len(value) if isinstance(value, str) and value.isascii() else 0


def _growth(fields: object) -> int:
    """How many bytes longer the longest Unicode form of the text is than the one sent."""
    text = msgspec.json.encode(fields).decode()
    if text.isascii() or unicodedata.is_normalized("NFKC", text):
        return 0
    spellings = (unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text))
    longest = max(len(spelling.encode()) for spelling in spellings)
    return max(0, longest - len(text.encode()))


def _max_tokens(fields: dict[str, Any]) -> int:
    settings = fields.get("generationConfig") or {}
    counts = (
        fields.get("max_completion_tokens"),
        fields.get("max_tokens"),
        settings.get("maxOutputTokens"),
    )
    return max((count for count in counts if isinstance(count, int)), default=0)


def _answers(fields: dict[str, Any]) -> int:
    settings = fields.get("generationConfig") or {}
    return max(1, int(fields.get("n") or 1), int(settings.get("candidateCount") or 1))


def _is_standard(fields: dict[str, Any]) -> bool:
    """Whether only tokens are billed, at the standard rate."""
    if _EXTRAS & fields.keys() or fields.get("service_tier", "auto") not in _STANDARD_TIERS:
        return False
    return all(_is_function(tool) for tool in fields.get("tools") or ())


def _is_function(tool: dict[str, Any]) -> bool:
    """Whether the tool runs at the caller, not at the provider."""
    if "functionDeclarations" in tool or "function_declarations" in tool:
        return len(tool) == 1
    return tool.get("type", "custom") in ("function", "custom") and len(tool) > 1
