"""The table of what was spent: a row for every question asked elsewhere, free ones included.

Amounts are whole trillionths of a dollar, rounded up, so that sums are exact and never too low.
Hides the table and its queries. A row is kept with the calendar day of the person's own zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from lockhouse.core.answering import Usage
from lockhouse.gate.costs.values import Spent, Total
from lockhouse.storage.connection import migrations_named

if TYPE_CHECKING:
    import sqlite_utils

    from lockhouse.storage.database import Database

Subject = Literal["target", "task", "day", "provider"]

_SCALE = 12
_REMEMBERED = 20  # answers of a target, from which the length of the next is expected

_TABLE = """
CREATE TABLE spending (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    day TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    task TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'settled')),
    cost INTEGER NOT NULL CHECK (cost >= 0),
    is_priced INTEGER NOT NULL,
    is_estimate INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0
) STRICT
"""
_INDICES = (
    "CREATE INDEX spending_by_day ON spending (day, state, cost)",
    "CREATE INDEX spending_by_target ON spending (provider, model, id)",
)
_NAMES: dict[Subject, str] = {
    "target": "provider || '/' || model",
    "task": "task",
    "day": "day",
    "provider": "provider",
}


class Entry(msgspec.Struct, frozen=True):
    """One row, before it is settled. ``cost`` None: nobody knows the price."""

    at: datetime
    provider: str
    model: str
    task: str
    cost: Decimal | None


class SpendingTable:
    """The table of one database. Its first use creates it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_ready = False

    def prepare(self) -> Database:
        """The database, with the table."""
        if not self._is_ready:
            migrations = migrations_named("costs")

            @migrations(name="spending")
            def _spending(database: sqlite_utils.Database) -> None:
                for statement in (_TABLE, *_INDICES):
                    database.execute(statement)

            self._database.migrate(migrations)
            self._is_ready = True
        return self._database

    def reserve(self, entry: Entry) -> int:
        """A row that counts with its cost from now on. Its number."""
        with self.prepare().write() as database:
            row = database.execute(
                "INSERT INTO spending (at, day, provider, model, task, state, cost, is_priced,"
                " is_estimate) VALUES (?, ?, ?, ?, ?, 'reserved', ?, ?, 1) RETURNING id",
                (
                    entry.at.astimezone(UTC).isoformat(timespec="milliseconds"),
                    entry.at.date().isoformat(),
                    entry.provider,
                    entry.model,
                    entry.task,
                    _whole(entry.cost or Decimal(0)),
                    entry.cost is not None,
                ),
            )
            return int(row.fetchone()[0])

    def settle(
        self,
        number: int,
        cost: Decimal | None,
        usage: Usage,
        *,
        cache_write_tokens: int,
        is_estimate: bool,
    ) -> None:
        """What it was in the end; the day stays the one on which it was reserved."""
        with self.prepare().write() as database:
            database.execute(
                "UPDATE spending SET state = 'settled', cost = ?, is_priced = ?, is_estimate = ?,"
                " prompt_tokens = ?, cached_tokens = ?, cache_write_tokens = ?,"
                " completion_tokens = ?, reasoning_tokens = ? WHERE id = ?",
                (
                    _whole(cost or Decimal(0)),
                    cost is not None,
                    is_estimate,
                    usage.prompt_tokens,
                    usage.cached_tokens,
                    cache_write_tokens,
                    usage.completion_tokens,
                    usage.reasoning_tokens,
                    number,
                ),
            )

    def release(self, number: int) -> None:
        """Forget a reservation; a settled row stays."""
        with self.prepare().write() as database:
            database.execute("DELETE FROM spending WHERE id = ? AND state = 'reserved'", (number,))

    def spent(self, first_day: str, last_day: str) -> Spent:
        """Everything between two days, these included; what is reserved counts in full."""
        # Inside a transaction of this thread: the writer's connection sees what it did itself.
        with self.prepare().write() as database:
            return _spent(database, first_day, last_day)

    def spent_now(self, first_day: str, last_day: str) -> Spent:
        """The same, to be shown: nobody is made to wait."""
        return _spent(self.prepare().read(), first_day, last_day)

    def likely_completion(self, provider: str, model: str) -> int | None:
        """How long the last answers of a target were; None when there was none."""
        row = (
            self.prepare()
            .read()
            .execute(
                "SELECT avg(completion_tokens) FROM (SELECT completion_tokens FROM spending"
                " WHERE provider = ? AND model = ? AND state = 'settled' ORDER BY id DESC LIMIT ?)",
                (provider, model, _REMEMBERED),
            )
        )
        average = row.fetchone()[0]
        return None if average is None else round(average)

    def totals(self, by: Subject, since: datetime | None) -> Iterator[Total]:
        """Sums by something: days the newest first, all else the dearest first."""
        begins = since.astimezone(UTC).isoformat(timespec="milliseconds") if since else ""
        order = "name DESC" if by == "day" else "total DESC, calls DESC, name"
        rows = (
            self.prepare()
            .read()
            .execute(
                f"SELECT {_NAMES[by]} AS name, count(*) AS calls, sum(prompt_tokens),"  # noqa: S608
                " sum(cached_tokens), sum(completion_tokens), sum(reasoning_tokens),"
                " sum(cost) AS total, sum(1 - is_priced), sum(is_estimate)"
                f" FROM spending WHERE at >= ? GROUP BY name ORDER BY {order}",
                (begins,),
            )
        )
        for name, calls, prompt, cached, completion, reasoning, cost, unpriced, estimated in rows:
            yield Total(
                name=name,
                calls=calls,
                prompt_tokens=prompt,
                cached_tokens=cached,
                completion_tokens=completion,
                reasoning_tokens=reasoning,
                cost=_money(cost),
                unpriced_calls=unpriced,
                estimated_calls=estimated,
            )


def _spent(database: sqlite_utils.Database, first_day: str, last_day: str) -> Spent:
    row = database.execute(
        "SELECT coalesce(sum(cost), 0), coalesce(sum(cost) FILTER (WHERE state = 'reserved'), 0)"
        " FROM spending WHERE day BETWEEN ? AND ?",
        (first_day, last_day),
    ).fetchone()
    return Spent(_money(row[0]), _money(row[1]))


def _whole(amount: Decimal) -> int:
    return int(amount.scaleb(_SCALE).to_integral_value(rounding=ROUND_CEILING))


def _money(whole: int) -> Decimal:
    return Decimal(whole).scaleb(-_SCALE).normalize() + 0  # without zeros at its end
