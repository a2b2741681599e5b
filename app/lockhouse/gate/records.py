"""The records of what was sent, refused and allowed: appended, never changed.

They hold hosts, sizes and outcomes, never what was said. Old ones are removed only on request,
which is recorded as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.storage.database import Tables

if TYPE_CHECKING:
    from lockhouse.storage.database import Database

_TABLE = """
CREATE TABLE network_records (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL
        CHECK (kind IN ('allowed', 'refused', 'transfer', 'sealed', 'unsealed')),
    host TEXT NOT NULL DEFAULT '',
    purpose TEXT NOT NULL DEFAULT '',
    bytes_out INTEGER NOT NULL DEFAULT 0,
    bytes_in INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '',
    duration_s REAL NOT NULL DEFAULT 0
) STRICT
"""
# The same without the list of kinds, which grows; numbers are never used twice.
_SECOND_TABLE = """
CREATE TABLE network_records_new (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind <> ''),
    host TEXT NOT NULL DEFAULT '',
    purpose TEXT NOT NULL DEFAULT '',
    bytes_out INTEGER NOT NULL DEFAULT 0,
    bytes_in INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '',
    duration_s REAL NOT NULL DEFAULT 0
) STRICT;
INSERT INTO network_records_new SELECT * FROM network_records ORDER BY seq;
DROP TABLE network_records;
ALTER TABLE network_records_new RENAME TO network_records;
CREATE INDEX network_records_by_kind ON network_records (kind, seq);
"""
_STEPS = {"network_records": _TABLE, "network_records_of_more_kinds": _SECOND_TABLE}
_COLUMNS = "at, kind, host, purpose, bytes_out, bytes_in, outcome, duration_s"


class Term(msgspec.Struct, frozen=True):
    """A word to search for: in the host, the outcome and the purpose, or among ``purposes`` that
    a page shows under this word."""

    text: str
    purposes: tuple[str, ...] = ()


class RecordFilter(msgspec.Struct, frozen=True):
    """Which records to find; empty parts mean all. Every term must match."""

    kinds: tuple[RecordKind, ...] = ()
    terms: tuple[Term, ...] = ()


class KeptRecord(msgspec.Struct, frozen=True):
    """A record and its number, which increases and is never used twice."""

    seq: int
    record: Record


class Session(msgspec.Struct, frozen=True):
    """What happened since a record: bytes sent, to which hosts, and how often one was refused."""

    bytes_out: int = 0
    hosts: tuple[str, ...] = ()  # those that were sent something, the largest first
    refused: int = 0


class Records:
    """The table of one database. Its first use creates it."""

    def __init__(self, database: Database) -> None:
        self._tables = Tables(database, "gate", _STEPS)

    def add(self, record: Record) -> None:
        """Append one."""
        self._tables.change(
            f"INSERT INTO network_records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            msgspec.structs.astuple(record),
        )

    def note(
        self, kind: RecordKind, *, host: str = "", purpose: str = "", outcome: str = ""
    ) -> None:
        """Append an event of now that moves no bytes."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.add(Record(at, kind, host, purpose, outcome=outcome))

    def search(
        self, wanted: RecordFilter | None = None, *, before: int = 0, limit: int = 1000
    ) -> list[KeptRecord]:
        """The newest first; with ``before``, those older than the record of that number."""
        where, values = _where(wanted or RecordFilter())
        older = " AND seq < ?" if before else ""
        rows = self._tables.rows(
            f"SELECT seq, {_COLUMNS} FROM network_records"  # noqa: S608 - own words only
            f" WHERE {where}{older} ORDER BY seq DESC LIMIT ?",
            (*values, *((before,) if before else ()), limit),
        )
        return [KeptRecord(row[0], Record(*row[1:])) for row in rows]

    def prune(self, before: datetime, *, purpose: str) -> int:
        """Remove what is older than ``before``, and record that; how many there were."""
        moment = before.astimezone(UTC).isoformat(timespec="milliseconds")
        with self._tables.write() as database:
            gone = database.execute("DELETE FROM network_records WHERE at < ?", (moment,)).rowcount
            if gone:  # recorded in the same transaction
                self.note("pruned", purpose=purpose, outcome=f"{gone} records before {moment}")
        return int(gone)

    def last_seq(self) -> int:
        """The number of the newest; 0 when there is none. Cheap enough for a timer."""
        (found,) = self._tables.row("SELECT max(seq) FROM network_records")
        return int(found or 0)

    def since(self, seq: int) -> Session:
        """What happened after the record of that number."""
        moved = self._tables.rows(
            "SELECT host, sum(bytes_out) AS out FROM network_records"
            " WHERE seq > ? AND bytes_out > 0 GROUP BY host ORDER BY out DESC",
            (seq,),
        )
        (refused,) = self._tables.row(
            "SELECT count(*) FROM network_records WHERE seq > ? AND kind = 'refused'", (seq,)
        )
        return Session(sum(row[1] for row in moved), tuple(row[0] for row in moved), int(refused))

    def count(self, wanted: RecordFilter) -> int:
        """How many there are."""
        where, values = _where(wanted, counted=True)
        sql = f"SELECT count(*) FROM network_records WHERE {where}"  # noqa: S608 - own words only
        (found,) = self._tables.row(sql, values)
        return int(found)

    def page(self, wanted: RecordFilter, *, offset: int, limit: int) -> tuple[KeptRecord, ...]:
        """The oldest first, so that what is at an offset stays there when others are added."""
        where, values = _where(wanted)
        rows = self._tables.rows(
            f"SELECT seq, {_COLUMNS} FROM network_records"  # noqa: S608 - own words only
            f" WHERE {where} ORDER BY seq LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return tuple(KeptRecord(row[0], Record(*row[1:])) for row in rows)


def _where(wanted: RecordFilter, *, counted: bool = False) -> tuple[str, tuple[str, ...]]:
    parts = ["1"]
    values: list[str] = []
    if wanted.kinds:
        # The plus keeps the rows in the order of their numbers: nothing has to be sorted.
        column = "kind" if counted else "+kind"
        parts.append(f"{column} IN ({', '.join('?' * len(wanted.kinds))})")
        values += wanted.kinds
    for term in wanted.terms:
        shown = f" OR purpose IN ({', '.join('?' * len(term.purposes))})" if term.purposes else ""
        parts.append(f"(instr(lower(host || ' ' || purpose || ' ' || outcome), ?){shown})")
        values += [term.text.lower(), *term.purposes]
    return " AND ".join(parts), tuple(values)
