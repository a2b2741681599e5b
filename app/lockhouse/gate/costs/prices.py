"""What a model costs: the bundled snapshot of prices, and the prices a person set."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from lockhouse.core.answering import Cost, Usage
from lockhouse.gate.costs.values import OwnPrice, Price, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from lockhouse.gate.providers import Provider
    from lockhouse.storage.database import Database


class PriceList:
    """Prices by provider and model. Nothing is read before it is first asked for."""

    def __init__(self, database: Database | None = None, *, file: Path | None = None) -> None:
        """``database`` keeps a person's own prices; ``file`` is the bundled snapshot."""
        self._database = database
        self._file = file

    def price_of(self, provider: Provider, model: str, at: datetime | None = None) -> Price | None:
        """The person's own price, or else the snapshot's; None where nobody knows one."""
        return self.find(provider.prices, model, at)

    def find(self, prices_name: str, model: str, at: datetime | None = None) -> Price | None:
        """The snapshot's price, by the provider's name in it, as it holds at that time."""
        del prices_name, model, at
        return None

    def context_length(self, prices_name: str, model: str) -> int:
        """The context window that the snapshot tells; 0 where it tells none."""
        del prices_name, model
        return 0

    @property
    def snapshot(self) -> Snapshot:
        """Where the bundled prices are from."""
        return Snapshot("", "", "", "")

    def set_own(self, provider: str, model: str, price: Price) -> None:
        """Keep a price of the person's own."""

    def remove_own(self, provider: str, model: str) -> bool:
        """Forget it again. Whether there was one."""
        del provider, model
        return False

    def own(self) -> list[OwnPrice]:
        """All that a person set."""
        return []


def cost(price: Price, usage: Usage, *, cache_write_tokens: int = 0) -> Cost:
    """What a counted request costs, exactly.

    ``usage.prompt_tokens`` includes ``cached_tokens`` and ``cache_write_tokens``;
    ``usage.completion_tokens`` includes ``reasoning_tokens``, which are billed as output.
    """
    fresh = max(0, usage.prompt_tokens - usage.cached_tokens - cache_write_tokens)
    amount = fresh * price.input + usage.completion_tokens * price.output
    return Cost(amount / Decimal(1_000_000), price.currency)
