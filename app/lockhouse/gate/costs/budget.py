"""Spending limits: costs are estimated and reserved before sending, and settled afterwards.

A reservation counts at its ceiling, so that several programs together stay below a limit whatever
the answers are. If its program is killed it keeps counting at its ceiling, because the real cost
is not known and must not be counted too low. It drops out of the sums with its day and month.

The ceiling holds for one generation at list price. Where a provider bills more than it published,
that is recorded, and the next question is the one that is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import TYPE_CHECKING

import msgspec

from lockhouse.core.errors import PolicyRefused
from lockhouse.core.events import Cost, Usage
from lockhouse.gate.costs.prices import PER_TOKENS, PriceList, cost, most
from lockhouse.gate.costs.spending import Entry, SpendingTable, Subject
from lockhouse.gate.costs.token_estimates import Measured, measure
from lockhouse.gate.costs.values import Estimate, Limits, Price, Spent, Total, in_dollars
from lockhouse.gate.providers import Provider

if TYPE_CHECKING:
    from lockhouse.storage.database import Database
    from lockhouse.storage.settings import Settings, SettingsFile, Value

__all__ = ["Budget", "Reservation", "Subject", "limits_in", "limits_of"]

# The longest a request may take: its ceiling includes prices that begin in that time.
_SPAN = timedelta(hours=2)
_LIKELY_ANSWER = 500  # tokens, before there are answers of the target to go by
_BYTES_PER_TOKEN = 3  # of an answer without a token count; rather too many tokens than too few
_FEWEST = 16  # a shorter answer is not worth offering
_LIMITS = frozenset({"budget_per_call_usd", "budget_per_day_usd", "budget_per_month_usd"})


class Reservation(msgspec.Struct, frozen=True):
    """A cost reserved for one request. Settle it, or release it when nothing was sent.

    ``estimate`` is None where no price is known. ``is_free``: a server of the own network.
    """

    id: int
    recipient: Provider
    model: str
    estimate: Estimate | None
    is_free: bool
    prompt_tokens: int  # expected

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.recipient.name


class _Quote(msgspec.Struct, frozen=True):
    """A request, measured and priced. ``estimate`` None where no price or no bound is known."""

    measured: Measured
    prices: tuple[Price, ...]  # all that may apply while it is answered
    estimate: Estimate | None
    is_free: bool


def limits_of(settings: Settings) -> Limits:
    """The limits in the settings; 0 is none. The digits are those that were typed."""

    def limit(amount: float) -> Decimal | None:
        return Decimal(repr(amount)).normalize() + 0 if amount else None

    return Limits(
        per_call=limit(settings.budget_per_call_usd),
        per_day=limit(settings.budget_per_day_usd),
        per_month=limit(settings.budget_per_month_usd),
    )


def limits_in(file: SettingsFile, overrides: Mapping[str, Value]) -> Limits:
    """The limits in force, read again, so that one set by another program holds at once.

    Raises PolicyRefused when one of them cannot be read, which does not mean that there is none.
    """
    settings = file.load(overrides=overrides)
    if file.unusable & _LIMITS or file.lost >= _LIMITS:
        why = file.problem or "The settings were unreadable and have been set aside."
        raise PolicyRefused(
            f"A spending limit cannot be read. {why}",
            hint="Set the limits again, or remove them: lockhouse costs limits --help",
            code="budget",
        )
    return limits_of(settings)


class Budget:
    """The limits, and everything that was spent. Safe across threads and processes."""

    def __init__(
        self,
        database: Database,
        limits: Callable[[], Limits],
        prices: PriceList,
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """``now`` is in the local time zone, whose calendar days and months count."""
        self.prices = prices
        self._spending = SpendingTable(database)
        self._limits = limits
        self._now = now

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._limits()

    def estimate(self, provider: Provider, model: str, body: bytes) -> Estimate | None:
        """What sending ``body`` would cost; None where no price is known, or where it is free.

        The maximum length of the answer is read from the body. Servers of the own network are
        free unless a price was set for them.
        """
        return self._quote(provider, model, body).estimate

    def reserve(
        self, provider: Provider, model: str, body: bytes, *, task: str = "chat"
    ) -> Reservation:
        """Reserve the cost of one request. Raises PolicyRefused "budget" with the numbers."""
        quote, limits = self._quote(provider, model, body), self._limits()
        amount = _ceiling(provider, model, quote, limits)
        with self._spending.write():  # from here on no other program can reserve
            now = self._now()
            self._check(limits, quote, amount, now)
            number = self._spending.reserve(Entry(now, provider.name, model, task, amount))
        return Reservation(
            id=number,
            recipient=provider,
            model=model,
            estimate=quote.estimate,
            is_free=quote.is_free,
            prompt_tokens=quote.measured.prompt_tokens,
        )

    def require_room(self, provider: Provider, model: str, body: bytes) -> None:
        """Raises PolicyRefused "budget" where :meth:`reserve` would now. Keeps nothing."""
        quote, limits = self._quote(provider, model, body), self._limits()
        amount = _ceiling(provider, model, quote, limits)
        if limits.has_any and amount:
            self._check(limits, quote, amount, self._now())

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        cache_write_tokens: int = 0,
        reported_cost: str = "",
        received_bytes: int = 0,
        is_complete: bool = True,
    ) -> Cost | None:
        """Replace the reserved cost by the actual one, and return it; None without a price.

        ``received_bytes`` counts text, reasoning and tool calls in UTF-8. It is used to estimate
        the length of an answer that was interrupted (not ``is_complete``) or reports no usage.
        The provider's own ``reported_cost`` takes precedence over the price list.
        """
        counted = usage
        if usage is None or not is_complete:
            counted = _received(usage, reservation.prompt_tokens, received_bytes)
        elif not reservation.is_free:
            counted = _filled(usage, reservation.prompt_tokens, received_bytes)
        assert counted is not None
        charged = (
            None
            if reservation.is_free
            else self._charged(
                reservation,
                counted,
                cache_write_tokens,
                reported_cost,
                is_counted=counted is usage,
            )
        )
        free = Decimal(0) if reservation.is_free else None
        self._spending.settle(
            reservation.id,
            free if charged is None else charged.amount,
            counted,
            cache_write_tokens=cache_write_tokens,
            is_estimate=charged is not None and charged.is_estimate,
        )
        return charged

    def _charged(
        self,
        reservation: Reservation,
        usage: Usage,
        cache_write_tokens: int,
        reported_cost: str,
        *,
        is_counted: bool,
    ) -> Cost | None:
        reported = _amount(reported_cost)
        if reported is not None:
            return Cost(reported)
        # Where a price depends on the time of day, the end of the answer counts.
        price = self.prices.price_of(reservation.recipient, reservation.model, self._now())
        if price is None and reservation.estimate is not None:  # removed meanwhile
            price = reservation.estimate.price
        if price is None:
            return None
        counted = cost(price, usage, cache_write_tokens=cache_write_tokens)
        if is_counted:
            return counted
        amount = counted.amount
        if reservation.estimate is not None:
            amount = min(amount, reservation.estimate.ceiling.amount)
        return Cost(amount, counted.currency, is_estimate=True)

    def release(self, reservation: Reservation) -> None:
        """Remove the reservation: nothing was sent."""
        self._spending.release(reservation.id)

    # -- what was spent -----------------------------------------------------------------------

    def spent_today(self) -> Spent:
        """Since midnight, local time."""
        day = self._now().date().isoformat()
        return self._spending.spent_now(day, day)

    def spent_this_month(self) -> Spent:
        """Since the first of the month, local time."""
        return self._spending.spent_now(*_month(self._now()))

    def totals(self, by: Subject, since: datetime | None = None) -> list[Total]:
        """Sums of the spending; the highest first, days the newest first."""
        return list(self._spending.totals(by, since))

    # -- pricing and checking -----------------------------------------------------------------

    def _quote(self, provider: Provider, model: str, body: bytes) -> _Quote:
        measured = measure(body, provider.dialect)
        prices = tuple(self.prices.prices_of(provider, model, self._now(), _SPAN))
        is_free = not prices and provider.zone == "lan"
        bounded = measured.is_plain and measured.max_tokens > 0
        if not prices or not bounded:
            return _Quote(measured, prices, None, is_free)
        answer = measured.max_tokens * measured.answers
        ceilings = [most(price, measured.most_prompt_tokens, answer) for price in prices]
        likely = self._spending.likely_completion(provider.name, model) or _LIKELY_ANSWER
        usage = Usage(
            prompt_tokens=min(measured.prompt_tokens, measured.most_prompt_tokens),
            completion_tokens=min(likely * measured.answers, answer),
        )
        expected = cost(prices[0], usage)
        estimate = Estimate(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            most_prompt_tokens=measured.most_prompt_tokens,
            max_tokens=measured.max_tokens,
            expected=msgspec.structs.replace(expected, is_estimate=True),
            ceiling=max(ceilings, key=lambda ceiling: ceiling.amount),
            price=prices[0],
        )
        return _Quote(measured, prices, estimate, is_free)

    def _check(self, limits: Limits, quote: _Quote, amount: Decimal | None, now: datetime) -> None:
        """Raise PolicyRefused for the first limit that ``amount`` would exceed."""
        if quote.estimate is None or not amount:
            return
        day = now.date().isoformat()
        spans = (
            ("per-call", limits.per_call, None, "the limit for one question is"),
            ("per-day", limits.per_day, (day, day), "the limit for today is"),
            ("per-month", limits.per_month, _month(now), "the limit for this month is"),
        )
        for option, limit, days, words in spans:
            if limit is None:
                continue
            spent = self._spending.spent(*days) if days else Spent(Decimal(0))
            if spent.cost + amount > limit:
                raise _over(quote, amount, limit, spent, option, words)


def _filled(usage: Usage, prompt_tokens: int, received_bytes: int) -> Usage:
    """A usage whose missing counts are estimated: a question and its answer are not 0 tokens."""
    if received_bytes and not usage.completion_tokens:
        estimated = -(-received_bytes // _BYTES_PER_TOKEN)
        usage = msgspec.structs.replace(usage, completion_tokens=estimated)
    if not usage.prompt_tokens and (received_bytes or not usage.completion_tokens):
        usage = msgspec.structs.replace(usage, prompt_tokens=prompt_tokens)
    return usage


def _received(usage: Usage | None, prompt_tokens: int, received_bytes: int) -> Usage:
    """An estimated usage for an answer without a complete count."""
    known = usage or Usage()
    return Usage(
        prompt_tokens=known.prompt_tokens or prompt_tokens,
        cached_tokens=known.cached_tokens,
        completion_tokens=max(known.completion_tokens, -(-received_bytes // _BYTES_PER_TOKEN)),
        reasoning_tokens=known.reasoning_tokens,
    )


def _amount(text: str) -> Decimal | None:
    """The cost that a provider reports; None where it is not a valid amount."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _month(now: datetime) -> tuple[str, str]:
    """First and last day; no month has more than the 31st."""
    return f"{now:%Y-%m}-01", f"{now:%Y-%m}-31"


def _ceiling(provider: Provider, model: str, quote: _Quote, limits: Limits) -> Decimal | None:
    """The maximum cost; None where it is not known, which is refused where there is a limit."""
    if quote.estimate is not None:
        return quote.estimate.ceiling.amount
    if not quote.is_free and limits.has_any:
        raise _no_ceiling(provider, model, quote)
    return Decimal(0) if quote.is_free else None


def _no_ceiling(provider: Provider, model: str, quote: _Quote) -> PolicyRefused:
    """The refusal where there is a limit and no upper bound of the cost."""
    name = f"{provider.name}/{model}"
    if not quote.prices:
        return PolicyRefused(
            f"The price of {name} is not known, and there is a spending limit.",
            hint="Set its price per million tokens: lockhouse costs price set"
            f" {name} --input X --output Y",
            code="budget",
        )
    if not quote.measured.is_plain:
        why = "it asks for more than tokens at the standard rate"
    else:
        why = "it does not say how long the answer may be"
    return PolicyRefused(
        f"The maximum cost of this request to {name} is not known: {why}.",
        hint="Change what is sent to this provider, or remove the limits:"
        " lockhouse costs limits --none",
        code="budget",
    )


def _over(
    quote: _Quote, amount: Decimal, limit: Decimal, spent: Spent, option: str, words: str
) -> PolicyRefused:
    room = max(Decimal(0), limit - spent.cost)
    ceiling = in_dollars(amount, rounding=ROUND_CEILING)
    message = f"This could cost up to {ceiling}, and {words} {in_dollars(limit)}"
    if spent.cost:
        message += f", of which {in_dollars(room, rounding=ROUND_FLOOR)} is left"
    if spent.reserved:
        message += f" ({in_dollars(spent.reserved)} is reserved for unfinished questions)"
    raised = f"lockhouse costs limits --{option} {_enough(spent.cost + amount)}"
    fits = _longest_answer(quote, room)
    if fits >= _FEWEST:
        hint = f"A shorter answer fits: --max-tokens {fits}. Or raise the limit: {raised}"
    else:
        hint = f"Use a cheaper model, or one on this machine. Or raise the limit: {raised}"
    return PolicyRefused(f"{message}.", hint=hint, code="budget")


def _longest_answer(quote: _Quote, room: Decimal) -> int:
    """The largest number of tokens whose ceiling fits the room."""
    counts = []
    for price in quote.prices:
        prompt = quote.measured.most_prompt_tokens
        left = room - most(price, prompt, 0).amount
        rate = most(price, prompt, PER_TOKENS).amount - most(price, prompt, 0).amount
        each = rate * quote.measured.answers / PER_TOKENS
        counts.append(int(left / each) if each else quote.measured.max_tokens)
    return min(counts, default=0)


def _enough(amount: Decimal) -> str:
    """The amount rounded up to cents."""
    return str(amount.quantize(Decimal("0.01"), rounding=ROUND_CEILING))
