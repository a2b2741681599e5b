"""Counts of tokens and amounts as servers tell them: any number, none, or nonsense."""

from __future__ import annotations

from decimal import Decimal

Told = int | float | None

_MOST_TOKENS = 1_000_000_000
_HIGHEST_DIGIT = 5  # of what one answer costs: less than a million
_LEAST_DIGIT = -30


def count(told: Told) -> int:
    """A number of tokens: not less than none, and not more than can be."""
    return int(max(0, min(told or 0, _MOST_TOKENS)))


def amount(told: Decimal | None) -> str:
    """What a provider says that it charged, exactly; empty where that cannot be."""
    if told is None or not told.is_finite() or told.is_signed():
        return ""
    if told and not _LEAST_DIGIT <= told.adjusted() <= _HIGHEST_DIGIT:
        return ""
    return format(+told, "f")  # no more digits than are ever counted with
