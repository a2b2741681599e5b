"""What was chosen for an answer and is not in the body that is sent, to be said.

Compared with the body itself, so that it holds for every dialect, for fields that a provider is
known to refuse, and for what a person adds to every request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lockhouse.core.json_decoding import decoded
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.core.thinking import Thinking

# By setting: its name in words, and the fields that carry it.
_FIELDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "temperature": ("temperature", ("temperature",)),
    "top_p": ("top-p", ("top_p", "topP")),
    "top_k": ("top-k", ("top_k", "topK")),
    "min_p": ("min-p", ("min_p",)),
    "typical_p": ("typical-p", ("typical_p",)),
    "repeat_penalty": ("repeat penalty", ("repeat_penalty", "repetition_penalty")),
    "repeat_last_n": ("repeat last n", ("repeat_last_n",)),
    "frequency_penalty": ("frequency penalty", ("frequency_penalty", "frequencyPenalty")),
    "presence_penalty": ("presence penalty", ("presence_penalty", "presencePenalty")),
    "dry_multiplier": ("DRY", ("dry_multiplier",)),
    "xtc_probability": ("XTC", ("xtc_probability",)),
    "mirostat": ("mirostat", ("mirostat",)),
    "seed": ("seed", ("seed",)),
    "logit_bias": ("logit bias", ("logit_bias",)),
}
_OFF: Final[dict[str, object]] = {
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "repeat_last_n": 64,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "dry_multiplier": 0.0,
    "xtc_probability": 0.0,
    "mirostat": 0,
    "seed": None,
    "logit_bias": {},
}
_THINKING: Final = (
    "thinking", "reasoning_effort", "reasoning", "thinkingConfig", "chat_template_kwargs", "effort",
)  # fmt: skip
_BUDGETS: Final = ("budget_tokens", "thinkingBudget", "thinking_budget")
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "maxOutputTokens")


def left_out(request: AnswerRequest, body: bytes, title: str, thinking: Thinking) -> str:
    """A sentence about what is not sent as it was chosen; empty where everything is.

    ``thinking`` is what the choice became for this model.
    """
    fields = dict(_flat(decoded(body, dict[str, Any])))
    missing = list(_missing(request, fields))
    sentences: list[str] = []
    if missing:
        listed = missing[0] if len(missing) == 1 else f"{', '.join(missing[:-1])} and {missing[-1]}"
        is_one = len(missing) == 1
        sentences.append(
            f"{title} takes no {listed}: {'it is' if is_one else 'they are'} left out."
        )
    warm, limit = fields.get("temperature"), request.max_tokens
    wanted = request.sampling.temperature
    if isinstance(warm, int | float) and "temperature" not in request.left_open and warm < wanted:
        sentences.append(
            f"Its highest temperature is {warm:g}, which is used instead of {wanted:g}."
        )
    most = next((fields[name] for name in _LIMITS if name in fields), None)
    if limit and isinstance(most, int) and most < limit:
        sentences.append(f"Its answers have at most {most:,} tokens, not {limit:,}.")
    if request.thinking and thinking and thinking != request.thinking:
        sentences.append(
            f'Thinking is set to "{thinking}", which is nearest to "{request.thinking}" there.'
        )
    return " ".join(sentences)


def _missing(request: AnswerRequest, fields: dict[str, object]) -> Iterator[str]:
    sampling = request.sampling
    for name in Sampling.__struct_fields__:
        words, carriers = _FIELDS.get(name, ("", ()))
        is_chosen = name not in request.left_open and getattr(sampling, name) != _OFF.get(name, ...)
        if words and is_chosen and not any(carrier in fields for carrier in carriers):
            yield words
    if request.context_length and "context_length" not in request.left_open:
        yield "context length"
    if request.thinking not in ("", "off") and not any(name in fields for name in _THINKING):
        yield "thinking"
    if request.reasoning_budget and not any(name in fields for name in _BUDGETS):
        reasoning = fields.get("reasoning")
        if not (isinstance(reasoning, dict) and "max_tokens" in reasoning):
            yield "thinking budget"


def _flat(fields: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """The fields and those of the objects among them, without content."""
    for name, value in fields.items():
        yield name, value
        if isinstance(value, dict):
            yield from _flat(value)
