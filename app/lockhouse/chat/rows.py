"""Rows of the conversation tables, in and out. Nothing outside this folder sees a row.

Every function takes the database it works in, so that a caller can put several of them into
one transaction.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

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
