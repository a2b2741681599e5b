"""The prices of models: the bundled snapshot, and prices that a person sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from lockhouse.core.events import Cost, Usage
from lockhouse.gate.costs.values import OwnPrice, Price, PriceTier, Snapshot
from lockhouse.storage.database import Tables

if TYPE_CHECKING:
    from pathlib import Path

    from lockhouse.gate.costs.snapshot import BundledPrices
    from lockhouse.gate.providers import Provider
    from lockhouse.storage.database import Database

PER_TOKENS = 1_000_000  # prices are for so many tokens

_TABLE = """
CREATE TABLE own_prices (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    cached_input TEXT,
    cache_write TEXT,
    per_request TEXT,
    set_at TEXT NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID
"""
_AMOUNTS = ("input", "output", "cached_input", "cache_write", "per_request")
_COLUMNS = ", ".join(("provider", "model", *_AMOUNTS, "set_at"))


class PriceList:
    """Prices by provider and model. Nothing is read before its first use."""

    def __init__(self, database: Database | None = None, *, file: Path | None = None) -> None:
        """``database`` stores a person's own prices; ``file`` replaces the snapshot."""
        self._own_prices = Tables(database, "prices", {"own_prices": _TABLE}) if database else None
        self._file = file
        self._bundled: BundledPrices | None = None

    def price_of(self, provider: Provider, model: str, at: datetime | None = None) -> Price | None:
        """The person's own price, or else the snapshot's; None where neither is known."""
        own = self._own(provider.name, model)
        return own or self.find(provider.prices, model, at)

    def prices_of(
        self, provider: Provider, model: str, at: datetime, span: timedelta
    ) -> list[Price]:
        """Every price that applies between ``at`` and the end of the span."""
        own = self._own(provider.name, model)
        if own:
            return [own]
        if not provider.prices:
            return []
        return self._snapshot().prices(provider.prices, model, at, at + span)

    def find(self, prices_name: str, model: str, at: datetime | None = None) -> Price | None:
        """The snapshot's price at that time, by the provider's name in the snapshot."""
        if not prices_name:
            return None
        return self._snapshot().price(prices_name, model, at or datetime.now(UTC))

    def listed(self, prices_name: str) -> list[tuple[str, Price]]:
        """Every model of a provider in the snapshot with its current price, by name."""
        return self._snapshot().models(prices_name) if prices_name else []

    def context_length(self, prices_name: str, model: str) -> int:
        """The context length in the snapshot; 0 where it has none."""
        return self._snapshot().context_length(prices_name, model) if prices_name else 0

    @property
    def snapshot(self) -> Snapshot:
        """Source and date of the bundled prices."""
        return self._snapshot().snapshot

    # -- own prices ---------------------------------------------------------------------------

    def set_own(self, provider: str, model: str, price: Price) -> None:
        """Store a price of the person's own, which replaces the snapshot's."""
        amounts = (getattr(price, name) for name in _AMOUNTS)
        texts = (None if amount is None else str(amount) for amount in amounts)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._tables().change(
            f"INSERT OR REPLACE INTO own_prices ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (provider, model, *texts, now),
        )

    def remove_own(self, provider: str, model: str) -> bool:
        """Remove it. Whether there was one."""
        delete = "DELETE FROM own_prices WHERE provider = ? AND model = ?"
        return self._tables().change(delete, (provider, model)) > 0

    def own(self) -> list[OwnPrice]:
        """All prices that a person set."""
        if self._own_prices is None:
            return []
        rows = self._own_prices.rows(
            f"SELECT {_COLUMNS} FROM own_prices ORDER BY provider, model"  # noqa: S608
        )
        return [OwnPrice(row[0], row[1], _price(row[2:7]), row[7]) for row in rows]

    def _own(self, provider: str, model: str) -> Price | None:
        if self._own_prices is None:
            return None
        row = self._own_prices.row(
            f"SELECT {', '.join(_AMOUNTS)} FROM own_prices WHERE provider = ? AND model = ?",  # noqa: S608
            (provider, model),
        )
        return _price(row) if row else None

    def _tables(self) -> Tables:
        assert self._own_prices is not None, "this list was made without a database"
        return self._own_prices

    def _snapshot(self) -> BundledPrices:
        if self._bundled is None:
            from lockhouse.gate.costs.snapshot import BundledPrices

            self._bundled = BundledPrices(self._file)
        return self._bundled


def _price(texts: tuple[str | None, ...]) -> Price:
    amounts = (None if text is None else Decimal(text) for text in texts)
    named = dict(zip(_AMOUNTS, amounts, strict=True))
    return Price(**named, source="your own")  # type: ignore[arg-type] # input and output are never null


def cost(price: Price, usage: Usage, *, cache_write_tokens: int = 0) -> Cost:
    """The exact cost of a request.

    ``usage.prompt_tokens`` includes ``cached_tokens`` and ``cache_write_tokens``;
    ``usage.completion_tokens`` includes ``reasoning_tokens``, which are billed as output. A
    tier applies to the whole request, as every provider bills it.
    """
    rate = rate_at(price, usage.prompt_tokens)
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    written = min(cache_write_tokens, usage.prompt_tokens - cached)
    parts = (
        (usage.prompt_tokens - cached - written, rate.input),
        (cached, rate.input if rate.cached_input is None else rate.cached_input),
        (written, rate.input if rate.cache_write is None else rate.cache_write),
        (usage.completion_tokens, rate.output),
    )
    amount = sum((tokens * each for tokens, each in parts), Decimal(0)) / PER_TOKENS
    return Cost(amount + (price.per_request or 0), price.currency)


def most(price: Price, prompt_tokens: int, completion_tokens: int) -> Cost:
    """The maximum cost of a request with at most so many tokens, whatever is cached."""
    rates: list[Price | PriceTier] = [
        price,
        *(tier for tier in price.tiers if tier.above < prompt_tokens),
    ]
    read = max(max(rate.input, rate.cached_input or 0, rate.cache_write or 0) for rate in rates)
    amount = read * prompt_tokens + max(rate.output for rate in rates) * completion_tokens
    return Cost(amount / PER_TOKENS + (price.per_request or 0), price.currency)


def rate_at(price: Price, prompt_tokens: int) -> Price | PriceTier:
    """The rate for a prompt of that size."""
    reached = [tier for tier in price.tiers if prompt_tokens > tier.above]
    return max(reached, key=lambda tier: tier.above, default=price)
