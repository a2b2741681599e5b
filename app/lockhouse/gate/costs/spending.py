"""The table of spending: a row for every remote question, including free ones.

Amounts are whole trillionths of a dollar, rounded up, so that sums are exact and never too low.
Hides the table and its queries. A row is stored with its calendar day in local time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from lockhouse.core.events import Usage
from lockhouse.gate.costs.values import Spent, Total
from lockhouse.storage.database import Tables

if TYPE_CHECKING:
    import sqlite_utils

    from lockhouse.storage.database import Database

Subject = Literal["target", "task", "day", "provider"]

_SCALE = 12
_UNIT = 10**_SCALE
_MOST = 10**18  # a million dollars, which larger amounts are counted as
_REMEMBERED = 20  # answers of a target, to estimate the length of the next one

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
) STRICT;
CREATE INDEX spending_by_day ON spending (day, state, cost);
CREATE INDEX spending_by_target ON spending (provider, model, id);
"""
# Dollars and the rest separately, so that no sum is too large for the database.
_SUM = f"sum(cost / {_UNIT}), sum(cost % {_UNIT})"
_NAMES: dict[Subject, str] = {
    "target": "provider || '/' || model",
    "task": "task",
    "day": "day",
    "provider": "provider",
}


class Entry(msgspec.Struct, frozen=True):
    """One row before it is settled. ``cost`` None: the price is not known."""

    at: datetime
    provider: str
    model: str
    task: str
    cost: Decimal | None


class SpendingTable:
    """The table of one database. Its first use creates it."""

    def __init__(self, database: Database) -> None:
        self._tables = Tables(database, "costs", {"spending": _TABLE})

    def write(self) -> AbstractContextManager[sqlite_utils.Database]:
        """A transaction: meanwhile no other program can reserve."""
        return self._tables.write()

    def reserve(self, entry: Entry) -> int:
        """Add a row whose cost counts from now on; its number."""
        with self._tables.write() as database:
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
        """Set the actual cost; the day remains the one of the reservation."""
        self._tables.change(
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
        """Remove a reservation; a settled row stays."""
        self._tables.change("DELETE FROM spending WHERE id = ? AND state = 'reserved'", (number,))

    def spent(self, first_day: str, last_day: str) -> Spent:
        """The sum of two days and those between; reservations count in full."""
        # The writer's connection, because it sees the open transaction of this thread.
        with self._tables.write() as database:
            return _spent(database, first_day, last_day)

    def spent_now(self, first_day: str, last_day: str) -> Spent:
        """The same for display, without waiting for writers."""
        return _spent(self._tables.read(), first_day, last_day)

    def likely_completion(self, provider: str, model: str) -> int | None:
        """The average length of a target's last answers; None when there was none."""
        (average,) = self._tables.row(
            "SELECT avg(completion_tokens) FROM (SELECT completion_tokens FROM spending"
            " WHERE provider = ? AND model = ? AND state = 'settled' ORDER BY id DESC LIMIT ?)",
            (provider, model, _REMEMBERED),
        )
        return None if average is None else round(average)

    def totals(self, by: Subject, since: datetime | None) -> Iterator[Total]:
        """Sums by subject: days the newest first, all else the highest first."""
        begins = since.astimezone(UTC).isoformat(timespec="milliseconds") if since else ""
        order = "name DESC" if by == "day" else "total(cost) DESC, calls DESC, name"
        rows = self._tables.rows(
            f"SELECT {_NAMES[by]} AS name, count(*) AS calls, sum(prompt_tokens),"  # noqa: S608
            " sum(cached_tokens), sum(completion_tokens), sum(reasoning_tokens),"
            f" {_SUM}, sum(1 - is_priced), sum(is_estimate)"
            f" FROM spending WHERE at >= ? GROUP BY name ORDER BY {order}",
            (begins,),
        )
        for name, calls, *tokens, dollars, rest, unpriced, estimated in rows:
            prompt, cached, completion, reasoning = tokens
            yield Total(
                name, calls, prompt, cached, completion, reasoning, _money(dollars, rest),
                unpriced_calls=unpriced, estimated_calls=estimated,
            )  # fmt: skip


def _spent(database: sqlite_utils.Database, first_day: str, last_day: str) -> Spent:
    rows = database.execute(
        f"SELECT state = 'reserved', {_SUM} FROM spending"  # noqa: S608 - own words only
        " WHERE day BETWEEN ? AND ? GROUP BY 1",
        (first_day, last_day),
    ).fetchall()
    sums = {is_reserved: _money(dollars, rest) for is_reserved, dollars, rest in rows}
    reserved = sums.get(1, Decimal(0))
    return Spent(sums.get(0, Decimal(0)) + reserved, reserved)


def _whole(amount: Decimal) -> int:
    return min(_MOST, int(amount.scaleb(_SCALE).to_integral_value(rounding=ROUND_CEILING)))


def _money(dollars: int, rest: int) -> Decimal:
    whole = Decimal(dollars * _UNIT + rest)
    return whole.scaleb(-_SCALE).normalize() + 0  # without zeros at its end
