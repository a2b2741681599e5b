"""What is asked of the model: the settings, and what the conversation sets differently."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lockhouse.core.request import AnswerRequest, Sampling, left_open
from lockhouse.storage.settings import Settings


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something a conversation may set for itself. ``whole`` numbers have no fraction."""

    name: str
    label: str
    minimum: float
    maximum: float
    step: float
    help: str
    whole: bool = False


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "temperature", "Temperature", 0, 2, 0.1, "0 always takes the likeliest word; higher varies."
    ),
    Parameter("top_k", "Top-k", 0, 1000, 1, "Choose among this many words; 0 is all.", whole=True),
    Parameter("top_p", "Top-p", 0, 1, 0.05, "Choose among words that make up this share."),
    Parameter("min_p", "Min-p", 0, 1, 0.01, "Leave out words this much less likely than the best."),
    Parameter("repeat_penalty", "Repeat penalty", 0.5, 2, 0.05, "Above 1 discourages repeating."),
    Parameter(
        "answer_max_tokens", "Answer length", 0, 1_000_000, 64, "Tokens; 0 is no limit.", whole=True
    ),
    Parameter(
        "seed",
        "Seed",
        0,
        2**31 - 1,
        1,
        "The same seed gives the same answer; empty draws one.",
        whole=True,
    ),
)


def value_in_force(name: str, settings: Settings, own: dict[str, object]) -> float | int | None:
    """The conversation's own value, or else that of the settings. None: nothing is set."""
    value = own.get(name, getattr(settings, name, None))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def request_for(settings: Settings, parameters: Mapping[str, object]) -> AnswerRequest:
    """The request without its turns, which :class:`Turns` puts in.

    ``parameters`` are what the conversation sets for itself.
    """
    own = dict(parameters)

    def number(name: str, default: float) -> float:
        value = value_in_force(name, settings, own)
        return default if value is None else float(value)

    seed = value_in_force("seed", settings, own)
    limit = int(number("answer_max_tokens", 0))
    sampling = Sampling(
        temperature=number("temperature", 0.7),
        top_k=int(number("top_k", 40)),
        top_p=number("top_p", 0.95),
        min_p=number("min_p", 0.05),
        repeat_penalty=number("repeat_penalty", 1.0),
        seed=None if seed is None else int(seed),
    )
    return AnswerRequest(
        turns=(),
        sampling=sampling,
        max_tokens=limit or None,
        when_full=settings.when_full,
        context_length=settings.context_length or None,
        left_open=left_open("max_tokens" if name == "answer_max_tokens" else name for name in own),
    )


# Only where the name in code, with spaces, is not how the field writes it.
_NAMES = {
    "top_k": "Top-k",
    "top_p": "Top-p",
    "min_p": "Min-p",
    "typical_p": "Typical-p",
    "dry_multiplier": "DRY multiplier",
    "dry_base": "DRY base",
    "dry_allowed_length": "DRY allowed length",
    "dry_penalty_last_n": "DRY penalty last n",
    "xtc_probability": "XTC probability",
    "xtc_threshold": "XTC threshold",
    "json_schema": "JSON schema",
    "kv_type": "KV cache type",
    "max_tokens": "Longest answer",
    "max_completion_tokens": "Longest answer",
}
_VALUES = {
    ("when_full", "stop"): "stops",
    ("when_full", "cut_oldest"): "leaves out the oldest",
}


def parameter_name(name: str) -> str:
    """KV cache type, for ``kv_type``."""
    return _NAMES.get(name) or name.replace("_", " ").capitalize()


def parameter_value(name: str, value: object) -> str:
    """As it is said: on and off for a switch, a number without idle digits."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return _VALUES.get((name, str(value)), str(value))
