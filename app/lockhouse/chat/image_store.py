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
    for place, image in enumerate(images):
        database.execute(
            "INSERT INTO message_pictures (message_id, place, sha256, name) VALUES (?, ?, ?, ?)",
            [message_id, place, _store(database, image), storable(image.name)],
        )


def _store(database: sqlite_utils.Database, image: Image) -> str:
    digest = hashlib.sha256(image.data).hexdigest()
    database.execute(
        "INSERT OR IGNORE INTO pictures (sha256, media_type, data) VALUES (?, ?, ?)",
        [digest, image.media_type, image.data],
    )
    return digest


def copy(database: sqlite_utils.Database, from_id: str, to_id: str) -> None:
    """Give a message the pictures of another one."""
    database.execute(
        "INSERT INTO message_pictures (message_id, place, sha256, name)"
        " SELECT ?, place, sha256, name FROM message_pictures WHERE message_id = ?",
        [to_id, from_id],
    )


def of_message(database: sqlite_utils.Database, message_id: str) -> tuple[Image, ...]:
    """The pictures of a message, bytes and all."""
    rows = database.execute(
        "SELECT p.media_type, p.data, m.name FROM message_pictures m"
        " JOIN pictures p ON p.sha256 = m.sha256 WHERE m.message_id = ? ORDER BY m.place",
        [message_id],
    )
    return tuple(Image(media_type, data, name) for media_type, data, name in rows.fetchall())


def keep_draft(
    database: sqlite_utils.Database, conversation_id: str, images: Sequence[Image]
) -> None:
    """These belong to the draft of a conversation now, and no others; "" is one not begun."""
    owner = conversation_id or None
    before = database.execute(
        "SELECT sha256 FROM draft_pictures WHERE conversation_id IS ?", [owner]
    ).fetchall()
    database.execute("DELETE FROM draft_pictures WHERE conversation_id IS ?", [owner])
    for place, image in enumerate(images):
        database.execute(
            "INSERT INTO draft_pictures (conversation_id, place, sha256, name) VALUES (?, ?, ?, ?)",
            [owner, place, _store(database, image), storable(image.name)],
        )
    for (digest,) in before:
        _forget_if_unused(database, digest)


def of_draft(database: sqlite_utils.Database, conversation_id: str) -> tuple[Image, ...]:
    """The pictures of a draft, bytes and all; "" is the conversation that is not begun."""
    rows = database.execute(
        "SELECT p.media_type, p.data, d.name FROM draft_pictures d"
        " JOIN pictures p ON p.sha256 = d.sha256 WHERE d.conversation_id IS ? ORDER BY d.place",
        [conversation_id or None],
    )
    return tuple(Image(media_type, data, name) for media_type, data, name in rows.fetchall())


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


def _forget_if_unused(database: sqlite_utils.Database, sha256: str) -> None:
    database.execute(
        f"DELETE FROM pictures WHERE sha256 = ? AND {_UNUSED}",  # noqa: S608
        [sha256],
    )
