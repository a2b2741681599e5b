"""Pictures in questions: what may be one, and how it is kept with its message.

The same picture in several messages is kept once. Nothing here decodes one: what a file is can
be told from its first bytes, and the rest is for whoever shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse.chat.identity import storable
from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.core.messages import Image

if TYPE_CHECKING:
    import sqlite_utils

MOST_BYTES = 20 << 20
MOST_PICTURES = 16
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)
_UNUSED = (
    "sha256 NOT IN (SELECT sha256 FROM message_pictures)"
    " AND sha256 NOT IN (SELECT sha256 FROM draft_pictures)"
)


def media_type_of(data: bytes) -> str:
    """What picture the bytes are; empty for none that models take."""
    for mark, at, media_type in _KINDS:
        if data[at : at + len(mark)] == mark and (at == 0 or data[:4] == b"RIFF"):
            return media_type
    return ""


def picture_of(data: bytes, name: str = "") -> Image:
    """The bytes of a file as a picture. Raises InvalidInput for what is none, or too large."""
    media_type = media_type_of(data)
    if not media_type:
        raise InvalidInput(
            f"{name or 'This'} is no picture.",
            hint="Pictures may be PNG, JPEG, GIF or WebP.",
            code="not_a_picture",
        )
    if len(data) > MOST_BYTES:
        raise InvalidInput(
            f"{name or 'This picture'} has {len(data) / 1e6:,.1f} MB; models take at most "
            f"{MOST_BYTES / 1e6:,.0f} MB.",
            hint="Make it smaller.",
            code="too_large",
        )
    return Image(media_type, data, Path(name).name)


def keep(database: sqlite_utils.Database, message_id: str, images: Sequence[Image]) -> None:
    """Write the pictures of a message."""
    if len(images) > MOST_PICTURES:
        raise InvalidInput(f"These are more than {MOST_PICTURES} pictures.")
    _put(database, "message_pictures (message_id, place, sha256, name)", message_id, images)


def _put(
    database: sqlite_utils.Database, columns: str, owner: str | None, images: Sequence[Image]
) -> None:
    """Write pictures, each once, and that they belong to their owner."""
    for place, image in enumerate(images):
        digest = hashlib.sha256(image.data).hexdigest()
        database.execute(
            "INSERT OR IGNORE INTO pictures (sha256, media_type, data) VALUES (?, ?, ?)",
            [digest, image.media_type, image.data],
        )
        values = [owner, place, digest, storable(image.name)]
        database.execute(f"INSERT INTO {columns} VALUES (?, ?, ?, ?)", values)  # noqa: S608


def copy(database: sqlite_utils.Database, from_id: str, to_id: str) -> None:
    """Give a message the pictures of another one."""
    database.execute(
        "INSERT INTO message_pictures (message_id, place, sha256, name)"
        " SELECT ?, place, sha256, name FROM message_pictures WHERE message_id = ?",
        [to_id, from_id],
    )


def of_message(database: sqlite_utils.Database, message_id: str) -> tuple[Image, ...]:
    """The pictures of a message, bytes and all."""
    return _belonging(database, "message_pictures", "message_id", message_id)


def _belonging(
    database: sqlite_utils.Database, table: str, column: str, owner: str | None
) -> tuple[Image, ...]:
    rows = database.execute(
        f"SELECT p.media_type, p.data, o.name FROM {table} o"  # noqa: S608 - own words only
        f" JOIN pictures p ON p.sha256 = o.sha256 WHERE o.{column} IS ? ORDER BY o.place",
        [owner],
    )
    return tuple(Image(*row) for row in rows.fetchall())


def keep_draft(
    database: sqlite_utils.Database, conversation_id: str, images: Sequence[Image]
) -> None:
    """These belong to the draft of a conversation now, and no others; "" is one not begun."""
    owner = conversation_id or None
    before = database.execute(
        "SELECT sha256 FROM draft_pictures WHERE conversation_id IS ?", [owner]
    ).fetchall()
    database.execute("DELETE FROM draft_pictures WHERE conversation_id IS ?", [owner])
    _put(database, "draft_pictures (conversation_id, place, sha256, name)", owner, images)
    for (digest,) in before:
        database.execute(f"DELETE FROM pictures WHERE sha256 = ? AND {_UNUSED}", [digest])  # noqa: S608


def of_draft(database: sqlite_utils.Database, conversation_id: str) -> tuple[Image, ...]:
    """The pictures of a draft, bytes and all; "" is the conversation that is not begun."""
    return _belonging(database, "draft_pictures", "conversation_id", conversation_id or None)


def one(database: sqlite_utils.Database, sha256: str) -> Image:
    """One picture. Raises NotFound."""
    row = database.execute(
        "SELECT media_type, data FROM pictures WHERE sha256 = ?", [sha256]
    ).fetchone()
    if row is None:
        raise NotFound("That picture is not kept any more.")
    return Image(row[0], row[1])


def forget_unused(database: sqlite_utils.Database) -> None:
    """Remove pictures that stand in no message and no draft any more."""
    database.execute(f"DELETE FROM pictures WHERE {_UNUSED}")  # noqa: S608
