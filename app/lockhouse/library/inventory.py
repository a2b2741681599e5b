"""The tables of the library: registered models, aliases, hashes, and what headers said.

Hides SQL. A file is known by its path and recognised as unchanged by its stamp: size, time of
last change and inode.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lockhouse.core.errors import StorageError
from lockhouse.library.model_info import Facts
from lockhouse.library.naming import unique_name
from lockhouse.storage.connection import migrations_named
from lockhouse.storage.database import Database

if TYPE_CHECKING:
    import sqlite_utils

_FACTS_VERSION: Final = 1  # raised when the header reader learns something new

_FIRST = """
CREATE TABLE models (
    path BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    added_at TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE model_aliases (
    alias TEXT PRIMARY KEY,
    path BLOB NOT NULL
) STRICT;
CREATE TABLE model_hashes (
    path BLOB PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    hashed_at TEXT NOT NULL,
    changed_from TEXT
) STRICT;
CREATE TABLE model_facts (
    path BLOB PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode TEXT NOT NULL,
    version INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
"""


def library_migrations() -> sqlite_utils.Migrations:
    """Every step from an empty file to the tables of today."""
    migrations = migrations_named("library")

    @migrations()
    def first(database: sqlite_utils.Database) -> None:
        database.executescript(_FIRST)

    return migrations


class Stamp(msgspec.Struct, frozen=True):
    """What changes when a file's content does."""

    size_bytes: int
    mtime_ns: int
    inode: str  # text: it may need all 64 bits and more

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp in what stat said."""
        return cls(status.st_size, status.st_mtime_ns, str(status.st_ino))


class Registered(msgspec.Struct, frozen=True):
    """A model that was imported."""

    path: Path
    name: str
    owner: str
    pinned: bool


class Hashed(msgspec.Struct, frozen=True):
    """A hash, and of which state of the file it is."""

    stamp: Stamp
    sha256: str
    hashed_at: str
    changed_from: str | None


def _key(path: Path) -> bytes:
    return os.fsencode(path)  # a name need not be text


class Inventory:
    """Rows in, values out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate(library_migrations())

    def registered(self) -> list[Registered]:
        """In the order in which they were added."""
        rows = self._database.read().execute(
            "SELECT path, name, owner, pinned FROM models ORDER BY added_at, name"
        )
        return [
            Registered(Path(os.fsdecode(path)), name, owner, bool(pinned))
            for path, name, owner, pinned in rows.fetchall()
        ]

    def register(self, path: Path, *, name: str, owner: str) -> None:
        """Remember a model; nothing changes when its path is known already.

        Another process may have taken the name meanwhile; then a number is put behind it.
        """
        moment = datetime.now(UTC).isoformat()
        with self._database.write() as database:
            taken = {row[0] for row in database.execute("SELECT name FROM models")}
            database.execute(
                "INSERT INTO models (path, name, owner, added_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (path) DO NOTHING",
                [_key(path), unique_name(name, "", taken), owner, moment],
            )

    def set_pinned(self, path: Path, *, name: str, owner: str, pinned: bool) -> None:
        """Pin or release a model, which is registered by that."""
        self.register(path, name=name, owner=owner)
        with self._database.write() as database:
            database.execute(
                "UPDATE models SET pinned = ? WHERE path = ?", [int(pinned), _key(path)]
            )

    def forget(self, path: Path) -> None:
        """Drop everything that is known of a path."""
        with self._database.write() as database:
            for table in ("models", "model_aliases", "model_hashes", "model_facts"):
                database.execute(f"DELETE FROM {table} WHERE path = ?", [_key(path)])  # noqa: S608

    def aliases(self) -> dict[str, Path]:
        """Every alias and the path it stands for."""
        rows = self._database.read().execute("SELECT alias, path FROM model_aliases ORDER BY alias")
        return {alias: Path(os.fsdecode(path)) for alias, path in rows.fetchall()}

    def set_alias(self, alias: str, path: Path | None) -> None:
        """Let ``alias`` stand for ``path``, or for nothing."""
        with self._database.write() as database:
            database.execute("DELETE FROM model_aliases WHERE alias = ?", [alias])
            if path is not None:
                database.execute(
                    "INSERT INTO model_aliases (alias, path) VALUES (?, ?)", [alias, _key(path)]
                )

    def hashes(self) -> dict[Path, Hashed]:
        """The last hash of every file that was ever hashed."""
        rows = self._database.read().execute(
            "SELECT path, size_bytes, mtime_ns, inode, sha256, hashed_at, changed_from"
            " FROM model_hashes"
        )
        return {
            Path(os.fsdecode(path)): Hashed(Stamp(size, mtime, inode), sha256, at, changed_from)
            for path, size, mtime, inode, sha256, at, changed_from in rows.fetchall()
        }

    def hash_of(self, path: Path) -> Hashed | None:
        """The last hash of that file."""
        row = (
            self._database.read()
            .execute(
                "SELECT size_bytes, mtime_ns, inode, sha256, hashed_at, changed_from"
                " FROM model_hashes WHERE path = ?",
                [_key(path)],
            )
            .fetchone()
        )
        if row is None:
            return None
        size, mtime, inode, sha256, at, changed_from = row
        return Hashed(Stamp(size, mtime, inode), sha256, at, changed_from)

    def keep_hash(
        self, path: Path, stamp: Stamp, sha256: str, *, changed_from: str | None = None
    ) -> None:
        """Remember a hash. Where the database cannot be written, it is counted anew next time."""
        moment = datetime.now(UTC).isoformat()
        try:
            with self._database.write() as database:
                database.execute(
                    "INSERT OR REPLACE INTO model_hashes"
                    " (path, size_bytes, mtime_ns, inode, sha256, hashed_at, changed_from)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        _key(path),
                        stamp.size_bytes,
                        stamp.mtime_ns,
                        stamp.inode,
                        sha256,
                        moment,
                        changed_from,
                    ],
                )
        except StorageError:
            return

    def facts(self) -> dict[Path, tuple[Stamp, Facts]]:
        """What the headers said, by path."""
        rows = self._database.read().execute(
            "SELECT path, size_bytes, mtime_ns, inode, facts FROM model_facts WHERE version = ?",
            [_FACTS_VERSION],
        )
        return {
            Path(os.fsdecode(path)): (
                Stamp(size, mtime, inode),
                msgspec.json.decode(facts, type=Facts),
            )
            for path, size, mtime, inode, facts in rows.fetchall()
        }

    def keep_facts(self, path: Path, stamp: Stamp, facts: Facts) -> None:
        """Remember what a header said; a cache, so a database that refuses does no harm."""
        try:
            with self._database.write() as database:
                database.execute(
                    "INSERT OR REPLACE INTO model_facts"
                    " (path, size_bytes, mtime_ns, inode, version, facts)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        _key(path),
                        stamp.size_bytes,
                        stamp.mtime_ns,
                        stamp.inode,
                        _FACTS_VERSION,
                        msgspec.json.encode(facts).decode(),
                    ],
                )
        except StorageError:
            return
