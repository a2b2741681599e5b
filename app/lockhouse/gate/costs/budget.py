"""What may be spent: estimated and reserved before anything is sent, settled afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from lockhouse.core.answering import Cost, Usage
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.values import Estimate, Limits, Price, Spent, Total

if TYPE_CHECKING:
    from lockhouse.gate.providers import Provider
    from lockhouse.storage.database import Database
    from lockhouse.storage.settings import Settings

Subject = Literal["target", "task", "day", "provider"]


class Reservation(msgspec.Struct, frozen=True):
    """Room made for one request. Settle it, or release it when nothing was sent."""

    id: int
    provider: str
    model: str
    price: Price | None = None  # None: nobody knows it
    estimate: Estimate | None = None


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings tell; 0 is none."""
    del settings
    return Limits()


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
        """``now`` is in the person's own zone: days and months are calendar days there."""
        self._database = database
        self._limits = limits
        self._now = now
        self.prices = prices

    def estimate(self, provider: Provider, model: str, body: bytes) -> Estimate | None:
        """What sending ``body`` would cost; None where no price is known.

        How long the answer may be is read from the body itself. Servers of one's own are free.
        """
        del provider, model, body
        return None

    def reserve(
        self, provider: Provider, model: str, body: bytes, *, task: str = "chat"
    ) -> Reservation:
        """Make room for one request, or raise PolicyRefused "budget" with the numbers."""
        del body, task
        return Reservation(0, provider.name, model)

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
        """Put what it did cost in place of what was reserved; None where no price is known.

        ``received_bytes`` counts text, reasoning and tool calls in UTF-8: from them the length
        of an answer is estimated that ended half-way (not ``is_complete``) or told no usage.
        """
        del reservation, usage, cache_write_tokens, reported_cost, received_bytes, is_complete
        return None

    def release(self, reservation: Reservation) -> None:
        """Give the room back: nothing was sent."""

    def spent_today(self) -> Spent:
        """Since midnight in the person's own zone."""
        return Spent(Decimal(0))

    def spent_this_month(self) -> Spent:
        """Since the first of the month, likewise."""
        return Spent(Decimal(0))

    def totals(self, by: Subject, since: datetime | None = None) -> list[Total]:
        """What was spent, by what; the dearest first, days the newest first."""
        del by, since
        return []

    @property
    def limits(self) -> Limits:
        """What is in force."""
        return self._limits()
