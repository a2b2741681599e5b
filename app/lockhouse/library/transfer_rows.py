"""The table of transfers: what to download, how far it is, and which process works on it.

Hides SQL. A row is owned by a process, known by its number and start time; a row whose owner has
ended is free for the next process. Whatever depends on what another process may do at the same
moment is read and written in one transaction.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from lockhouse import processes
from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.core.json_decoding import decoded
from lockhouse.gate.hub import HubFile, HubRepo
from lockhouse.storage.connection import migrations_of
from lockhouse.storage.database import Database

if TYPE_CHECKING:
    import sqlite_utils

State = Literal["waiting", "downloading", "checking", "paused", "failed", "done"]
Request = Literal["", "pause", "cancel"]  # to the process that works on it
ACTIVE: Final = ("downloading", "checking")
_COLUMNS: Final = (
    "id, repo, files, label, state, wish, position, problem, hint, code, destination, verified,"
    " checked_bytes, speed_bytes_per_s, added_at, finished_at, owner_pid, owner_birth"
)

_DELETE_WORKER: Final = "DELETE FROM transfer_workers WHERE pid = ? AND birth = ?"

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


class Verified(msgspec.Struct, frozen=True):
    """A part file whose hash was right, and its size and time at that moment."""

    sha256: str
    size_bytes: int
    mtime_ns: int


class Row(msgspec.Struct, frozen=True):
    """One transfer, as the table keeps it. Only the chosen files of ``repo`` are kept."""

    id: str
    repo: HubRepo
    files: tuple[HubFile, ...]
    label: str
    state: State
    request: Request
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
        """The size of all its files."""
        return sum(file.size_bytes for file in self.files)


class TransferRows:
    """Reads and writes the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate(migrations_of("transfers", {"first": _FIRST}))

    def add(self, repo: HubRepo, files: Sequence[HubFile], label: str) -> str:
        """Put a download at the end of the queue; return its id, or that of the same download."""
        names = [file.name for file in files]
        with self._database.write() as database:
            for row in self.all():
                same = row.repo.repo == repo.repo and row.repo.revision == repo.revision
                if same and row.state != "done" and [file.name for file in row.files] == names:
                    return row.id
            chosen = uuid.uuid4().hex[:12]
            database.execute(
                "INSERT INTO transfers (id, repo, files, label, state, position, added_at)"
                " SELECT ?, ?, ?, ?, 'waiting', coalesce(max(position), 0) + 1, ? FROM transfers",
                [
                    chosen,
                    _json(msgspec.structs.replace(repo, files=())),
                    _json(files),
                    label,
                    datetime.now(UTC).isoformat(),
                ],
            )
            return chosen

    def all(self) -> list[Row]:
        """Those not done in their order, then the others, newest first."""
        return self._select(
            "ORDER BY state = 'done', CASE state WHEN 'done' THEN 0 ELSE position END,"
            " finished_at DESC, id"
        )

    def get(self, id: str) -> Row:  # noqa: A002
        """The row of that id, or whose id begins so."""
        found = self._select("WHERE substr(id, 1, length(?1)) = ?1 AND ?1 <> ''", id)
        found = [row for row in found if row.id == id] or found
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(
                f'"{id}" could mean {len(found)} transfers.',
                hint="Give more of its id: lockhouse transfers list",
                code="ambiguous",
            )
        raise NotFound(f'There is no transfer "{id}".', hint="List them: lockhouse transfers list")

    def _select(self, clause: str, *values: str) -> list[Row]:
        query = f"SELECT {_COLUMNS} FROM transfers {clause}"  # noqa: S608 - our own texts
        return [_row(row) for row in self._database.rows(query, values)]

    def ids(self) -> set[str]:
        """The ids of all transfers."""
        rows = self._database.rows("SELECT id FROM transfers")
        return {id_ for (id_,) in rows}

    # What the owner writes

    def claim(self, id: str) -> bool:  # noqa: A002
        """Make this process the owner, unless another one is or the transfer does not wait."""
        with self._database.write() as database:
            row = database.execute(
                "SELECT state, wish FROM transfers WHERE id = ?", [id]
            ).fetchone()
            if row is None or row[0] in ("paused", "failed", "done") or row[1]:
                return False
            if self._is_held(database, id):
                return False
            pid, birth = processes.mine()
            self.update(
                id, owner_pid=pid, owner_birth=birth, state="downloading", problem="", hint="",
                code="",
            )  # fmt: skip
            return True

    def release(self, id: str, state: State, **columns: object) -> None:  # noqa: A002
        """This process no longer works on it."""
        self.update(
            id, state=state, wish="", speed_bytes_per_s=0.0, owner_pid=None, owner_birth=None,
            **columns,
        )  # fmt: skip

    def update(self, id: str, **columns: object) -> None:  # noqa: A002
        """Change columns of a row."""
        names = ", ".join(f"{name} = ?" for name in columns)
        values = [_stored(value) for value in columns.values()]
        self._database.change(f"UPDATE transfers SET {names} WHERE id = ?", [*values, id])  # noqa: S608

    def leave(self, id: str, **columns: str) -> bool:  # noqa: A002
        """The owner was stopped: the transfer is paused if that was requested, else it waits.

        False when it is to be deleted; then nothing was changed.
        """
        with self._database.write():
            request = self.request_of(id)
            if request is None or request == "cancel":
                return False
            self.release(id, "paused" if request == "pause" else "waiting", **columns)
            return True

    def request_of(self, id: str) -> Request | None:  # noqa: A002
        """What is requested of the owner; None when the row is gone."""
        query = "SELECT wish FROM transfers WHERE id = ?"
        row = self._database.row(query, [id])
        return None if row is None else row[0]

    # What others write

    def pause(self, id: str) -> bool:  # noqa: A002
        """Request it of the owner, and return True; pause it at once where there is none."""
        with self._database.write() as database:
            if is_held := self._is_held(database, id):
                self.update(id, wish="pause")
            else:
                database.execute(
                    "UPDATE transfers SET state = 'paused' WHERE id = ? AND state <> 'done'", [id]
                )
            return is_held

    def cancel(self, id: str) -> bool:  # noqa: A002
        """Request it of the owner, and return True; delete the row where there is none."""
        with self._database.write() as database:
            if is_held := self._is_held(database, id):
                self.update(id, wish="cancel")
            else:
                self.delete(id)
            return is_held

    def resume(self, id: str, *, is_held: bool | None = None) -> None:  # noqa: A002
        """Take back a pause, or wait again; ``is_held`` where the caller knows better."""
        with self._database.write() as database:
            if self._is_held(database, id) if is_held is None else is_held:
                self.update(id, wish="")
            else:
                database.execute(
                    "UPDATE transfers SET state = 'waiting', wish = '', problem = '', hint = '',"
                    " code = '' WHERE id = ? AND state <> 'done'",
                    [id],
                )

    def clear_problem(self, id: str) -> None:  # noqa: A002
        """The reason for waiting is over. A transfer that was paused meanwhile stays paused."""
        self._database.change(
            "UPDATE transfers SET problem = '', hint = '', code = ''"
            " WHERE id = ? AND state = 'waiting'",
            [id],
        )

    def delete(self, id: str) -> None:  # noqa: A002
        """Delete a row."""
        self._database.change("DELETE FROM transfers WHERE id = ?", [id])

    def move(self, id: str, position: int) -> None:  # noqa: A002
        """Put a transfer at another place among those not done, counted from 0."""
        with self._database.write() as database:
            rows = database.execute(
                "SELECT id FROM transfers WHERE state <> 'done' ORDER BY position, id"
            ).fetchall()
            order = [row[0] for row in rows if row[0] != id]
            order.insert(max(0, min(position, len(order))), id)
            for place, each in enumerate(order):
                database.execute("UPDATE transfers SET position = ? WHERE id = ?", [place, each])

    def _is_held(self, database: sqlite_utils.Database, id: str) -> bool:  # noqa: A002
        owner = database.execute(
            "SELECT owner_pid, owner_birth FROM transfers WHERE id = ?", [id]
        ).fetchone()
        return owner is not None and owner[0] is not None and processes.is_alive(*owner)

    # Processes that work on the queue, and the speed limit

    def join_workers(self) -> None:
        """This process works on the queue."""
        with self._database.write() as database:
            for other in database.execute("SELECT pid, birth FROM transfer_workers").fetchall():
                if not processes.is_alive(*other):
                    database.execute(_DELETE_WORKER, list(other))
            database.execute(
                "INSERT OR IGNORE INTO transfer_workers (pid, birth) VALUES (?, ?)",
                list(processes.mine()),
            )

    def leave_workers(self) -> None:
        """This process no longer works on the queue."""
        self._database.change(_DELETE_WORKER, list(processes.mine()))

    def has_other_worker(self) -> bool:
        """Whether another living process works on the queue."""
        rows = self._database.rows("SELECT pid, birth FROM transfer_workers")
        return any(row[0] != os.getpid() and processes.is_alive(*row) for row in rows)

    @property
    def limit_bytes_per_s(self) -> int:
        """The speed limit of all downloads together; 0 is none."""
        row = self._database.row("SELECT bytes_per_s FROM transfer_limit")
        return int(row[0]) if row else 0

    @limit_bytes_per_s.setter
    def limit_bytes_per_s(self, limit: int) -> None:
        self._database.change(
            "INSERT OR REPLACE INTO transfer_limit (one, bytes_per_s) VALUES (1, ?)",
            [max(0, min(limit, 1 << 50))],
        )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _stored(value: object) -> object:
    if isinstance(value, Path):
        return os.fsencode(value)
    return _json(value) if isinstance(value, dict) else value


def _row(values: Sequence[Any]) -> Row:
    columns = dict(zip(Row.__struct_fields__[:-1], values[:-2], strict=True))
    pid, birth = values[-2:]
    place = columns["destination"]
    return Row(
        **{
            **columns,
            "repo": decoded(columns["repo"], HubRepo),
            "files": decoded(columns["files"], tuple[HubFile, ...]),
            "destination": Path(os.fsdecode(place)) if place is not None else None,
            "verified": decoded(columns["verified"], dict[str, Verified]),
            "owner": (pid, birth) if pid is not None else None,
        }
    )
