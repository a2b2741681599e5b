"""Recovers what can be read of a damaged database into a new one, and puts that in its place.

The damaged file is only read, and kept beside the backups. Conversations and messages are found
even where nothing leads to them any more; of other tables, what their own trees still hold.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse.chat.conversations import Conversations
from lockhouse.chat.identity import is_id, now
from lockhouse.core.errors import StorageError
from lockhouse.storage.database import Database
from lockhouse.storage.salvage import DamagedFile, Row, SchemaEntry, StoredRow, Value
from lockhouse.storage.storage_errors import map_write_error

if TYPE_CHECKING:
    import sqlite_utils

_ROLES = ("system", "user", "assistant", "tool")
_HASH_DIGITS = 64
# A page with rows of these shapes belongs to that table, whatever became of its tree.
_SHAPES: Mapping[str, Callable[[Row], bool]] = {
    "conversations": lambda row: (
        _has(row, 13) and is_id(row[1]) and isinstance(row[2], str) and row[4] not in _ROLES
    ),
    "messages": lambda row: _has(row, 9) and is_id(row[1]) and is_id(row[2]) and row[4] in _ROLES,
    "pictures": lambda row: len(row) == 3 and _is_hash(row[0]) and isinstance(row[2], bytes),
}
_MIGRATIONS = "_sqlite_migrations"

# A message whose place in the tree is lost goes below the one that was written before it.
_MEND = """
DELETE FROM message_pictures WHERE sha256 NOT IN (SELECT sha256 FROM pictures)
    OR message_id NOT IN (SELECT id FROM messages);
DELETE FROM draft_pictures WHERE sha256 NOT IN (SELECT sha256 FROM pictures)
    OR conversation_id NOT IN (SELECT id FROM conversations);
DELETE FROM waiting_messages WHERE conversation_id NOT IN (SELECT id FROM conversations);
UPDATE conversations SET folder_id = NULL WHERE folder_id NOT IN (SELECT id FROM folders);
INSERT INTO conversations (id, title, created_at, updated_at)
    SELECT conversation_id, 'Recovered chat', min(created_at), max(created_at) FROM messages
    WHERE conversation_id NOT IN (SELECT id FROM conversations) GROUP BY conversation_id;
UPDATE messages SET parent_id = (
        SELECT m.id FROM messages m WHERE m.conversation_id = messages.conversation_id
        AND m.seq < messages.seq ORDER BY m.seq DESC LIMIT 1
    ) WHERE parent_id IS NOT NULL AND parent_id NOT IN (SELECT id FROM messages);
UPDATE conversations SET active_leaf_id = (
        SELECT m.id FROM messages m WHERE m.conversation_id = conversations.id
        ORDER BY m.seq DESC LIMIT 1
    ) WHERE active_leaf_id IS NULL OR active_leaf_id NOT IN (SELECT id FROM messages);
"""
# What Lockhouse writes as JSON, with what stands there when it cannot be read any more.
_JSON: dict[str, dict[str, Value]] = {
    "messages": {"target": None, "finished": None, "error": None, "parts": None},
    "conversations": {"parameters": "{}"},
}
_TIMES = ("created_at", "updated_at", "deleted_at")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was recovered. ``from_backup``: nothing could be read, so the backup took its place."""

    conversations: int
    messages: int
    unreadable_pages: int
    damaged_file: Path
    newest_backup: Path | None
    from_backup: bool = False

    def sentences(self) -> tuple[str, ...]:
        """What a person needs to know of it, the most important first."""
        chats = (
            "1 conversation" if self.conversations == 1 else f"{self.conversations:,} conversations"
        )
        messages = "1 message" if self.messages == 1 else f"{self.messages:,} messages"
        found = f"{chats} with {messages}"
        kept = f"The damaged file is kept: {self.damaged_file}"
        if self.from_backup:
            return f"Nothing could be read. The newest backup took its place: {found}.", kept
        told = [f"Recovered {found}."]
        if self.newest_backup is not None:
            told.append(f"What is missing may be in the newest backup: {self.newest_backup}")
        return *told, kept


def recover(path: Path, *, backups: Path) -> Recovered | None:
    """Recover a database that is damaged; None where it is not, and then nothing is changed.

    Raises StorageError when it is open in another program, or cannot be read or written.
    """
    if not path.exists() or not _is_damaged(path, backups):
        return None
    _refuse_in_use(path)
    newest = max(backups.glob(f"{path.stem}-*.db"), default=None)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    fresh = backups / f"recovering-{stamp}.db"
    aside = backups / f"damaged-{stamp}.db"
    try:
        backups.mkdir(parents=True, exist_ok=True, mode=0o700)
        counts = _fill(fresh, DamagedFile(path), newest)
        from_backup = counts[0] == 0 and newest is not None
        if from_backup and newest is not None:
            shutil.copyfile(newest, fresh)
            counts = _counted(fresh)
        _exchange(path, fresh, aside)
    except OSError as error:
        raise map_write_error(path, error) from error
    finally:
        for ending in ("", "-wal", "-shm"):
            fresh.with_name(fresh.name + ending).unlink(missing_ok=True)
    return Recovered(*counts, damaged_file=aside, newest_backup=newest, from_backup=from_backup)


def _is_damaged(path: Path, backups: Path) -> bool:
    try:
        with contextlib.closing(Database(path, backups=backups)) as database:
            return bool(database.problems())
    except StorageError as error:
        if error.code == "database_damaged":
            return True
        raise


def _refuse_in_use(path: Path) -> None:
    """Another program would go on writing to the file that is being replaced."""
    import psutil

    wanted = os.path.realpath(path)
    for process in psutil.process_iter(["pid"]):
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and any(
                file.path.startswith(wanted) for file in process.open_files()
            ):
                raise StorageError(
                    f"The database is open in another program (process {process.pid}).",
                    hint="Close every Lockhouse window and command, then try again.",
                    code="database_busy",
                )


def _exchange(path: Path, fresh: Path, aside: Path) -> None:
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).replace(aside.with_name(aside.name + ending))
    path.replace(aside)
    fresh.replace(path)


def _fill(fresh: Path, damaged: DamagedFile, backup: Path | None) -> tuple[int, int, int]:
    """Write what can be read into a new database: conversations, messages, unreadable pages."""
    with contextlib.closing(Database(fresh, backups=fresh.parent / "none")) as database:
        Conversations(database)
        with database.write() as writer:
            writer.execute("PRAGMA defer_foreign_keys = on")
            earlier = None if backup is None else DamagedFile(backup)
            roots = _make_tables(writer, damaged, earlier)
            for name, root in roots.items():
                fits = _SHAPES.get(name, _any)
                _insert(writer, name, (row for row in damaged.rows(root) if fits(row.values)))
            if earlier is not None:  # what was done to the tables before is done for good
                for entry in earlier.schema:
                    if entry.name == _MIGRATIONS:
                        _insert(writer, _MIGRATIONS, earlier.rows(entry.root))
            for name, fits in _SHAPES.items():
                _insert(writer, name, damaged.stray_rows(fits))
            for statement in _MEND.split(";\n"):
                writer.execute(statement, [])
        database.settle()
    return *_counted(fresh)[:2], damaged.unreadable_pages


def _counted(fresh: Path) -> tuple[int, int, int]:
    with contextlib.closing(Database(fresh, backups=fresh.parent / "none")) as database:
        (chats,) = database.row("SELECT count(*) FROM conversations")
        (messages,) = database.row("SELECT count(*) FROM messages")
    return chats, messages, 0


def _make_tables(
    writer: sqlite_utils.Database, damaged: DamagedFile, earlier: DamagedFile | None
) -> dict[str, int]:
    """Make the tables of other services as they were; the roots of all tables by name.

    What the damaged file does not tell of any more is made as it was in a backup.
    """
    names = {entry.name for entry in damaged.schema}
    before = () if earlier is None else earlier.schema
    schema = (*damaged.schema, *(entry for entry in before if entry.name not in names))
    kept = [entry for entry in schema if not _is_of_an_index(entry, schema)]
    there = {row[0] for row in writer.execute("SELECT name FROM sqlite_master").fetchall()}
    has_history = any(entry.name == _MIGRATIONS for entry in kept)
    for entry in sorted(kept, key=lambda entry: entry.kind != "table"):
        if entry.name not in there and has_history:
            writer.execute(entry.sql)
    return {
        entry.name: entry.root
        for entry in damaged.schema
        if entry in kept and entry.kind == "table" and (has_history or entry.name in there)
    }


def _is_of_an_index(entry: SchemaEntry, schema: Sequence[SchemaEntry]) -> bool:
    """Whether it belongs to the full-text search, which fills its own tables, or to SQLite."""
    virtual = [one.name for one in schema if one.sql.upper().startswith("CREATE VIRTUAL")]
    return (
        entry.name in virtual
        or entry.name.startswith("sqlite_")
        or any(entry.table.startswith(f"{name}_") for name in virtual)
    )


def _insert(writer: sqlite_utils.Database, name: str, rows: Iterable[StoredRow]) -> None:
    """Rows in the order in which they are stored; one that breaks a rule of its table is left."""
    columns = writer.execute(f'PRAGMA table_info("{name}")').fetchall()
    by_key = sorted((column for column in columns if column[5]), key=lambda column: column[5])
    (sql,) = writer.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()
    if "WITHOUT ROWID" in sql.upper():
        columns = [*by_key, *(column for column in columns if not column[5])]
    is_numbered = len(by_key) == 1 and str(by_key[0][2]).upper() == "INTEGER"
    numbered = is_numbered and name != _MIGRATIONS  # some are there already
    for row in rows:
        values = [
            row.number if numbered and column[5] and value is None
            else _sound(name, str(column[1]), value)
            for column, value in zip(columns, row.values, strict=False)
        ]  # fmt: skip
        names = ", ".join(f'"{column[1]}"' for column in columns[: len(values)])
        marks = ", ".join("?" * len(values))
        with contextlib.suppress(writer.conn.IntegrityError):
            writer.execute(f'INSERT OR IGNORE INTO "{name}" ({names}) VALUES ({marks})', values)  # noqa: S608


def _sound(table: str, column: str, value: Value) -> Value:
    """The value, or another where damage made it one that Lockhouse never writes."""
    if table not in _JSON or value is None:
        return value
    if column in _TIMES:
        return value if _TIME.fullmatch(str(value)) else now()
    if column in _JSON[table]:
        try:
            json.loads(str(value))
        except (ValueError, RecursionError):
            return _JSON[table][column]
    return value


def _any(_row: Row) -> bool:
    return True


def _has(row: Row, columns: int) -> bool:
    return len(row) >= columns


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == _HASH_DIGITS
