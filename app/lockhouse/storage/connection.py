"""Connections to the one SQLite file, with its errors mapped to errors for the user.

Hides sqlcipher3 (its SQLite is current everywhere, and the file can be encrypted), the
pragmas every connection needs, and the cost of importing sqlite-utils.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import sqlcipher3.dbapi2 as sqlcipher

from lockhouse.core.errors import StorageError
from lockhouse.storage.storage_errors import disk_full, read_only

if TYPE_CHECKING:
    from sqlite3 import Connection

    import sqlite_utils

BUSY_TIMEOUT_S = 30.0

_BUSY, _LOCKED, _READONLY, _IO, _CORRUPT = 5, 6, 8, 10, 11
_FULL, _CANTOPEN, _NOTADB = 13, 14, 26
_PRIMARY_CODE = 0xFF


# Damaged text surfaces as text that is not UTF-8, in a value or in a message.
_FAILURES = (sqlcipher.DatabaseError, UnicodeDecodeError)
_NOT_TEXT = "Could not decode to UTF-8"


def _mapping(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a cursor that maps what it raises."""

    def mapped(self: _Cursor, *args: Any) -> Any:
        try:
            return method(self, *args)
        except _FAILURES as error:
            raise self.mapped(error) from error

    return mapped


class _Cursor(sqlcipher.Cursor):  # type: ignore[misc]
    """A cursor that raises StorageErrors for failures of storage, but not for mistakes in SQL."""

    execute = _mapping(sqlcipher.Cursor.execute)
    executemany = _mapping(sqlcipher.Cursor.executemany)
    __next__ = _mapping(sqlcipher.Cursor.__next__)
    fetchone = _mapping(sqlcipher.Cursor.fetchone)
    fetchall = _mapping(sqlcipher.Cursor.fetchall)

    def mapped(self, error: Exception) -> Exception:
        """The error for the user; the same one when it is a mistake in SQL."""
        mapped = map_error(error, self.connection.path)
        return self.connection.explain(mapped) if isinstance(mapped, StorageError) else mapped


class _Connection(sqlcipher.Connection):  # type: ignore[misc]
    """A connection whose cursors map errors."""

    path: Path
    explain: Callable[[StorageError], StorageError]

    def cursor(self, *_factory: Any) -> _Cursor:
        return cast(_Cursor, super().cursor(_Cursor))

    def execute(self, *args: Any) -> _Cursor:
        return cast(_Cursor, self.cursor().execute(*args))

    def executemany(self, *args: Any) -> _Cursor:
        return cast(_Cursor, self.cursor().executemany(*args))


def connect(
    path: Path,
    explain: Callable[[StorageError], StorageError],
    *,
    options: str = "",
    told: Path | None = None,
) -> Connection:
    """An open connection in autocommit mode; usable from any thread, one at a time.

    ``explain`` may add to an error what only the caller knows; errors name ``told``, or else
    the path. ``options`` are those of SQLite's URIs.
    """
    place = f"file:{quote(os.fsencode(path))}?{options}" if options else str(path)
    try:
        connection = sqlcipher.connect(
            place,
            uri=bool(options),
            isolation_level=None,
            timeout=BUSY_TIMEOUT_S,
            check_same_thread=False,
            factory=_Connection,
        )
    except sqlcipher.DatabaseError as error:
        raise map_error(error, told or path) from error
    connection.path, connection.explain = told or path, explain
    connection.execute("PRAGMA foreign_keys = on")
    return cast("Connection", connection)


def map_error(error: Exception, path: Path) -> Exception:
    """A database error as an error for the user; ``error`` itself when it is a bug of ours."""
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & _PRIMARY_CODE
    not_text = isinstance(error, UnicodeDecodeError) or str(error).startswith(_NOT_TEXT)
    if not_text or code in (_CORRUPT, _NOTADB):
        return _damage(path)
    if code in (_READONLY, _CANTOPEN):
        return read_only(path)
    if code == _FULL:
        return disk_full(path)
    if code in (_BUSY, _LOCKED):
        return StorageError(
            f"The database {path} has been in use by another program for too long.",
            hint="Close other Lockhouse windows and commands, then try again.",
            code="database_busy",
        )
    if code == _IO:
        return StorageError(
            f"The database {path} could not be read or written.",
            hint="Check that its disk is connected, healthy and not full.",
            code="disk_failed",
        )
    return error


def _damage(path: Path) -> StorageError:
    return StorageError(f"The database {path} is damaged.", code="database_damaged")


def damaged(database: sqlite_utils.Database) -> StorageError:
    """The error for a stored value that Lockhouse did not write."""
    connection = cast(_Connection, database.conn)
    return connection.explain(_damage(connection.path))


class _WithoutDataFrames:
    """Lets one thread import as if numpy and pandas were not installed."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in ("numpy", "pandas") and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)
        return None


def wrapped(connection: Connection) -> sqlite_utils.Database:
    """sqlite-utils on one of our connections, without its plugins."""
    return cast(
        "sqlite_utils.Database", _sqlite_utils().Database(connection, execute_plugins=False)
    )


def migrations_of(service: str, steps: Mapping[str, str]) -> sqlite_utils.Migrations:
    """The steps from an empty file to the tables of today: SQL by name. They are only appended."""
    migrations = cast("sqlite_utils.Migrations", _sqlite_utils().Migrations(service))
    for name, sql in steps.items():

        @migrations(name=name)
        def _step(database: sqlite_utils.Database, sql: str = sql) -> None:
            database.executescript(sql)

    return migrations


class Statements:
    """Single statements, for what has transactions (``write``) and a connection (``read``)."""

    def read(self) -> sqlite_utils.Database:
        """The calling thread's connection; it sees what is committed and cannot write."""
        raise NotImplementedError

    def write(self) -> AbstractContextManager[sqlite_utils.Database]:
        """One transaction, committed at the end, rolled back by any exception."""
        raise NotImplementedError

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, read at once."""
        return self.read().execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query; None where there is none."""
        return self.read().execute(query, values).fetchone()

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Carry out one statement in a transaction; how many rows it changed."""
        with self.write() as database:
            return database.execute(statement, values).rowcount


def _sqlite_utils() -> ModuleType:
    """sqlite-utils, imported without numpy and pandas.

    It needs them only to convert their types, which never reach the database; numpy alone is
    more than half of the import.
    """
    if "sqlite_utils" in sys.modules:
        return importlib.import_module("sqlite_utils")
    finder = _WithoutDataFrames()
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module("sqlite_utils")
    finally:
        sys.meta_path.remove(finder)
