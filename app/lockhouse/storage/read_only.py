"""Reading a database on a disk that cannot be written: a full one, or one without the right.

SQLite writes even to read: with a write-ahead log it needs a file beside the database for what
its connections share. Hides the ways around that. Tables that the file does not have yet are
made in memory, so that a service that was never used reads as empty.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lockhouse.core.errors import StorageError
from lockhouse.storage.connection import connect, wrapped

if TYPE_CHECKING:
    from sqlite3 import Connection

    import sqlite_utils
    from sqlite_utils import Migrations

CODES = frozenset({"read_only", "disk_full", "disk_failed"})
"""The errors of a disk that cannot be written and may still be read."""

# In this order: as always, for a disk where others write; without a log; with a log that has to
# be read, while nobody else can write.
_VFS = "win32" if sys.platform == "win32" else "unix"  # named: memory has one of its own
_SHARED = f"mode=ro&vfs={_VFS}"
_WITHOUT_LOG = f"immutable=1&vfs={_VFS}"
_ALONE = f"mode=ro&vfs={_VFS}-none"


@contextmanager
def if_writable() -> Iterator[None]:
    """What is done within is left undone on a disk that cannot be written."""
    try:
        yield
    except StorageError as error:
        if error.code not in CODES:
            raise


def log_waits(path: Path) -> bool:
    """Whether something was written that is not yet in the file itself."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


class ReadOnlyFile:
    """What was stored, and tables in memory for what was not. Opening raises StorageError."""

    def __init__(self, path: Path, explain: Callable[[StorageError], StorageError]) -> None:
        self._path = path
        self._explain = explain
        self._memory = Path(f"/lockhouse-{secrets.token_hex(8)}")
        self._options: str | None = None
        self.connection = self._first()
        self._migrated = wrapped(self.connection)

    def reader(self) -> Connection:
        """A connection for one thread."""
        return self._open(self._options)

    def migrate(self, migrations: Migrations, applied: set[str], why: StorageError) -> None:
        """Make the tables of a service in memory. Raises ``why`` where old ones would change."""
        if applied:
            raise why
        migrations.apply(self._migrated)

    def close(self) -> None:
        """The tables in memory go with the last reader."""
        self.connection.close()

    def _first(self) -> Connection:
        """A connection in the first way that works."""
        try:
            has_content = self._path.stat().st_size > 0
        except OSError:
            has_content = False
        failure: StorageError | None = None
        for options in self._ways() if has_content else (None,):
            connection = None
            try:
                connection = self._open(options)
                _copy_names_of_migrations(wrapped(connection), has_file=options is not None)
            except StorageError as error:
                failure = error
                if connection is not None:
                    connection.close()
                if error.code not in CODES:
                    break
            else:
                self._options = options
                return connection
        assert failure is not None
        raise failure

    def _ways(self) -> tuple[str, ...]:
        return (_SHARED, _ALONE if log_waits(self._path) else _WITHOUT_LOG)

    def _open(self, options: str | None) -> Connection:
        """Memory first, so that new tables are made there, and the file behind it."""
        connection = connect(self._memory, self._explain, options="vfs=memdb", told=self._path)
        if options is None:
            return connection
        connection.execute(
            f"PRAGMA locking_mode = {'exclusive' if options == _ALONE else 'normal'}"
        )
        place = f"file:{quote(os.fsencode(self._path))}?{options}"
        connection.execute("ATTACH ? AS kept", [place])
        connection.execute("PRAGMA main.locking_mode = normal")
        connection.execute("SELECT count(*) FROM kept.sqlite_master").fetchone()
        return connection


def _copy_names_of_migrations(memory: sqlite_utils.Database, *, has_file: bool) -> None:
    from sqlite_utils import Migrations

    Migrations("").ensure_migrations_table(memory)
    there = "SELECT 1 FROM kept.sqlite_master WHERE name = '_sqlite_migrations'"
    if has_file and memory.execute(there).fetchone():
        memory.execute(
            "INSERT INTO main._sqlite_migrations (migration_set, name, applied_at)"
            " SELECT migration_set, name, applied_at FROM kept._sqlite_migrations"
        )
