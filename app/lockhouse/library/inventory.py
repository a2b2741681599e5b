"""The tables of the library: registered models, aliases, hashes, and what headers said.

Hides SQL. A file is known by its path and recognised as unchanged by its stamp: size, time of
last change and inode.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lockhouse.core.errors import StorageError
from lockhouse.core.json_decoding import decoded
from lockhouse.library.model_info import Facts, Speed
from lockhouse.library.model_names import unique_name
from lockhouse.storage.connection import migrations_named
from lockhouse.storage.database import Database

if TYPE_CHECKING:
    import sqlite_utils

_FACTS_VERSION: Final = 3  # raised when the header reader learns something new

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

_SECOND = """
CREATE TABLE model_folders (
    path BLOB PRIMARY KEY,
    main INTEGER NOT NULL DEFAULT 0,
    added_at TEXT NOT NULL
) STRICT;
CREATE TABLE model_relocations (
    source BLOB PRIMARY KEY,
    target BLOB NOT NULL,
    began_at TEXT NOT NULL
) STRICT;
CREATE TABLE model_samples (
    path BLOB PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode TEXT NOT NULL,
    sample TEXT NOT NULL
) STRICT;
CREATE TABLE model_profiles (
    path BLOB NOT NULL,
    name TEXT NOT NULL,
    load TEXT NOT NULL,
    sampling TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (path, name)
) STRICT;
CREATE TABLE model_revisions (
    path BLOB PRIMARY KEY,
    line TEXT NOT NULL,
    repo TEXT NOT NULL,
    revision TEXT NOT NULL,
    file TEXT NOT NULL,
    url TEXT NOT NULL,
    license TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    added_at TEXT NOT NULL,
    current INTEGER NOT NULL DEFAULT 0,
    newer TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE model_uses (
    path BLOB PRIMARY KEY,
    last_used_at TEXT NOT NULL,
    tokens_per_s REAL NOT NULL,
    prompt_tokens_per_s REAL NOT NULL,
    measured_at TEXT NOT NULL
) STRICT;
"""
_OF_A_PATH: Final = (
    "models",
    "model_aliases",
    "model_hashes",
    "model_facts",
    "model_samples",
    "model_profiles",
    "model_revisions",
    "model_uses",
)


def library_migrations() -> sqlite_utils.Migrations:
    """Every step from an empty file to the tables of today."""
    migrations = migrations_named("library")

    @migrations()
    def first(database: sqlite_utils.Database) -> None:
        database.executescript(_FIRST)

    @migrations()
    def others_folders_revisions_profiles(database: sqlite_utils.Database) -> None:
        database.executescript(_SECOND)

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
    added_at: str = ""


class Hashed(msgspec.Struct, frozen=True):
    """A hash, and of which state of the file it is."""

    stamp: Stamp
    sha256: str
    hashed_at: str
    changed_from: str | None


def key_of(path: Path) -> bytes:
    """A path as the tables keep it."""
    return os.fsencode(path)  # a name need not be text


class Inventory:
    """Rows in, values out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate(library_migrations())

    def registered(self) -> list[Registered]:
        """In the order in which they were added."""
        rows = self._database.read().execute(
            "SELECT path, name, owner, pinned, added_at FROM models ORDER BY added_at, name"
        )
        return [
            Registered(Path(os.fsdecode(path)), name, owner, bool(pinned), added_at)
            for path, name, owner, pinned, added_at in rows.fetchall()
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
                [key_of(path), unique_name(name, "", taken), owner, moment],
            )

    def set_pinned(self, path: Path, *, name: str, owner: str, pinned: bool) -> None:
        """Pin or release a model, which is registered by that."""
        with self._database.write() as database:
            self.register(path, name=name, owner=owner)
            database.execute(
                "UPDATE models SET pinned = ? WHERE path = ?", [int(pinned), key_of(path)]
            )

    def forget(self, path: Path) -> None:
        """Drop everything that is known of a path."""
        with self._database.write() as database:
            for table in _OF_A_PATH:
                database.execute(f"DELETE FROM {table} WHERE path = ?", [key_of(path)])  # noqa: S608

    def known_beneath(self, folder: Path) -> set[Path]:
        """Every path in a folder of which anything is known."""
        reader = self._database.read()
        known: set[Path] = set()
        for table in _OF_A_PATH:
            rows = reader.execute(f"SELECT path FROM {table}").fetchall()  # noqa: S608
            known |= {Path(os.fsdecode(path)) for (path,) in rows}
        return {path for path in known if path.is_relative_to(folder)}

    def forget_looks(self) -> None:
        """Drop what was seen in files, so that the next look reads them again."""
        with self._database.write() as database:
            database.execute("DELETE FROM model_facts")
            database.execute("DELETE FROM model_samples")

    def moved(self, paths: Mapping[Path, Path]) -> None:
        """What is known of each path is from now on known of the one it moved to."""
        with self._database.write() as database:
            for before, after in paths.items():
                for table in _OF_A_PATH:
                    database.execute(
                        f"UPDATE OR REPLACE {table} SET path = ? WHERE path = ?",  # noqa: S608
                        [key_of(after), key_of(before)],
                    )

    def uses(self) -> dict[Path, tuple[str, Speed | None]]:
        """When each file was last used, and how fast it answered then."""
        rows = self._database.read().execute(
            "SELECT path, last_used_at, tokens_per_s, prompt_tokens_per_s, measured_at"
            " FROM model_uses"
        )
        return {
            Path(os.fsdecode(path)): (at, Speed(speed, prompt_speed, measured) if speed else None)
            for path, at, speed, prompt_speed, measured in rows.fetchall()
        }

    def keep_use(self, path: Path, tokens_per_s: float, prompt_tokens_per_s: float) -> None:
        """Remember a use; a speed of 0 was not measured, and the last one that was stays."""
        moment = datetime.now(UTC).isoformat()
        try:
            with self._database.write() as database:
                database.execute(
                    "INSERT INTO model_uses VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
                    " last_used_at = excluded.last_used_at,"
                    " tokens_per_s = coalesce(nullif(excluded.tokens_per_s, 0), tokens_per_s),"
                    " prompt_tokens_per_s ="
                    " coalesce(nullif(excluded.prompt_tokens_per_s, 0), prompt_tokens_per_s),"
                    " measured_at = iif(excluded.tokens_per_s, excluded.measured_at, measured_at)",
                    [key_of(path), moment, tokens_per_s, prompt_tokens_per_s, moment],
                )
        except StorageError:
            return

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
                    "INSERT INTO model_aliases (alias, path) VALUES (?, ?)", [alias, key_of(path)]
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
                [key_of(path)],
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
                    [*_stamped(path, stamp), sha256, moment, changed_from],
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
                decoded(facts, Facts),
            )
            for path, size, mtime, inode, facts in rows.fetchall()
        }

    def keep_facts(self, found: Iterable[tuple[Path, Stamp, Facts]]) -> None:
        """Remember what headers said; a cache, so a database that refuses does no harm."""
        rows = [
            (*_stamped(path, stamp), _FACTS_VERSION, msgspec.json.encode(facts).decode())
            for path, stamp, facts in found
        ]
        try:
            with self._database.write() as database:
                database.conn.executemany(
                    "INSERT OR REPLACE INTO model_facts"
                    " (path, size_bytes, mtime_ns, inode, version, facts)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
        except StorageError:
            return

    def samples(self) -> dict[Path, tuple[Stamp, str]]:
        """What a few pieces of each file that has the size of another hash to."""
        rows = self._database.read().execute(
            "SELECT path, size_bytes, mtime_ns, inode, sample FROM model_samples"
        )
        return {
            Path(os.fsdecode(path)): (Stamp(size, mtime, inode), sample)
            for path, size, mtime, inode, sample in rows.fetchall()
        }

    def keep_sample(self, path: Path, stamp: Stamp, sample: str) -> None:
        """Remember a sample; a cache likewise."""
        try:
            with self._database.write() as database:
                database.execute(
                    "INSERT OR REPLACE INTO model_samples VALUES (?, ?, ?, ?, ?)",
                    [*_stamped(path, stamp), sample],
                )
        except StorageError:
            return


def _stamped(path: Path, stamp: Stamp) -> tuple[bytes, int, int, str]:
    return key_of(path), stamp.size_bytes, stamp.mtime_ns, stamp.inode
