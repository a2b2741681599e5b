"""The parameters of an answer by the names that people read. Hides how they are called in code."""

from __future__ import annotations

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
