"""A conversation on its way in or out of a file, free of ids and rows of this home.

Every format that can be read becomes these values; storing them is the same for all.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat import image_store, rows
from lockhouse.chat.identity import is_id, kept_time, new_id, storable
from lockhouse.chat.values import Message, Status
from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import Failed, Finished
from lockhouse.core.messages import Image, Part, Role

if TYPE_CHECKING:
    import sqlite_utils


class CarriedMessage(msgspec.Struct, frozen=True):
    """One message; ``key`` and ``parent`` mean something only within its conversation."""

    key: str
    parent: str | None
    role: Role
    content: str
    reasoning: str = ""
    created_at: datetime | None = None
    status: Status = "complete"
    target: TargetInfo | None = None
    finished: Finished | None = None
    error: Failed | None = None
    images: tuple[Image, ...] = ()
    parts: tuple[Part, ...] = ()


class CarriedConversation(msgspec.Struct, frozen=True):
    """A conversation with its messages, parents before children.

    ``origin`` names it for good, so that a second import of the same file brings no doubles.
    """

    origin: str
    key: str
    title: str
    messages: tuple[CarriedMessage, ...]
    active: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    pinned: bool = False
    folder: str = ""
    target: str = ""
    system: str = ""
    label: str = ""
    draft: str = ""
    parameters: dict[str, object] = {}


def parents_first(
    messages: Sequence[CarriedMessage],
    *,
    order: Callable[[int, CarriedMessage], tuple[float, int]],
    where: str,
) -> tuple[CarriedMessage, ...]:
    """The messages so that none stands before its parent, otherwise in the order given.

    A parent that is not there makes a first message. A circle raises InvalidInput.
    """
    keys = {message.key for message in messages}
    below: dict[str | None, list[int]] = {}
    for number, message in enumerate(messages):
        parent = message.parent if message.parent in keys else None
        below.setdefault(parent, []).append(number)
    ready = [(order(number, messages[number]), number) for number in below.get(None, ())]
    heapq.heapify(ready)
    sorted_ones: list[CarriedMessage] = []
    while ready:
        _, number = heapq.heappop(ready)
        message = messages[number]
        parent = message.parent if message.parent in keys else None
        sorted_ones.append(msgspec.structs.replace(message, parent=parent))
        for child in below.get(message.key, ()):
            heapq.heappush(ready, (order(child, messages[child]), child))
    if len(sorted_ones) != len(messages):
        raise InvalidInput(f"{where} is malformed: its messages follow each other in a circle.")
    return tuple(sorted_ones)


def as_written(number: int, _message: CarriedMessage) -> tuple[float, int]:
    """The order of the file."""
    return (0.0, number)


def by_time(number: int, message: CarriedMessage) -> tuple[float, int]:
    """The order in which they were written, as far as that is known."""
    return (message.created_at.timestamp() if message.created_at else 0.0, number)


def moment(seconds: object) -> datetime | None:
    """A time as other programs write it: seconds or milliseconds since 1970."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if seconds > 1e11:
        seconds = seconds / 1000
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def already_here(database: sqlite_utils.Database, carried: CarriedConversation) -> bool:
    """Whether the same conversation with the same messages is in this home."""
    candidates = database.execute(
        "SELECT id FROM conversations WHERE (id = ? OR origin = ?) AND deleted_at IS NULL",
        [storable(carried.key), storable(carried.origin)],
    ).fetchall()
    if not candidates:
        return False
    wanted = _digest([(m.key, m.parent, m.role, m.content, m.reasoning) for m in carried.messages])
    return any(wanted == _digest(_told(rows.tree(database, found[0]))) for found in candidates)


def store(database: sqlite_utils.Database, carried: CarriedConversation) -> str:
    """Writes it into the open transaction; its id here, which is the old one when it is free."""
    ids = _free_ids(database, carried)
    conversation_id = ids[""]
    present = datetime.now(UTC)
    created = carried.created_at or carried.updated_at or present
    database.execute(
        "INSERT INTO conversations (id, title, created_at, updated_at, pinned, folder_id, target,"
        " system, label, draft, active_leaf_id, parameters, origin)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            conversation_id,
            storable(carried.title),
            kept_time(created),
            kept_time(carried.updated_at or created),
            int(carried.pinned),
            _folder(database, carried.folder),
            storable(carried.target),
            storable(carried.system),
            storable(carried.label),
            storable(carried.draft),
            _active(carried, ids),
            msgspec.json.encode(carried.parameters).decode(),
            storable(carried.origin),
        ],
    )
    for message in carried.messages:
        database.execute(
            "INSERT INTO messages (id, conversation_id, parent_id, role, content, reasoning,"
            " created_at, status, target, finished, error, parts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                ids["message " + message.key],
                conversation_id,
                None if message.parent is None else ids["message " + message.parent],
                message.role,
                storable(message.content),
                storable(message.reasoning),
                kept_time(message.created_at or created),
                "cut" if message.status == "streaming" else message.status,
                rows.kept(message.target),
                rows.kept(message.finished),
                rows.kept(message.error),
                rows.kept(message.parts or None),
            ],
        )
        image_store.keep(database, ids["message " + message.key], message.images)
    return conversation_id


def _free_ids(database: sqlite_utils.Database, carried: CarriedConversation) -> dict[str, str]:
    """Ids of this home: the old ones if all are ids and none is taken, otherwise new ones."""
    keys = [message.key for message in carried.messages]
    keep = is_id(carried.key) and all(is_id(key) for key in keys)
    if keep:
        taken = database.execute("SELECT 1 FROM conversations WHERE id = ?", [carried.key])
        keep = taken.fetchone() is None and not any(
            database.execute("SELECT 1 FROM messages WHERE id = ?", [key]).fetchone()
            for key in keys
        )
    ids = {"message " + key: key if keep else new_id() for key in keys}
    ids[""] = carried.key if keep else new_id()
    return ids


def _active(carried: CarriedConversation, ids: dict[str, str]) -> str | None:
    if carried.active is not None and "message " + carried.active in ids:
        return ids["message " + carried.active]
    return ids["message " + carried.messages[-1].key] if carried.messages else None


def _folder(database: sqlite_utils.Database, name: str) -> str | None:
    tidy = storable(" ".join(name.split()))
    if not tidy:
        return None
    found = database.execute("SELECT id FROM folders WHERE name = ?", [tidy]).fetchone()
    if found:
        return str(found[0])
    folder_id = new_id()
    database.execute("INSERT INTO folders (id, name) VALUES (?, ?)", [folder_id, tidy])
    return folder_id


def _told(messages: list[Message]) -> list[tuple[str, str | None, str, str, str]]:
    return [(m.id, m.parent_id, m.role, m.content, m.reasoning) for m in messages]


def _digest(messages: list[tuple[str, str | None, str, str, str]]) -> bytes:
    """The same for the same words in the same tree, whatever the ids."""
    places = {message[0]: number for number, message in enumerate(messages)}
    digest = hashlib.sha256()
    for _, parent, role, content, reasoning in messages:
        place = places.get(parent, -1) if parent is not None else -1
        row = [place, role, storable(content), storable(reasoning)]
        digest.update(msgspec.json.encode(row) + b"\n")
    return digest.digest()
