"""Money as it is told: prices, estimates, limits and totals."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from lockhouse.core.answering import Cost


class Price(msgspec.Struct, frozen=True):
    """What one model costs, per million tokens; None where it has no price of its own.

    ``source`` tells where it is from: "prices of 2026-11-20" or "your own".
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    per_request: Decimal | None = None
    currency: str = "USD"
    source: str = ""


class Estimate(msgspec.Struct, frozen=True):
    """Before something is sent. ``ceiling`` cannot be exceeded: it counts every token allowed."""

    prompt_tokens: int
    max_tokens: int
    expected: Cost
    ceiling: Cost
    price: Price


class Limits(msgspec.Struct, frozen=True):
    """The most that may be spent, in dollars; None is no limit."""

    per_call: Decimal | None = None
    per_day: Decimal | None = None
    per_month: Decimal | None = None


class Total(msgspec.Struct, frozen=True):
    """What was spent on something: a target, a task, a day."""

    name: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: Decimal
    currency: str = "USD"
    unpriced_calls: int = 0  # of the calls, those whose price nobody knows
