"""What was sent: kept once, beside its answer, and erased with it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.chat.conversations import Conversations
from lockhouse.core.events import Usage
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.sent_requests import Sent
from lockhouse.storage.database import Database

BODY = b'{"messages":[{"role":"user","content":"A word that nobody else may read"}]}'


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    Conversations(database)  # a request belongs to one of their messages
    yield database
    database.close()


def keep(sent: Sent, *, message_id: str = "gone") -> int:
    headers = (("accept", "text/event-stream"),)
    endpoints = ("https://api.example/v1",)
    outbound = Outbound(
        provider="api",
        provider_title="An API",
        model="m",
        dialect="openai",
        zone="cloud",
        endpoints=endpoints,
        path="/chat",
        headers=headers,
        body=BODY,
    )
    return sent.keep(outbound, message_id=message_id)


def left_in(database: Database) -> bool:
    """Whether any of it is still in the file, as it was or as text."""
    database.settle()
    data = database.path.read_bytes()
    return BODY in data or base64.b64encode(BODY)[4:-4] in data


def test_what_was_sent_for_a_removed_answer_is_erased_from_the_file(database: Database) -> None:
    sent = Sent(database)
    sent_id = keep(sent)
    sent.settle(sent_id, "ok", host="api.example:443", usage=Usage(5, 0, 7))
    assert sent.get(sent_id).body == BODY
    assert left_in(database)
    assert sent.forget_erased() == 1
    kept = sent.get(sent_id)
    assert (kept.outcome, kept.host, kept.size_bytes) == ("ok", "api.example:443", len(BODY))
    assert kept.usage == Usage(5, 0, 7)
    assert kept.body is None
    assert not left_in(database)


def test_a_body_that_stood_in_two_places_is_left_in_one(database: Database) -> None:
    """So it was kept once, when its end was written down."""
    sent = Sent(database)
    sent_id = keep(sent)
    with database.write() as written:
        written.execute(
            "UPDATE sent_requests SET value = json_set(value, '$.body', ?)",
            [base64.b64encode(BODY).decode()],
        )
        written.execute("DELETE FROM _sqlite_migrations WHERE name = 'sent_bodies_in_one_place'")
    again = Sent(database)
    assert again.get(sent_id).body == BODY
    again.forget_erased()
    assert not left_in(database)
