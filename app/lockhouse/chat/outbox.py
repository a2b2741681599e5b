"""Messages that wait for their turn, kept so that a kill does not lose them.

While its program lives, the program itself holds them; what is kept here is for the one that
finds them without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lockhouse.chat.identity import storable
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import Image
from lockhouse.processes import is_alive, mine

if TYPE_CHECKING:
    import sqlite_utils


class Unsent(msgspec.Struct, frozen=True):
    """A message that was typed and not asked yet."""

    text: str
    images: tuple[Image, ...] = ()


class Orphaned(msgspec.Struct, frozen=True):
    """What a program that is gone held for a conversation."""

    conversation_id: str
    writer_pid: int
    writer_started: float
    entries: tuple[Unsent, ...]


def keep(database: sqlite_utils.Database, conversation_id: str, entries: Sequence[Unsent]) -> None:
    """These wait in this program now, and no others."""
    owner = (conversation_id, *mine())
    _delete(database, owner)
    if entries:
        told = storable(msgspec.json.encode(entries).decode())
        database.execute("INSERT INTO waiting_messages VALUES (?, ?, ?, ?)", [*owner, told])


def orphaned(database: sqlite_utils.Database) -> list[Orphaned]:
    """What waits in no living program."""
    rows = database.execute(
        "SELECT conversation_id, writer_pid, writer_started, entries FROM waiting_messages"
    ).fetchall()
    return [
        Orphaned(chat, pid, started, decoded(entries, tuple[Unsent, ...]))
        for chat, pid, started, entries in rows
        if not is_alive(pid, started)
    ]


def forget(database: sqlite_utils.Database, found: Orphaned) -> None:
    """It was given back."""
    _delete(database, (found.conversation_id, found.writer_pid, found.writer_started))


def _delete(database: sqlite_utils.Database, owner: tuple[str, int, float]) -> None:
    database.execute(
        "DELETE FROM waiting_messages WHERE conversation_id = ? AND writer_pid = ?"
        " AND writer_started = ?",
        owner,
    )
