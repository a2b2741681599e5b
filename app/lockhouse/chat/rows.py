"""The tables of the conversations, and their rows. Nothing outside this folder sees a row.

Steps of the tables are only ever appended, never changed. Every function takes the database it
works in, so that a caller can put several of them into one transaction.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat import image_store
from lockhouse.chat.identity import new_id, now, storable
from lockhouse.chat.values import Conversation, Message, Picture, Provenance, Status
from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.core.events import Failed, Finished
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import Image, Part, Role
from lockhouse.storage.connection import damaged

if TYPE_CHECKING:
    import sqlite_utils


# Parents have no ON DELETE CASCADE: SQLite follows it by recursion, at most 1,000 deep.
#
# The two search indexes hold no text of their own. A message enters its index when it stops
# streaming: indexing each half second of an answer would cost more than the answer.
_FIRST = """
CREATE TABLE folders (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE conversations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    folder_id TEXT REFERENCES folders (id) ON DELETE SET NULL,
    target TEXT NOT NULL DEFAULT '',
    system TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',
    draft TEXT NOT NULL DEFAULT '',
    active_leaf_id TEXT,
    parameters TEXT NOT NULL DEFAULT '{}',
    deleted_at TEXT,
    origin TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX conversations_by_folder ON conversations (folder_id);
CREATE INDEX conversations_by_origin ON conversations (origin) WHERE origin <> '';

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    parent_id TEXT REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
    role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content TEXT NOT NULL,
    reasoning TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'complete'
        CHECK (status IN ('complete', 'streaming', 'cut', 'cancelled', 'failed')),
    target TEXT,
    finished TEXT,
    error TEXT,
    writer_pid INTEGER,
    writer_started REAL
) STRICT;
CREATE INDEX messages_in_tree ON messages (conversation_id, parent_id, role);
CREATE INDEX messages_by_parent ON messages (parent_id);
CREATE INDEX messages_streaming ON messages (status) WHERE status = 'streaming';

CREATE VIRTUAL TABLE message_words USING fts5 (
    content, content = 'messages', content_rowid = 'seq',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER message_words_insert AFTER INSERT ON messages
WHEN new.status <> 'streaming' BEGIN
    INSERT INTO message_words (rowid, content) VALUES (new.seq, new.content);
END;
CREATE TRIGGER message_words_update AFTER UPDATE OF content, status ON messages
WHEN old.status <> 'streaming' OR new.status <> 'streaming' BEGIN
    INSERT INTO message_words (message_words, rowid, content)
    SELECT 'delete', old.seq, old.content WHERE old.status <> 'streaming';
    INSERT INTO message_words (rowid, content)
    SELECT new.seq, new.content WHERE new.status <> 'streaming';
END;
CREATE TRIGGER message_words_delete AFTER DELETE ON messages
WHEN old.status <> 'streaming' BEGIN
    INSERT INTO message_words (message_words, rowid, content)
    VALUES ('delete', old.seq, old.content);
END;

CREATE VIRTUAL TABLE title_words USING fts5 (
    title, content = 'conversations', content_rowid = 'seq',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER title_words_insert AFTER INSERT ON conversations BEGIN
    INSERT INTO title_words (rowid, title) VALUES (new.seq, new.title);
END;
CREATE TRIGGER title_words_update AFTER UPDATE OF title ON conversations BEGIN
    INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.seq, old.title);
    INSERT INTO title_words (rowid, title) VALUES (new.seq, new.title);
END;
CREATE TRIGGER title_words_delete AFTER DELETE ON conversations BEGIN
    INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.seq, old.title);
END;
"""

_PICTURE_TABLES = """
CREATE TABLE pictures (
    sha256 TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE message_pictures (
    message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    sha256 TEXT NOT NULL REFERENCES pictures (sha256),
    name TEXT NOT NULL,
    PRIMARY KEY (message_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_pictures_by_picture ON message_pictures (sha256);
ALTER TABLE messages ADD COLUMN tool_calls TEXT;
"""

# A draft without a conversation is that of the chat that nobody has begun yet.
_DRAFT_PICTURES = """
CREATE TABLE draft_pictures (
    conversation_id TEXT REFERENCES conversations (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    sha256 TEXT NOT NULL REFERENCES pictures (sha256),
    name TEXT NOT NULL
) STRICT;
CREATE INDEX draft_pictures_by_conversation ON draft_pictures (conversation_id);
CREATE INDEX draft_pictures_by_picture ON draft_pictures (sha256);
"""

# What was typed while an answer ran, in the order it was typed, of each program that holds such.
_WAITING = """
CREATE TABLE waiting_messages (
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    writer_pid INTEGER NOT NULL,
    writer_started REAL NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (conversation_id, writer_pid, writer_started)
) STRICT;
"""


# Messages get the role "tool", and parts in place of tool calls alone. A check that is only
# widened changes nothing on the disk, so the text of the table is changed as SQLite's page on
# ALTER TABLE (section 7) describes: making the table anew would empty what refers to it.
_PARTS = """
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(
    sql, '''user'', ''assistant'')', '''user'', ''assistant'', ''tool'')'
) WHERE type = 'table' AND name = 'messages';
PRAGMA writable_schema = RESET;
ALTER TABLE messages ADD COLUMN parts TEXT;
UPDATE messages SET parts = tool_calls WHERE tool_calls IS NOT NULL;
ALTER TABLE messages DROP COLUMN tool_calls;
"""

STEPS: Final = {
    "first": _FIRST,
    "pictures": _PICTURE_TABLES,
    "draft_pictures": _DRAFT_PICTURES,
    "waiting": _WAITING,
    "parts": _PARTS,
}


_Made = TypeVar("_Made", Conversation, Message)
_Kept = TypeVar("_Kept", TargetInfo, Finished, Failed)

_NUMBERED = re.compile(r" \(\d{1,4}\)$")
_CONVERSATION = """
SELECT c.id, c.title, c.created_at, c.updated_at, c.pinned, c.folder_id, c.target, c.system,
    c.label, c.draft, c.active_leaf_id,
    (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id),
    c.parameters, c.deleted_at
FROM conversations c
"""

# The place of a message among its versions is counted, never kept: two processes may add
# versions at the same time.
_VERSIONS = (
    "(SELECT count(*) FROM messages v WHERE v.conversation_id = m.conversation_id"
    " AND v.parent_id IS m.parent_id AND v.role = m.role{})"
)
_PICTURES = """
(SELECT json_group_array(json_array(sha256, media_type, name, size)) FROM (
    SELECT k.sha256, p.media_type, k.name, length(p.data) AS size
    FROM message_pictures k JOIN pictures p ON p.sha256 = k.sha256
    WHERE k.message_id = m.id ORDER BY k.place))
"""
_MESSAGE = f"""
SELECT m.id, m.conversation_id, m.parent_id, m.role, m.content, m.reasoning, m.created_at,
    m.status, m.target, m.finished, m.error,
    {_VERSIONS.format(" AND v.seq < m.seq")}, {_VERSIONS.format("")},
    {_PICTURES}, m.parts
"""

# From a message up to the root.
_PATH = f"""
WITH RECURSIVE up (id, parent_id, depth) AS (
    SELECT id, parent_id, 0 FROM messages WHERE id = ?
    UNION ALL
    SELECT m.id, m.parent_id, up.depth + 1 FROM up JOIN messages m ON m.id = up.parent_id
)
{_MESSAGE} FROM up JOIN messages m ON m.id = up.id ORDER BY up.depth DESC
"""  # noqa: S608 - put together from constants

# The newest message below another one is always a leaf: parents are older than children.
_LATEST_LEAF = """
WITH RECURSIVE down (id, seq) AS (
    SELECT id, seq FROM messages WHERE id = ?
    UNION ALL
    SELECT m.id, m.seq FROM down JOIN messages m ON m.parent_id = down.id
)
SELECT id FROM down ORDER BY seq DESC LIMIT 1
"""


def conversations_where(
    database: sqlite_utils.Database, condition: str, values: list[str | None]
) -> list[Conversation]:
    """The conversations (``c`` in the condition) that meet it."""
    rows = database.execute(f"{_CONVERSATION} WHERE {condition}", values)
    return _values(database, rows, _conversation_of)


def conversation(database: sqlite_utils.Database, conversation_id: str) -> Conversation:
    """The one of exactly that id, unless it was deleted."""
    found = conversations_where(database, "c.id = ? AND c.deleted_at IS NULL", [conversation_id])
    if not found:
        raise no_conversation(conversation_id)
    return found[0]


def message(database: sqlite_utils.Database, message_id: str) -> Message:
    """The one of exactly that id."""
    rows = database.execute(f"{_MESSAGE} FROM messages m WHERE m.id = ?", [message_id])
    found = _values(database, rows, _message_of)
    if not found:
        raise no_message(message_id)
    return found[0]


def tree(database: sqlite_utils.Database, conversation_id: str) -> list[Message]:
    """All messages of a conversation, in the order in which they were written."""
    rows = database.execute(
        f"{_MESSAGE} FROM messages m WHERE m.conversation_id = ? ORDER BY m.seq",
        [conversation_id],
    )
    return _values(database, rows, _message_of)


def path_to(database: sqlite_utils.Database, leaf_id: str) -> list[Message]:
    """The messages from the root to that one."""
    return _values(database, database.execute(_PATH, [leaf_id]), _message_of)


def latest_leaf(database: sqlite_utils.Database, message_id: str) -> str:
    """The id of the newest message below that one, or its own."""
    return str(database.execute(_LATEST_LEAF, [message_id]).fetchone()[0])


def title_beside(database: sqlite_utils.Database, conversation_id: str) -> str:
    """The title of one, deleted or not, with a free number where it would stand there twice."""
    (title,) = database.execute(
        "SELECT title FROM conversations WHERE id = ?", [conversation_id]
    ).fetchone()
    base = _NUMBERED.sub("", title)
    alike = database.execute(
        "SELECT title FROM conversations WHERE substr(title, 1, length(?)) = ?"
        " AND deleted_at IS NULL",
        [base, base],
    )
    taken = {row[0] for row in alike}
    if not base or title not in taken:
        return str(title)
    return next(name for n in itertools.count(2) if (name := f"{base} ({n})") not in taken)


def add(
    database: sqlite_utils.Database,
    conversation_id: str,
    parent_id: str | None,
    role: Role,
    content: str,
    *,
    status: Status = "complete",
    images: Sequence[Image] = (),
    parts: Sequence[Part] = (),
) -> str:
    """Writes a message and makes it the active leaf. Its id."""
    conversation(database, conversation_id)
    if parent_id is not None and message(database, parent_id).conversation_id != conversation_id:
        raise InvalidInput("A message and the one it follows have to be in one conversation.")
    message_id = new_id()
    database.execute(
        "INSERT INTO messages (id, conversation_id, parent_id, role, content, created_at, status,"
        " parts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            message_id,
            conversation_id,
            parent_id,
            role,
            storable(content),
            now(),
            status,
            kept(parts or None),
        ],
    )
    image_store.keep(database, message_id, images)
    activate(database, conversation_id, message_id)
    return message_id


def activate(database: sqlite_utils.Database, conversation_id: str, leaf_id: str | None) -> None:
    """Makes the path to that message the one that is shown, because something was written."""
    turn_to(database, conversation_id, leaf_id)
    touch(database, conversation_id)


def turn_to(database: sqlite_utils.Database, conversation_id: str, leaf_id: str | None) -> None:
    """Makes that path the one that is shown. Reading changes no place in the list."""
    database.execute(
        "UPDATE conversations SET active_leaf_id = ? WHERE id = ?", [leaf_id, conversation_id]
    )


def touch(database: sqlite_utils.Database, conversation_id: str) -> None:
    """Moves a conversation to the top of the list."""
    database.execute(
        "UPDATE conversations SET updated_at = ? WHERE id = ?", [now(), conversation_id]
    )


def kept(value: msgspec.Struct | Sequence[msgspec.Struct] | None) -> str | None:
    """A value as it is kept in a column."""
    return None if value is None else msgspec.json.encode(value).decode()


def no_conversation(conversation_id: str) -> NotFound:
    """The error for an id that means nothing."""
    return NotFound(
        f'There is no conversation "{storable(conversation_id)}".',
        hint="`lockhouse chats list` shows them all.",
    )


def no_message(message_id: str) -> NotFound:
    """The error for an id that means nothing."""
    return NotFound(f'There is no message "{storable(message_id)}".')


def _values(
    database: sqlite_utils.Database,
    rows: Iterable[tuple[Any, ...]],
    value_of: Callable[[tuple[Any, ...]], _Made],
) -> list[_Made]:
    """The rows as values. A row that makes none was damaged, though SQLite cannot know it."""
    try:
        return [value_of(row) for row in rows]
    except (ValueError, TypeError, msgspec.DecodeError) as error:
        raise damaged(database) from error


def _conversation_of(row: tuple[Any, ...]) -> Conversation:
    return Conversation(
        id=row[0],
        title=row[1],
        created_at=datetime.fromisoformat(row[2]),
        updated_at=datetime.fromisoformat(row[3]),
        pinned=bool(row[4]),
        folder_id=row[5],
        target=row[6],
        system=row[7],
        label=row[8],
        draft=row[9],
        active_leaf_id=row[10],
        message_count=row[11],
        parameters=decoded(row[12], dict[str, object]),
        deleted=row[13] is not None,
    )


def _message_of(row: tuple[Any, ...]) -> Message:
    target = _target(row[8])
    finished = _value(row[9], Finished)
    pictures: tuple[Picture, ...] = ()
    if row[13] != "[]":
        pictures = tuple(Picture(*values) for values in msgspec.json.decode(row[13]))
    return Message(
        id=row[0],
        conversation_id=row[1],
        parent_id=row[2],
        role=row[3],
        content=row[4],
        reasoning=row[5],
        created_at=datetime.fromisoformat(row[6]),
        status=row[7],
        provenance=Provenance(target, finished) if target and finished else None,
        error=_value(row[10], Failed),
        version_index=row[11],
        version_count=row[12],
        target=target,
        pictures=pictures,
        parts=decoded(row[14], tuple[Part, ...]) if row[14] else (),
    )


@lru_cache(maxsize=64)
def _target(text: str | None) -> TargetInfo | None:
    """A conversation has few targets and many answers of each."""
    return _value(text, TargetInfo)


def _value(text: str | None, kind: type[_Kept]) -> _Kept | None:
    """What was kept; None when it does not fit any more, as words matter more than figures."""
    if text is None:
        return None
    try:
        return decoded(text, kind)
    except msgspec.DecodeError:
        return None
