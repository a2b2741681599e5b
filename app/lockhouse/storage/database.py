"""The one SQLite file: opening, reading, writing, migrating, backing up.

Hides connections, locks and what can make a file unusable. Every write of this
process goes through :meth:`Database.write`, one at a time and begun IMMEDIATE, so that
writers wait for each other instead of failing; other processes are waited for as well.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse.core.errors import StorageError
from lockhouse.storage.connection import BUSY_TIMEOUT_S, Statements, connect, migrations_of, wrapped
from lockhouse.storage.read_only import CODES as UNWRITABLE
from lockhouse.storage.read_only import ReadOnlyFile, log_waits
from lockhouse.storage.storage_errors import disk_full, map_write_error, read_only

if TYPE_CHECKING:
    from sqlite3 import Connection

    import sqlite_utils
    from sqlite_utils import Migrations

APPLICATION_ID = 0x4C4F434B  # "LOCK": tells our files from other SQLite files
FORMAT = 1  # raised only when an older program could not live with the file any more

_KEPT = 10  # backups
_LITTLE_BYTES = 262_144
_MADE_WITHIN_S = 2.0  # a file by the program that creates it
_MAGIC = b"SQLite format 3\x00"


class Database(Statements):
    """An open database; one per process, usable from several threads.

    Opening creates the file where there is none. A file that is damaged, foreign or from a newer
    program raises StorageError and is left exactly as it was. One that cannot be written can be
    read: ``unwritable`` is the error that every attempt to write raises. Nothing is written any
    more into a file that turns out to be damaged.
    """

    def __init__(self, path: Path, *, backups: Path) -> None:
        self.path = path
        self._backups = _Backups(backups, stem=path.stem)
        self._lock = threading.RLock()
        self._readers = threading.local()
        self._closed = False
        self._seen_version = 0
        self._damage: StorageError | None = None
        self.unwritable: StorageError | None = None
        self._read_only: ReadOnlyFile | None = None
        try:
            try:
                self._connection = self._open()
            except StorageError as error:
                if error.code not in UNWRITABLE:
                    raise
                self._connection = self._open_read_only(error)
        except StorageError as error:
            raise self._with_hint(error) from error
        self._writer = wrapped(self._connection)

    @contextmanager
    def write(self) -> Iterator[sqlite_utils.Database]:
        """One transaction, committed at the end, rolled back by any exception.

        Called again inside itself by the same thread, it joins the transaction that is open.
        """
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise StorageError(
                f"Another task has been writing to {self.path} for too long.",
                hint="Wait for it to end, then try again.",
                code="database_busy",
            )
        try:
            self._require_open()
            if (refusal := self._damage or self.unwritable) is not None:
                raise refusal
            if self._connection.in_transaction:
                with self._writer.atomic():
                    yield self._writer
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._connection.execute("COMMIT")
            except BaseException:
                _roll_back(self._connection)
                raise
        finally:
            self._lock.release()

    def read(self) -> sqlite_utils.Database:
        """The calling thread's connection; it sees what is committed and cannot write."""
        self._require_open()
        reader: sqlite_utils.Database | None = getattr(self._readers, "database", None)
        if reader is None:
            if self._read_only is not None:
                connection = self._read_only.reader()
            else:
                connection = connect(self.path, self._with_hint)
            connection.execute("PRAGMA query_only = on")
            reader = wrapped(connection)
            self._readers.database = reader
        return reader

    def migrate(self, migrations: Migrations) -> None:
        """Apply the pending migrations of a service, after a backup of a file that holds data.

        The first tables of a service change no existing ones and need no backup. Raises
        StorageError "database_too_new" when the file has some that are not known here.
        """
        known = {step.name for step in migrations._migrations}  # noqa: SLF001 - no public list
        applied = {migration.name for migration in migrations.applied(self.read())}
        if applied - known:
            raise self._with_hint(self._too_new())
        if known == applied:
            return
        if self._read_only is None:
            try:
                if applied and self._holds_data():
                    self.backup()
                with self.write() as database:
                    migrations.apply(database)
                return  # noqa: TRY300 - an else would hide the way out
            except StorageError as error:
                if error.code not in UNWRITABLE or applied:
                    raise
                self._go_read_only(error)
        with self._lock:
            assert self._read_only is not None
            assert self.unwritable is not None
            self._read_only.migrate(migrations, applied, self.unwritable)

    def backup(self) -> Path:
        """Copy the file to the backup folder. Writers do not have to wait."""
        if (refusal := self._damage or self.unwritable) is not None:
            raise refusal
        with closing(connect(self.path, self._with_hint)) as connection:
            return self._backups.make(connection)

    def backup_when_due(self, after: timedelta) -> Path | None:
        """Make a backup when the newest one is older than that and the file holds data."""
        age = self._backups.age()
        if (age is not None and age < after) or self.unwritable or not self._holds_data():
            return None
        return self.backup()

    def problems(self, *, quick: bool = False) -> list[str]:
        """The problems that SQLite finds when it checks every page; slow, unless ``quick``."""
        check = "PRAGMA quick_check" if quick else "PRAGMA integrity_check"
        try:
            if self._read_only is not None:
                rows = self.read().execute(check).fetchall()
            else:
                # A connection of its own: the check of a search index trusts what a connection
                # remembers of the index, which another one may have put in order meanwhile.
                with closing(connect(self.path, self._with_hint)) as connection:
                    rows = connection.execute(check).fetchall()
        except StorageError as error:
            return [error.message]
        found = [str(row[0]) for row in rows if row[0] != "ok"]
        if found:
            self._with_hint(self._damaged())
        return found

    def settle(self) -> None:
        """Move the write-ahead log into the file and empty it, unless somebody is reading."""
        with self._lock:
            self._require_open()
            if self._damage or self.unwritable:
                return
            self._connection.execute("PRAGMA busy_timeout = 0")
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")

    def data_version(self) -> int:
        """A number that changes when another process has written to the file. Never waits."""
        if self._lock.acquire(blocking=False):
            try:
                if self._closed:
                    return self._seen_version
                row = self._connection.execute("PRAGMA data_version").fetchone()
                self._seen_version = int(row[0])
            finally:
                self._lock.release()
        return self._seen_version

    def close(self) -> None:
        """End writing, and reading in this thread.

        Other threads get an error at their next call; a connection that one of them is using at
        this moment is closed with its thread.
        """
        with self._lock, ExitStack() as untouched:
            self._closed = True
            if self._damage is not None:
                untouched.enter_context(_left_as_it_is(self.path))
            self._connection.close()
            reader: sqlite_utils.Database | None = getattr(self._readers, "database", None)
            if reader is not None:
                reader.close()

    def _require_open(self) -> None:
        if self._closed:
            raise StorageError(f"The database {self.path} is closed.", code="database_closed")

    # Opening

    def _open(self) -> Connection:
        self._prepare_folder()
        self._check_file()
        connection = connect(self.path, self._with_hint)
        try:
            self._check_identity(connection)
            self._make_ours(connection)
        except StorageError as error:
            with _left_as_it_is(self.path) if error.code not in UNWRITABLE else nullcontext():
                connection.close()
            raise
        return connection

    def _open_read_only(self, why: StorageError) -> Connection:
        """A connection that reads what is there. Raises ``why`` where nothing can be."""
        there = next(each for each in self.path.parents if os.path.lexists(each))
        is_there = os.path.lexists(self.path)
        if not there.is_dir() or (is_there and not os.access(self.path, os.R_OK)):
            raise why
        try:
            self._read_only = ReadOnlyFile(self.path, self._with_hint)
        except StorageError as error:
            raise error if error.code == "database_damaged" else why from error
        if why.code == "disk_failed" and shutil.disk_usage(there).free < _LITTLE_BYTES:
            why = disk_full(self.path)  # SQLite had no room for what its connections share
        self.unwritable = why
        return self._read_only.connection

    def _go_read_only(self, why: StorageError) -> None:
        """There was room to open the file, and none for the first tables of a service."""
        with self._lock:
            self._connection.close()
            self._readers = threading.local()
            self._connection = self._open_read_only(why)
            self._writer = wrapped(self._connection)

    def _prepare_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise map_write_error(self.path.parent, error) from error

    def _check_file(self) -> None:
        """Refuse a file that is not a database before SQLite opens it."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise read_only(self.path) from error
        if not stat.S_ISREG(status.st_mode):
            raise StorageError(
                f"{self.path} is not a file.", hint="Move it away.", code="database_damaged"
            )
        if status.st_size == 0:
            self._check_empty()
            return
        try:
            with self.path.open("rb") as file:
                head = file.read(100)
        except OSError as error:
            raise read_only(self.path) from error
        if len(head) < 100 or not head.startswith(_MAGIC):
            raise self._damaged()
        # A complete file in which no write-ahead log is waiting is as long as its header says.
        # A cut one would otherwise be noticed only when the missing part is asked for.
        pages = int.from_bytes(head[28:32], "big")
        page_bytes = int.from_bytes(head[16:18], "big")
        page_bytes = 65536 if page_bytes == 1 else page_bytes
        current = head[24:28] == head[92:96]
        if current and not log_waits(self.path) and pages * page_bytes > status.st_size:
            raise self._damaged()

    def _check_empty(self) -> None:
        """An empty file is one that is being made, unless there are backups of it."""
        patience = time.monotonic() + _MADE_WITHIN_S
        while self._backups.newest() is not None and self.path.stat().st_size == 0:
            if time.monotonic() > patience:
                raise StorageError(f"The database {self.path} is empty.", code="database_damaged")
            time.sleep(0.01)

    def _check_identity(self, connection: Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == APPLICATION_ID:
            if version > FORMAT:
                raise self._too_new()
        elif application != 0 or tables:
            raise StorageError(
                f"{self.path} is a database of another program.",
                hint="Move it away, or choose another folder with --home.",
                code="database_foreign",
            )

    def _make_ours(self, connection: Connection) -> None:
        _switch_to_wal(connection)
        # Every commit reaches the disk: streamed text has to survive a power cut.
        connection.execute("PRAGMA synchronous = full")
        # Deleted content is overwritten.
        connection.execute("PRAGMA secure_delete = on")
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
        except StorageError:
            _roll_back(connection)
            raise

    def _holds_data(self) -> bool:
        reader = self.read()
        tables = reader.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_sqlite_migrations'"
        ).fetchall()
        return any(
            reader.execute(f'SELECT EXISTS (SELECT 1 FROM "{name}")').fetchone()[0]  # noqa: S608
            for (name,) in tables
        )

    # Errors

    def _damaged(self) -> StorageError:
        return StorageError(f"The database {self.path} is damaged.", code="database_damaged")

    def _too_new(self) -> StorageError:
        return StorageError(
            f"The database {self.path} was written by a newer version of Lockhouse.",
            code="database_too_new",
        )

    def _with_hint(self, error: StorageError) -> StorageError:
        """The same error with a hint that names the file and the newest backup."""
        newest = self._backups.newest()
        if error.code == "database_damaged":
            back = (
                f"copy the newest backup, {newest}, to {self.path} and start again."
                if newest
                else "start again; there is no backup yet, so Lockhouse begins empty."
            )
            hint = (
                "Nothing was changed. Recover what can be read: lockhouse chats recover. Or move"
                f" {self.path} (and the files beside it that end in -wal and -shm) to a safe"
                f" place, then {back}"
            )
            self._damage = StorageError(error.message, hint=hint, code=error.code)
        elif error.code == "database_too_new":
            hint = "Install the newer version again" + (
                f", or put the newest backup, {newest}, in its place." if newest else "."
            )
        else:
            return error
        return StorageError(error.message, hint=hint, code=error.code)


@contextmanager
def _left_as_it_is(path: Path) -> Iterator[None]:
    """Connections that are closed within leave the file as it is.

    The last connection would move the write-ahead log into it; one that only reads cannot.
    """
    with ExitStack() as kept:
        if log_waits(path):
            reader = kept.enter_context(
                closing(connect(path, lambda error: error, options="mode=ro"))
            )
            with suppress(StorageError):
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


def _roll_back(connection: Connection) -> None:
    if connection.in_transaction:  # a full disk may have ended it already
        connection.execute("ROLLBACK")


def _switch_to_wal(connection: Connection) -> None:
    """Turn on the write-ahead log.

    SQLite does not wait for other connections in this step, so two processes that start for the
    first time at once have to wait here.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = wal")
        except StorageError as error:
            if error.code != "database_busy" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class _Backups:
    """The folder with the backups: how they are named, and how many are kept."""

    def __init__(self, folder: Path, *, stem: str) -> None:
        self._folder = folder
        self._stem = stem

    def all(self) -> list[Path]:
        """Every backup, the oldest first."""
        try:
            return sorted(self._folder.glob(f"{self._stem}-*.db"))
        except OSError:
            return []

    def newest(self) -> Path | None:
        """The newest backup."""
        found = self.all()
        return found[-1] if found else None

    def age(self) -> timedelta | None:
        """The age of the newest backup."""
        if (newest := self.newest()) is None:
            return None
        return datetime.now(UTC) - datetime.fromtimestamp(newest.stat().st_mtime, UTC)

    def make(self, connection: Connection) -> Path:
        """Copy the whole database, consistent even while others write to it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise map_write_error(self._folder, error) from error
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        place = self._folder / f"{self._stem}-{stamp}.db"
        unfinished = place.with_suffix(".unfinished")
        try:
            connection.execute("VACUUM INTO ?", [str(unfinished)])
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(place)
        except StorageError as error:
            unfinished.unlink(missing_ok=True)
            if error.code in ("disk_full", "disk_failed"):
                raise disk_full(place) from error
            raise
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise map_write_error(place, error) from error
        for old in self.all()[:-_KEPT]:
            old.unlink(missing_ok=True)
        return place


class Tables(Statements):
    """The tables of one service, created or brought up to date at their first use.

    Usable from any thread, for as long as the database is open.
    """

    def __init__(self, database: Database, service: str, steps: Mapping[str, str]) -> None:
        self._database = database
        self._service = service
        self._steps = steps
        self._is_ready = False

    def read(self) -> sqlite_utils.Database:
        """See :meth:`Database.read`."""
        self._prepare()
        return self._database.read()

    def write(self) -> AbstractContextManager[sqlite_utils.Database]:
        """See :meth:`Database.write`."""
        self._prepare()
        return self._database.write()

    def _prepare(self) -> None:
        if not self._is_ready:
            self._database.migrate(migrations_of(self._service, self._steps))
            self._is_ready = True
