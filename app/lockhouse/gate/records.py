"""The records of what left and what was refused: appended, never changed.

They hold hosts, sizes and outcomes, never what was said.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.storage.connection import migrations_named

if TYPE_CHECKING:
    import sqlite_utils

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
_COLUMNS = "at, kind, host, purpose, bytes_out, bytes_in, outcome, duration_s"


class Records:
    """The table of one database. Its first use creates it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_ready = False

    def add(self, record: Record) -> None:
        """Append one."""
        self._prepare()
        with self._database.write() as database:
            database.execute(
                f"INSERT INTO network_records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (
                    record.at,
                    record.kind,
                    record.host,
                    record.purpose,
                    record.bytes_out,
                    record.bytes_in,
                    record.outcome,
                    record.duration_s,
                ),
            )

    def note(
        self, kind: RecordKind, *, host: str = "", purpose: str = "", outcome: str = ""
    ) -> None:
        """Append what happens now and moves no bytes."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.add(Record(at, kind, host, purpose, outcome=outcome))

    def list(self, *, limit: int) -> list[Record]:
        """The newest first."""
        self._prepare()
        rows = self._database.read().execute(
            f"SELECT {_COLUMNS} FROM network_records ORDER BY seq DESC LIMIT ?",  # noqa: S608
            (limit,),
        )
        return [Record(*row) for row in rows]

    def _prepare(self) -> None:
        if self._is_ready:
            return
        migrations = migrations_named("gate")

        @migrations(name="network_records")
        def _network_records(database: sqlite_utils.Database) -> None:
            database.execute(_TABLE)

        self._database.migrate(migrations)
        self._is_ready = True
