"""The tables of the library: registered models, aliases, hashes, and facts from headers.

Hides SQL. A file is identified by its path and recognised as unchanged by its stamp: size, time
of last change and inode.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from lockhouse.core.errors import StorageError
from lockhouse.core.json_decoding import decoded
from lockhouse.library.model_info import Facts, Speed
from lockhouse.library.model_names import Names
from lockhouse.storage.connection import migrations_of
from lockhouse.storage.database import Database

_STAMP: Final = "size_bytes, mtime_ns, inode"
_FACTS_VERSION: Final = 4  # raised when the header reader reads something new

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
_BY_PATH: Final = (
    "models",
    "model_aliases",
    "model_hashes",
    "model_facts",
    "model_samples",
    "model_profiles",
    "model_revisions",
    "model_uses",
)


_THIRD = """
ALTER TABLE model_folders ADD COLUMN writable INTEGER NOT NULL DEFAULT 0;
UPDATE model_folders SET writable = 1 WHERE main = 1;
"""
_FOURTH = "ALTER TABLE model_profiles ADD COLUMN system TEXT NOT NULL DEFAULT '';"
_STEPS: Final = {
    "first": _FIRST,
    "others_folders_revisions_profiles": _SECOND,
    "writable_folders": _THIRD,
    "profiles_with_system_prompt": _FOURTH,
}


KnownOfPath = list[tuple[str, tuple[Any, ...]]]  # rows by table


class Stamp(msgspec.Struct, frozen=True):
    """What changes when the content of a file does."""

    size_bytes: int
    mtime_ns: int
    inode: str  # text: it may need more than 64 bits

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp in a stat result."""
        return cls(status.st_size, status.st_mtime_ns, str(status.st_ino))


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file; None when it is not there."""
    try:
        return Stamp.of(path.stat())
    except OSError:
        return None


def size_of(path: Path) -> int:
    """The size of a file; 0 when it is not there."""
    stamp = stamp_of(path)
    return stamp.size_bytes if stamp is not None else 0


class Registered(msgspec.Struct, frozen=True):
    """A model that was imported."""

    path: Path
    name: str
    owner: str
    pinned: bool
    added_at: str = ""


class Hashed(msgspec.Struct, frozen=True):
    """A hash, and the stamp of the file when it was hashed."""

    stamp: Stamp
    sha256: str
    hashed_at: str
    changed_from: str | None

    @property
    def original(self) -> str:
        """The hash before the file changed, or else this one."""
        return self.changed_from or self.sha256


def key_of(path: Path) -> bytes:
    """A path as the tables store it."""
    return os.fsencode(path)  # a name need not be text


class Inventory:
    """Reads and writes the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate(migrations_of("library", _STEPS))

    def _select(
        self, query: str, values: Sequence[object] = ()
    ) -> Iterator[tuple[Path, list[Any]]]:
        """Rows by the path in their first column."""
        for path, *columns in self._database.rows(query, values):
            yield Path(os.fsdecode(path)), columns

    def _cache(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Store what can be computed again: a database that cannot be written does no harm."""
        with suppress(StorageError), self._database.write() as database:
            database.conn.executemany(statement, [list(row) for row in rows])

    # Registered models

    def registered(self) -> list[Registered]:
        """In the order in which they were added."""
        rows = self._select(
            "SELECT path, name, owner, pinned, added_at FROM models ORDER BY added_at, name"
        )
        return [
            Registered(path, name, owner, bool(pinned), added_at)
            for path, (name, owner, pinned, added_at) in rows
        ]

    def register(self, path: Path, *, name: str, owner: str) -> None:
        """Remember a model; nothing changes when its path is registered already.

        A number is added to a name that another process has taken meanwhile.
        """
        with self._database.write() as database:
            taken = {row[0] for row in database.execute("SELECT name FROM models")}
            database.execute(
                "INSERT INTO models (path, name, owner, added_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (path) DO NOTHING",
                [key_of(path), Names(taken).give(name, ""), owner, _now()],
            )

    def set_pinned(self, path: Path, *, name: str, owner: str, pinned: bool) -> None:
        """Pin or unpin a model, which is registered by that."""
        with self._database.write() as database:
            self.register(path, name=name, owner=owner)
            database.execute(
                "UPDATE models SET pinned = ? WHERE path = ?", [int(pinned), key_of(path)]
            )

    def aliases(self) -> dict[str, Path]:
        """Every alias, with the path of its model."""
        query = "SELECT path, alias FROM model_aliases ORDER BY alias"
        return {alias: path for path, (alias,) in self._select(query)}

    def set_alias(self, alias: str, path: Path | None) -> None:
        """Make ``alias`` a name of the model at ``path``, or remove it."""
        with self._database.write() as database:
            database.execute("DELETE FROM model_aliases WHERE alias = ?", [alias])
            if path is not None:
                database.execute(
                    "INSERT INTO model_aliases (alias, path) VALUES (?, ?)", [alias, key_of(path)]
                )

    # Everything by path

    def forget(self, path: Path) -> None:
        """Delete everything known about a path."""
        with self._database.write() as database:
            for table in _BY_PATH:
                database.execute(f"DELETE FROM {table} WHERE path = ?", [key_of(path)])  # noqa: S608

    def known_of(self, path: Path) -> KnownOfPath:
        """Everything known about a path, for :meth:`remember`."""
        return [
            (table, tuple(row))
            for table in _BY_PATH
            for row in self._database.rows(
                f"SELECT * FROM {table} WHERE path = ?",  # noqa: S608 - our own
                [key_of(path)],
            )
        ]

    def remember(self, known: KnownOfPath) -> None:
        """Put back what was forgotten about a path."""
        with self._database.write() as database:
            for table, row in known:
                marks = ", ".join("?" * len(row))
                database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", list(row))  # noqa: S608

    def known_beneath(self, folder: Path) -> set[Path]:
        """Every path in a folder about which anything is known."""
        known = {
            path
            for table in _BY_PATH
            for path, _ in self._select(f"SELECT path FROM {table}")  # noqa: S608
        }
        return {path for path in known if path.is_relative_to(folder)}

    def moved(self, paths: Mapping[Path, Path]) -> None:
        """Move everything known about each path to its new path."""
        with self._database.write() as database:
            for before, after in paths.items():
                for table in _BY_PATH:
                    database.execute(
                        f"UPDATE OR REPLACE {table} SET path = ? WHERE path = ?",  # noqa: S608
                        [key_of(after), key_of(before)],
                    )

    # Uses

    def uses(self) -> dict[Path, tuple[str, Speed | None]]:
        """When each model was last used, and how fast it answered."""
        rows = self._select(
            "SELECT path, last_used_at, tokens_per_s, prompt_tokens_per_s, measured_at"
            " FROM model_uses"
        )
        return {
            path: (at, Speed(speed, prompt_speed, measured) if speed else None)
            for path, (at, speed, prompt_speed, measured) in rows
        }

    def keep_use(self, path: Path, tokens_per_s: float, prompt_tokens_per_s: float) -> None:
        """Remember a use; a speed of 0 was not measured, and the last measured one is kept."""
        moment = _now()
        self._cache(
            "INSERT INTO model_uses VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
            " last_used_at = excluded.last_used_at,"
            " tokens_per_s = coalesce(nullif(excluded.tokens_per_s, 0), tokens_per_s),"
            " prompt_tokens_per_s ="
            " coalesce(nullif(excluded.prompt_tokens_per_s, 0), prompt_tokens_per_s),"
            " measured_at = iif(excluded.tokens_per_s, excluded.measured_at, measured_at)",
            [(key_of(path), moment, tokens_per_s, prompt_tokens_per_s, moment)],
        )

    # Hashes, facts and samples

    def hashes(self) -> dict[Path, Hashed]:
        """The last hash of every file that was ever hashed."""
        return dict(self._hashes(""))

    def hash_of(self, path: Path) -> Hashed | None:
        """The last hash of that file."""
        return dict(self._hashes("WHERE path = ?", key_of(path))).get(path)

    def _hashes(self, clause: str, *values: object) -> Iterator[tuple[Path, Hashed]]:
        query = f"SELECT path, {_STAMP}, sha256, hashed_at, changed_from FROM model_hashes {clause}"  # noqa: S608
        for path, (size, mtime, inode, *hashed) in self._select(query, values):
            yield path, Hashed(Stamp(size, mtime, inode), *hashed)

    def keep_hash(
        self, path: Path, stamp: Stamp, sha256: str, *, changed_from: str | None = None
    ) -> None:
        """Remember a hash."""
        self._cache(
            f"INSERT OR REPLACE INTO model_hashes (path, {_STAMP}, sha256, hashed_at, changed_from)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*_stamped(path, stamp), sha256, _now(), changed_from)],
        )

    def facts(self) -> dict[Path, tuple[Stamp, Facts]]:
        """The facts from headers, by path."""
        query = f"SELECT path, {_STAMP}, facts FROM model_facts WHERE version = ?"  # noqa: S608
        return {
            path: (Stamp(size, mtime, inode), decoded(facts, Facts))
            for path, (size, mtime, inode, facts) in self._select(query, [_FACTS_VERSION])
        }

    def keep_facts(self, found: Iterable[tuple[Path, Stamp, Facts]]) -> None:
        """Remember facts from headers."""
        self._cache(
            f"INSERT OR REPLACE INTO model_facts (path, {_STAMP}, version, facts)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (*_stamped(path, stamp), _FACTS_VERSION, msgspec.json.encode(facts).decode())
                for path, stamp, facts in found
            ],
        )

    def samples(self) -> dict[Path, tuple[Stamp, str]]:
        """A hash of a few pieces of each file that has the size of another."""
        query = f"SELECT path, {_STAMP}, sample FROM model_samples"  # noqa: S608
        return {
            path: (Stamp(size, mtime, inode), sample)
            for path, (size, mtime, inode, sample) in self._select(query)
        }

    def keep_sample(self, path: Path, stamp: Stamp, sample: str) -> None:
        """Remember a sample."""
        self._cache(
            "INSERT OR REPLACE INTO model_samples VALUES (?, ?, ?, ?, ?)",
            [(*_stamped(path, stamp), sample)],
        )

    def forget_looks(self) -> None:
        """Delete what was read from files, so that they are read again."""
        with self._database.write() as database:
            database.execute("DELETE FROM model_facts")
            database.execute("DELETE FROM model_samples")


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _stamped(path: Path, stamp: Stamp) -> tuple[bytes, int, int, str]:
    return key_of(path), stamp.size_bytes, stamp.mtime_ns, stamp.inode
