"""What was sent, byte for byte, so that a person can look at it afterwards.

The body belongs to an answer and goes with it: once the conversation is removed for good, its
hash, its size and what became of it are all that stays. Bodies that are very large, as with
pictures, are not kept; neither is what belongs to no kept answer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lockhouse.core.errors import NotFound
from lockhouse.core.events import Cost, Usage
from lockhouse.core.json_decoding import decoded
from lockhouse.gate.outbound import Outbound, ProviderRequest
from lockhouse.gate.protocol import Record
from lockhouse.storage.database import Tables

if TYPE_CHECKING:
    from lockhouse.storage.database import Database

MOST_KEPT_BYTES = 2 << 20

_TABLE = """
CREATE TABLE sent_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL,
    value TEXT NOT NULL,
    body BLOB
) STRICT;
CREATE INDEX sent_requests_by_message ON sent_requests (message_id);
"""
# Earlier ones had their body beside the place from which it is erased, too.
_IN_ONE_PLACE = "UPDATE sent_requests SET value = json_set(value, '$.body', NULL)"
_STEPS = {"sent_requests": _TABLE, "sent_bodies_in_one_place": _IN_ONE_PLACE}
_LINK = re.compile(r"\A(?P<words>.*) #(?P<id>[0-9]+)\Z", re.DOTALL)


class SentRequest(ProviderRequest, frozen=True, kw_only=True):
    """One request that left. ``body`` is None where it was not kept, or was erased.

    ``outcome``: "sending" until it is known, then "ok", "cancelled" or the code of an error.
    """

    at: str
    host: str
    sha256: str
    size_bytes: int
    outcome: str = "sending"
    usage: Usage | None = None
    cost: Cost | None = None
    message_id: str = ""
    id: int = 0
    body: bytes | None = None


_SentList = list[SentRequest]


class Sent:
    """The table of one home. Usable from any thread. Its first use creates it."""

    def __init__(self, database: Database) -> None:
        self._tables = Tables(database, "sent", _STEPS)

    def keep(self, outbound: Outbound, *, host: str = "", message_id: str = "") -> int:
        """Keep what is about to leave; its id. Called before it does."""
        shared = {name: getattr(outbound, name) for name in ProviderRequest.__struct_fields__}
        sent = SentRequest(
            **shared,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            host=host or outbound.host,
            sha256=outbound.sha256,
            size_bytes=len(outbound.body),
            message_id=message_id,
        )
        is_kept = message_id != "" and len(outbound.body) <= MOST_KEPT_BYTES
        with self._tables.write() as database:
            added = database.execute(
                "INSERT INTO sent_requests (message_id, value, body) VALUES (?, ?, ?)",
                [message_id, _value(sent), outbound.body if is_kept else None],
            )
            return int(added.lastrowid or 0)

    def settle(
        self,
        sent_id: int,
        outcome: str,
        *,
        host: str = "",
        usage: Usage | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Keep what became of it, and which host got it last."""
        sent = self._one(sent_id, body="NULL")
        changed = msgspec.structs.replace(
            sent, outcome=outcome, host=host or sent.host, usage=usage, cost=cost
        )
        self._tables.change(
            "UPDATE sent_requests SET value = ? WHERE id = ?", [_value(changed), sent_id]
        )

    def get(self, sent_id: int) -> SentRequest:
        """One request. Raises NotFound."""
        return self._one(sent_id)

    def list(self, *, limit: int = 1000) -> _SentList:
        """The newest first, without their bodies."""
        return self._where("1 ORDER BY id DESC LIMIT ?", [limit], body="NULL")

    def of_message(self, message_id: str) -> _SentList:
        """What was sent for one answer, the first request first."""
        return self._where("message_id = ? ORDER BY id", [message_id])

    def of_record(self, record: Record) -> SentRequest | None:
        """What left with a row of the records; None where that was no such request."""
        _, sent_id = linked(record.purpose)
        found = self._where("id = ?", [sent_id]) if sent_id is not None else []
        return found[0] if found else None

    def forget_erased(self) -> int:
        """Erase the bodies of answers that are gone for good; how many. Hash and size stay."""
        return self._tables.change(
            "UPDATE sent_requests SET body = NULL WHERE body IS NOT NULL"
            " AND message_id NOT IN (SELECT id FROM messages)"
        )

    def _one(self, sent_id: int, *, body: str = "body") -> SentRequest:
        found = self._where("id = ?", [sent_id], body=body)
        if not found:
            raise NotFound("That request is not kept any more.")
        return found[0]

    def _where(self, condition: str, values: Any, *, body: str = "body") -> _SentList:
        rows = self._tables.rows(
            f"SELECT id, value, {body} FROM sent_requests WHERE {condition}",  # noqa: S608
            values,
        )
        return [
            msgspec.structs.replace(decoded(value, SentRequest), id=sent_id, body=kept)
            for sent_id, value, kept in rows
        ]


def purpose_of(target: str, sent_id: int, *, what: str = "answer") -> str:
    """The word in the records under which a request leaves, and which leads back to it."""
    return f"{what} of {target} #{sent_id}"


def linked(purpose: str) -> tuple[str, int | None]:
    """The purpose in words, and the id of the request it leads to."""
    found = _LINK.match(purpose)
    return (found["words"], int(found["id"])) if found else (purpose, None)


def _value(sent: SentRequest) -> str:
    """All but the body, which has a place of its own, from which it can be erased."""
    return msgspec.json.encode(msgspec.structs.replace(sent, body=None)).decode()
