"""A label holds from the command line: nothing of a labelled conversation goes too far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider, Providers
from lockhouse.storage.database import Database
from tests.cli.command import Command
from tests.remote.replies import Reply
from tests.remote.server import RemoteServer


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as started:
        yield started


@pytest.fixture
def opened(tmp_path: Path, environment: dict[str, str], server: RemoteServer) -> Command:
    """A home with a server of this machine and an API, both reachable and both allowed."""
    server.requests.clear()
    server.reply = Reply()
    keyless = {**environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    lockhouse = Command(tmp_path / "home", keyless)
    Network(lockhouse.home / "network.json").open([], lan_hosts=[server.host])
    database = Database(lockhouse.home / "lockhouse.db", backups=lockhouse.home / "backups")
    office = Provider("office", "Office", "openai", "lan", (server.endpoint,), key="none")
    providers = Providers(database)
    providers.add(office)
    providers.add(msgspec.structs.replace(office, name="api", title="An API", zone="cloud"))
    database.close()
    assert lockhouse("targets", "allow", "api").code == 0
    return lockhouse


def test_a_confidential_question_never_reaches_an_api(
    opened: Command, server: RemoteServer
) -> None:
    for label in ("confidential", "internal"):
        for more in ((), ("--allow-once",), ("--no-save",), ("--estimate",), ("--alone",)):
            told = opened("ask", "-m", "api/small", "--label", label, *more, "Secret", "--json")
            assert told.code == 8, (label, more, told.err)
            assert told.json["error"]["code"] == "label"
            assert label in told.json["error"]["message"]
    assert not server.requests
    assert opened("chats", "list", "--json").json == []


def test_public_questions_go_and_confidential_ones_stay_on_this_machine(
    opened: Command, server: RemoteServer
) -> None:
    assert opened("ask", "-m", "api/small", "--label", "public", "Hi").code == 0
    assert opened("ask", "-m", "office/small", "--label", "confidential", "Hi").code == 0
    assert len(server.requests) == 2


def test_a_conversation_keeps_the_highest_label_it_was_given(
    opened: Command, server: RemoteServer
) -> None:
    told = opened("ask", "-m", "office/small", "--label", "confidential", "Hi", "--json").json
    chat = told["conversation_id"]
    asked = len(server.requests)
    for more in ((), ("--label", "public")):
        refused = opened("ask", "--chat", chat, "-m", "api/small", *more, "And?")
        assert refused.code == 8
        assert "confidential" in refused.err
    assert len(server.requests) == asked
    assert opened("ask", "--chat", chat, "And here?").code == 0


def test_a_conversation_can_be_given_a_label(opened: Command, server: RemoteServer) -> None:
    chat = opened("ask", "-m", "api/small", "Hi", "--json").json["conversation_id"]
    assert opened("chats", "label", chat, "internal").code == 0
    assert opened("ask", "--chat", chat, "And?").code == 8
    (listed,) = opened("chats", "list", "--json").json
    assert listed["label"] == "internal"
    assert opened("chats", "label", chat, "public").code == 0
    assert opened("ask", "--chat", chat, "And?").code == 0
