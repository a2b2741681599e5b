"""What is asked of the model: the settings, and what the conversation sets differently."""

from __future__ import annotations

from dataclasses import dataclass


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
    zero: str = ""  # what a setting of 0 means
    unset: str = ""  # what is shown where neither a value nor a setting is there
    of_thinking: bool = False  # only of a model that has a switch for thinking
    of_chat: bool = False  # a profile has another field for it


_TEMPERATURE = "0 always picks the most likely token; higher values vary more."
_TOP_K = "Choose among this many of the most likely tokens; 0 is off."
_TOP_P = "Choose among the most likely tokens that share this much of the probability."
_MIN_P = "Leave out tokens below this share of the most likely token’s probability."
_REPEAT = "Above 1 discourages repeating."
_LENGTH = "In tokens; 0 is no limit."
_CONTEXT = "How much of the chat the model can use, in tokens. More needs more memory."
_BUDGET = "Tokens after which thinking ends and the answer begins; empty is no limit."
_SEED = "The same seed gives the same answer; empty is random."

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("temperature", "Temperature", 0, 2, 0.1, _TEMPERATURE),
    Parameter("top_k", "Top-k", 0, 1000, 1, _TOP_K, whole=True),
    Parameter("top_p", "Top-p", 0, 1, 0.05, _TOP_P),
    Parameter("min_p", "Min-p", 0, 1, 0.01, _MIN_P),
    Parameter("repeat_penalty", "Repeat penalty", 0.5, 2, 0.05, _REPEAT),
    Parameter(
        "answer_max_tokens",
        "Maximum answer length",
        0,
        1_000_000,
        64,
        _LENGTH,
        whole=True,
        zero="no limit",
    ),
    Parameter("seed", "Seed", 0, 2**31 - 1, 1, _SEED, whole=True, unset="random"),
    Parameter(
        "context_length",
        "Context length",
        256,
        16_777_216,
        256,
        _CONTEXT,
        whole=True,
        zero="automatic",
        of_chat=True,
    ),
    Parameter(
        "reasoning_budget",
        "Thinking budget",
        0,
        1_000_000,
        256,
        _BUDGET,
        whole=True,
        unset="no limit",
        of_thinking=True,
    ),
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
    "max_tokens": "Maximum answer length",
    "max_completion_tokens": "Maximum answer length",
    "reasoning_budget": "Thinking budget",
}
_VALUES = {
    ("when_full", "stop"): "stops",
    ("when_full", "cut_oldest"): "leaves out the oldest messages",
}


def thinking_words(choice: str) -> str:
    """Thinking off, for ``off``; an effort after a colon."""
    return f"Thinking {choice}" if choice in ("off", "on") else f"Thinking: {choice}"


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
