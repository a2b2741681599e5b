"""The table of transfers: what is to be fetched, how far it is, and which process works on it.

Hides SQL. A row's owner is a process by number and birth; the row of one that is gone is free
for the next to take.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from lockhouse import processes
from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.core.json_decoding import decoded
from lockhouse.gate.hub import HubFile, HubRepo
from lockhouse.storage.connection import migrations_named
from lockhouse.storage.database import Database

if TYPE_CHECKING:
    import sqlite_utils

State = Literal["waiting", "downloading", "checking", "paused", "failed", "done"]
SendOptions = Literal["", "pause", "cancel"]
ACTIVE: Final = ("downloading", "checking")
_COLUMNS: Final = (
    "id, repo, files, label, state, wish, position, problem, hint, code, destination, verified,"
    " checked_bytes, speed_bytes_per_s, added_at, finished_at, owner_pid, owner_birth"
)

_FIRST = """
CREATE TABLE transfers (
    id TEXT PRIMARY KEY,
    repo TEXT NOT NULL,
    files TEXT NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL,
    wish TEXT NOT NULL DEFAULT '',
    position INTEGER NOT NULL,
    problem TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    destination BLOB,
    verified TEXT NOT NULL DEFAULT '{}',
    checked_bytes INTEGER NOT NULL DEFAULT 0,
    speed_bytes_per_s REAL NOT NULL DEFAULT 0,
    added_at TEXT NOT NULL,
    finished_at TEXT NOT NULL DEFAULT '',
    owner_pid INTEGER,
    owner_birth REAL
) STRICT;
CREATE TABLE transfer_workers (
    pid INTEGER NOT NULL,
    birth REAL NOT NULL,
    PRIMARY KEY (pid, birth)
) STRICT;
CREATE TABLE transfer_limit (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    bytes_per_s INTEGER NOT NULL
) STRICT;
"""


def transfer_migrations() -> sqlite_utils.Migrations:
    """Every step from an empty file to the tables of today."""
    migrations = migrations_named("transfers")

    @migrations()
    def first(database: sqlite_utils.Database) -> None:
        database.executescript(_FIRST)

    return migrations


class Verified(msgspec.Struct, frozen=True):
    """A part file that was found right, and the state it was in."""

    sha256: str
    size_bytes: int
    mtime_ns: int


class Row(msgspec.Struct, frozen=True):
    """One transfer as the table knows it. ``repo`` holds only what was chosen of its files."""

    id: str
    repo: HubRepo
    files: tuple[HubFile, ...]
    label: str
    state: State
    wish: SendOptions
    position: int
    problem: str
    hint: str
    code: str
    destination: Path | None
    verified: dict[str, Verified]
    checked_bytes: int
    speed_bytes_per_s: float
    added_at: str
    finished_at: str
    owner: tuple[int, float] | None

    @property
    def is_held(self) -> bool:
        """Whether a living process works on it."""
        return self.owner is not None and processes.is_alive(*self.owner)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)


class TransferRows:
    """Rows in, values out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate(transfer_migrations())

    def add(self, id: str, repo: HubRepo, files: Sequence[HubFile], label: str) -> None:  # noqa: A002
        """At the end of the queue."""
        kept = msgspec.structs.replace(repo, files=())
        moment = datetime.now(UTC).isoformat()
        with self._database.write() as database:
            database.execute(
                "INSERT INTO transfers (id, repo, files, label, state, position, added_at)"
                " SELECT ?, ?, ?, ?, 'waiting', coalesce(max(position), 0) + 1, ? FROM transfers",
                [id, _json(kept), _json(files), label, moment],
            )

    def all(self) -> list[Row]:
        """Those not done in their order, then the others, newest first."""
        rows = self._database.read().execute(
            f"SELECT {_COLUMNS} FROM transfers"  # noqa: S608 - names of columns
            " ORDER BY state = 'done', CASE state WHEN 'done' THEN 0 ELSE position END,"
            " finished_at DESC, id"
        )
        return [_row(row) for row in rows.fetchall()]

    def get(self, id: str) -> Row:  # noqa: A002
        """By its id or what that begins with."""
        rows = self.all()
        found = [row for row in rows if row.id == id] or [
            row for row in rows if id and row.id.startswith(id)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(
                f'"{id}" could mean {len(found)} transfers.',
                hint="Give more of its id: lockhouse transfers list",
                code="ambiguous",
            )
        raise NotFound(
            f'There is no transfer "{id}".', hint="See which there are: lockhouse transfers list"
        )

    def claim(self, id: str) -> bool:  # noqa: A002
        """Make this process its owner, unless another one is or it does not wait."""
        pid, birth = processes.mine()
        with self._database.write() as database:
            row = database.execute(
                "SELECT state, owner_pid, owner_birth, wish FROM transfers WHERE id = ?", [id]
            ).fetchone()
            if row is None or row[0] in ("paused", "failed", "done") or row[3]:
                return False
            if row[1] is not None and processes.is_alive(row[1], row[2]):
                return False
            database.execute(
                "UPDATE transfers SET owner_pid = ?, owner_birth = ?, state = 'downloading',"
                " problem = '', hint = '', code = '' WHERE id = ?",
                [pid, birth, id],
            )
            return True

    def release(self, id: str, state: State, **columns: object) -> None:  # noqa: A002
        """This process has stopped working on it."""
        self.update(
            id, state=state, wish="", speed_bytes_per_s=0.0, owner_pid=None, owner_birth=None,
            **columns,
        )  # fmt: skip

    def update(self, id: str, **columns: object) -> None:  # noqa: A002
        """Change what is known of one."""
        names = ", ".join(f"{name} = ?" for name in columns)
        values = [_stored(value) for value in columns.values()]
        with self._database.write() as database:
            database.execute(f"UPDATE transfers SET {names} WHERE id = ?", [*values, id])  # noqa: S608

    def wish_of(self, id: str) -> SendOptions | None:  # noqa: A002
        """What somebody wants of the owner; None when the row is gone."""
        row = (
            self._database.read()
            .execute("SELECT wish FROM transfers WHERE id = ?", [id])
            .fetchone()
        )
        return None if row is None else row[0]

    # A wish and the end of the work may come at the same moment: each of the four below looks
    # and writes in one transaction, so that neither is lost.

    def wish(self, id: str, wish: Literal["pause", "cancel"]) -> bool:  # noqa: A002
        """Tell the owner; without one, what waits is paused at once, and the answer is False."""
        with self._database.write() as database:
            is_held = self._is_held(database, id)
            if is_held:
                database.execute("UPDATE transfers SET wish = ? WHERE id = ?", [wish, id])
            elif wish == "pause":
                database.execute(
                    "UPDATE transfers SET state = 'paused' WHERE id = ? AND state <> 'done'", [id]
                )
            return is_held

    def go_on(self, id: str, *, is_held: bool | None = None) -> None:  # noqa: A002
        """Take a pause back, or wait again; ``is_held`` where the caller knows it better."""
        with self._database.write() as database:
            if self._is_held(database, id) if is_held is None else is_held:
                database.execute("UPDATE transfers SET wish = '' WHERE id = ?", [id])
            else:
                database.execute(
                    "UPDATE transfers SET state = 'waiting', wish = '', problem = '', hint = '',"
                    " code = '' WHERE id = ? AND state <> 'done'",
                    [id],
                )

    def leave(self, id: str, **told: str) -> bool:  # noqa: A002
        """The owner was stopped: paused if that is wished, else it waits for the next.

        ``told`` says why. False when it is to be forgotten; then the row is as it was.
        """
        with self._database.write() as database:
            row = database.execute("SELECT wish FROM transfers WHERE id = ?", [id]).fetchone()
            if row is None or row[0] == "cancel":
                return False
            self.release(id, "paused" if row[0] == "pause" else "waiting", **told)
            return True

    def wait_no_more(self, id: str) -> None:  # noqa: A002
        """Why it waits is over. One that was paused meanwhile stays paused."""
        with self._database.write() as database:
            database.execute(
                "UPDATE transfers SET problem = '', hint = '', code = ''"
                " WHERE id = ? AND state = 'waiting'",
                [id],
            )

    def _is_held(self, database: sqlite_utils.Database, id: str) -> bool:  # noqa: A002
        owner = database.execute(
            "SELECT owner_pid, owner_birth FROM transfers WHERE id = ?", [id]
        ).fetchone()
        return owner is not None and owner[0] is not None and processes.is_alive(*owner)

    def delete(self, id: str) -> None:  # noqa: A002
        """Forget it."""
        with self._database.write() as database:
            database.execute("DELETE FROM transfers WHERE id = ?", [id])

    def move(self, id: str, position: int) -> None:  # noqa: A002
        """Give it a place among those not done, counted from 0."""
        with self._database.write() as database:
            rows = database.execute(
                "SELECT id FROM transfers WHERE state <> 'done' ORDER BY position, id"
            ).fetchall()
            order = [row[0] for row in rows if row[0] != id]
            order.insert(max(0, min(position, len(order))), id)
            for place, each in enumerate(order):
                database.execute("UPDATE transfers SET position = ? WHERE id = ?", [place, each])

    # Who works, and how fast

    def join_workers(self) -> None:
        """This process works on whatever waits."""
        pid, birth = processes.mine()
        with self._database.write() as database:
            for other in database.execute("SELECT pid, birth FROM transfer_workers").fetchall():
                if not processes.is_alive(*other):
                    database.execute(
                        "DELETE FROM transfer_workers WHERE pid = ? AND birth = ?", list(other)
                    )
            database.execute(
                "INSERT OR IGNORE INTO transfer_workers (pid, birth) VALUES (?, ?)", [pid, birth]
            )

    def leave_workers(self) -> None:
        """It does so no more."""
        with self._database.write() as database:
            database.execute(
                "DELETE FROM transfer_workers WHERE pid = ? AND birth = ?", list(processes.mine())
            )

    def has_other_worker(self) -> bool:
        """Whether another living process works on whatever waits."""
        rows = self._database.read().execute("SELECT pid, birth FROM transfer_workers").fetchall()
        return any(row[0] != os.getpid() and processes.is_alive(*row) for row in rows)

    @property
    def limit_bytes_per_s(self) -> int:
        """0 is none."""
        row = self._database.read().execute("SELECT bytes_per_s FROM transfer_limit").fetchone()
        return int(row[0]) if row else 0

    @limit_bytes_per_s.setter
    def limit_bytes_per_s(self, limit: int) -> None:
        with self._database.write() as database:
            database.execute(
                "INSERT OR REPLACE INTO transfer_limit (one, bytes_per_s) VALUES (1, ?)",
                [max(0, min(limit, 1 << 50))],
            )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _stored(value: object) -> object:
    if isinstance(value, Path):
        return os.fsencode(value)
    return _json(value) if isinstance(value, dict) else value


def _row(row: Sequence[Any]) -> Row:
    pid, birth = row[16], row[17]
    return Row(
        id=row[0],
        repo=decoded(row[1], HubRepo),
        files=decoded(row[2], tuple[HubFile, ...]),
        label=row[3],
        state=row[4],
        wish=row[5],
        position=row[6],
        problem=row[7],
        hint=row[8],
        code=row[9],
        destination=Path(os.fsdecode(row[10])) if row[10] is not None else None,
        verified=decoded(row[11], dict[str, Verified]),
        checked_bytes=row[12],
        speed_bytes_per_s=row[13],
        added_at=row[14],
        finished_at=row[15],
        owner=(pid, birth) if pid is not None else None,
    )
