"""A conversation on its way in or out of a file, free of ids and rows of this home.

Every format that can be read becomes these values; storing them is the same for all.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat import image_store, rows
from lockhouse.chat.identity import is_id, kept_time, new_id, storable
from lockhouse.chat.values import Status
from lockhouse.core.events import Failed, Finished
from lockhouse.core.messages import Image, Part, Role

if TYPE_CHECKING:
    import sqlite_utils


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_MOST_SECONDS = 1e11  # about the year 5000; more are parts of seconds
_LONGEST_TIME = 40
_DASH = "-"
# The newest of one origin: a file could hold any number under one id.
_MOST_CANDIDATES = 20

_Told = tuple[str, str | None, str, str, str]


class Losses(msgspec.Struct):
    """What of one conversation is not brought in."""

    attachments: int = 0
    hidden: int = 0  # what a program said to itself
    circles: int = 0
    too_much: int = 0  # texts beside answers, beyond all measure
    unreadable: list[str] = []  # keys of messages


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
    losses: Losses,
) -> tuple[CarriedMessage, ...]:
    """The messages so that none stands before its parent, otherwise in the order given.

    A parent that is not there makes a first message. A circle is opened where it begins in the
    file.
    """
    keys = {message.key for message in messages}
    below: dict[str | None, list[int]] = {}
    for number, message in enumerate(messages):
        parent = message.parent if message.parent in keys else None
        below.setdefault(parent, []).append(number)
    ready = [(order(number, messages[number]), number) for number in below.get(None, ())]
    heapq.heapify(ready)
    placed = [False] * len(messages)
    sorted_ones: list[CarriedMessage] = []
    for first in range(len(messages) + 1):
        while ready:
            _, number = heapq.heappop(ready)
            message, placed[number] = messages[number], True
            sorted_ones.append(message)
            for child in below.get(message.key, ()):
                if not placed[child]:
                    heapq.heappush(ready, (order(child, messages[child]), child))
        if first < len(messages) and not placed[first]:
            ready = [(order(first, messages[first]), first)]
            losses.circles += 1
    seen: set[str] = set()
    found: list[CarriedMessage] = []
    for message in sorted_ones:
        parent = message.parent if message.parent in seen else None
        found.append(msgspec.structs.replace(message, parent=parent))
        seen.add(message.key)
    return tuple(found)


def linked(links: Mapping[str, tuple[object, object]]) -> dict[str, str | None]:
    """What is above each message: as it says itself, or else what names it as a child.

    ``links`` are what a file says to be above and below each.
    """
    claimed: dict[str, str] = {}
    for key, (_, children) in links.items():
        for child in children if isinstance(children, list) else ():
            if isinstance(child, str):
                claimed.setdefault(child, key)
    return {
        key: above if isinstance(above, str) and above in links else claimed.get(key)
        for key, (above, _) in links.items()
    }


def as_written(number: int, _message: CarriedMessage) -> tuple[float, int]:
    """The order of the file."""
    return (0.0, number)


def by_time(number: int, message: CarriedMessage) -> tuple[float, int]:
    """The order in which they were written, as far as that is known."""
    return (message.created_at.timestamp() if message.created_at else 0.0, number)


def moment(value: object) -> datetime | None:
    """A time as programs write it: a text, or seconds or parts of them since 1970.

    None for what cannot be the time of a conversation: not every date can be counted in, or
    shown in every zone.
    """
    found: datetime | None = None
    try:
        if isinstance(value, str):
            text = value.strip()[:_LONGEST_TIME]
            value = datetime.fromisoformat(text) if _DASH in text[1:] else float(text)
        if isinstance(value, datetime):
            found = value if value.tzinfo else value.replace(tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(_in_seconds(float(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found.astimezone(UTC) if found and _EARLIEST <= found < _LATEST else None


def _in_seconds(count: float) -> float:
    """Milliseconds, and millionths and billionths of seconds, are told by their size."""
    for _ in range(3):
        if abs(count) > _MOST_SECONDS:
            count /= 1000
    return count


def identified(carried: CarriedConversation) -> CarriedConversation:
    """With an origin also where the file names none, so that a second import finds it."""
    if carried.origin:
        return carried
    return msgspec.structs.replace(carried, origin=f"digest:{digest_of(carried).hex()}")


def digest_of(carried: CarriedConversation) -> bytes:
    """The same for the same words in the same tree, whatever the ids."""
    return _digest([(m.key, m.parent, m.role, m.content, m.reasoning) for m in carried.messages])


def already_here(
    database: sqlite_utils.Database, carried: CarriedConversation, digest: bytes
) -> bool:
    """Whether the same conversation with the same messages is in this home."""
    candidates = database.execute(
        "SELECT id FROM conversations WHERE (id = ? OR (origin = ? AND origin <> ''))"
        " AND deleted_at IS NULL ORDER BY seq DESC LIMIT ?",
        [storable(carried.key), storable(carried.origin), _MOST_CANDIDATES],
    ).fetchall()
    return any(digest == _digest(_told(database, found[0])) for found in candidates)


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


def _told(database: sqlite_utils.Database, conversation_id: str) -> list[_Told]:
    """Without what is counted for a transcript, which takes long where there are many versions."""
    return database.execute(
        "SELECT id, parent_id, role, content, reasoning FROM messages"
        " WHERE conversation_id = ? ORDER BY seq",
        [conversation_id],
    ).fetchall()


def _digest(messages: Sequence[_Told]) -> bytes:
    places = {message[0]: number for number, message in enumerate(messages)}
    digest = hashlib.sha256()
    for _, parent, role, content, reasoning in messages:
        place = places.get(parent, -1) if parent is not None else -1
        row = [place, role, storable(content), storable(reasoning)]
        digest.update(msgspec.json.encode(row) + b"\n")
    return digest.digest()
