"""Values about money: prices, estimates, limits and totals."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from lockhouse.core.events import Cost


class PriceTier(msgspec.Struct, frozen=True):
    """The rates for the whole request when its prompt has more than ``above`` tokens."""

    above: int
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None


class Price(msgspec.Struct, frozen=True):
    """The price of one model per million tokens; None where there is no separate price.

    ``source`` is "prices of 2026-11-20" or "your own". ``tiers`` depend on the size of the
    prompt.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    per_request: Decimal | None = None
    currency: str = "USD"
    source: str = ""
    tiers: tuple[PriceTier, ...] = ()


class OwnPrice(msgspec.Struct, frozen=True):
    """A price that a person set, for ``provider/model``."""

    provider: str
    model: str
    price: Price
    set_at: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """The source of the bundled prices. ``sha256`` is of the data they were made from."""

    date: str
    package: str
    version: str
    sha256: str


class Estimate(msgspec.Struct, frozen=True):
    """The cost of a request before it is sent. ``ceiling`` cannot be exceeded: it is the cost of
    ``most_prompt_tokens`` and ``max_tokens``.
    """

    prompt_tokens: int
    max_tokens: int
    expected: Cost
    ceiling: Cost
    price: Price
    most_prompt_tokens: int = 0
    completion_tokens: int = 0  # expected


class Limits(msgspec.Struct, frozen=True):
    """The most that may be spent, in dollars; None is no limit."""

    per_call: Decimal | None = None
    per_day: Decimal | None = None
    per_month: Decimal | None = None

    @property
    def has_any(self) -> bool:
        """Whether there is any limit."""
        return not (self.per_call is None and self.per_day is None and self.per_month is None)


class Spent(msgspec.Struct, frozen=True):
    """What was spent in a time span. ``reserved`` is the part that is not settled yet."""

    cost: Decimal
    reserved: Decimal = Decimal(0)
    currency: str = "USD"


class Total(msgspec.Struct, frozen=True):
    """What was spent on one subject: a target, a task, a day."""

    name: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: Decimal
    currency: str = "USD"
    unpriced_calls: int = 0  # calls without a known price
    estimated_calls: int = 0  # calls without an exact count


def in_dollars(amount: Decimal, *, rounding: str = ROUND_HALF_EVEN) -> str:
    """An amount for people: cents from a dollar on, two significant digits below."""
    places = 2 if amount == 0 or amount >= 1 else max(2, 1 - amount.adjusted())
    shown = f"{amount.quantize(Decimal(1).scaleb(-places), rounding=rounding):,f}"
    while places > 2 and shown.endswith("0"):
        shown, places = shown[:-1], places - 1
    return f"${shown}"
