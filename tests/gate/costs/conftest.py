"""A database, a price that is easy to count with, and a person's day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.values import Limits, Price
from lockhouse.gate.providers import Provider
from lockhouse.storage.database import Database

ZONE = timezone(timedelta(hours=5, minutes=30))
CLOUD = Provider("one", "One", "openai", "cloud", ("https://api.example/v1",))
LAN = Provider("home", "Home", "openai", "lan", ("http://10.0.0.2:8080/v1",), key="none")
# A dollar for a million tokens in, ten for a million out.
PRICE = Price(Decimal(1), Decimal(10), cached_input=Decimal("0.1"))


class Day:
    """What time it is for the person."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE)

    def __call__(self) -> datetime:
        return self.now


class Purse:
    """A budget whose limits and time can be set."""

    def __init__(self, database: Database) -> None:
        self.limits = Limits()
        self.day = Day()
        self.prices = PriceList(database)
        self.budget = Budget(database, lambda: self.limits, self.prices, now=self.day)


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """The same database, as often as wanted."""
    opened: list[Database] = []

    def begin() -> Database:
        opened.append(Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups"))
        return opened[-1]

    yield begin
    for database in opened:
        database.close()


@pytest.fixture
def purse(open_database: Callable[[], Database]) -> Purse:
    purse = Purse(open_database())
    purse.prices.set_own("one", "m", PRICE)
    return purse


def question(max_tokens: int = 1000, text: str = "Hello") -> bytes:
    told = {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": max_tokens,
    }
    return msgspec.json.encode(told)
