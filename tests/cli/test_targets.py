"""Targets elsewhere from the command line, on a home of its own, with loopback providers."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider, Providers, zone_of
from lockhouse.gate.remote_requests import ProviderZone
from lockhouse.storage.database import Database
from tests.cli.command import Command
from tests.cli.test_chat import Terminal
from tests.remote.replies import Call, Fault, Reply
from tests.remote.server import RemoteServer

ANSWER = "Grüße from elsewhere 🏔️."
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
WHERE = b"\0\0\0\x11tEXtGPS\x0048.137 11.575\0\0\0\0"
PNG = PIXEL[:-12] + WHERE + PIXEL[-12:]


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as started:
        yield started


@pytest.fixture(autouse=True)
def _fresh(server: RemoteServer) -> None:
    server.requests.clear()
    server.faults.clear()
    server.reply = Reply()


@pytest.fixture
def lockhouse(tmp_path: Path, environment: dict[str, str]) -> Command:
    """A home that was never used; no engine is needed here."""
    keyless = {**environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    return Command(tmp_path / "home", keyless)


@pytest.fixture
def opened(lockhouse: Command, server: RemoteServer) -> Command:
    """The same with a server and an API on loopback, both open."""
    Network(lockhouse.home / "network.json").open([], lan_hosts=[server.host])
    database = Database(lockhouse.home / "lockhouse.db", backups=lockhouse.home / "backups")
    providers = Providers(database)
    office = Provider("office", "Office", "openai", "lan", (server.endpoint,), key="none")
    providers.add(office)
    providers.add(msgspec.structs.replace(office, name="api", title="An API", zone="cloud"))
    database.close()
    return lockhouse


# --- making known --------------------------------------------------------------------------


def test_a_server_of_ones_own_from_the_first_word_to_the_answer(
    lockhouse: Command, server: RemoteServer
) -> None:
    added = lockhouse("targets", "add", "office", server.endpoint, "--title", "Office")
    assert added.code == 0
    assert "lockhouse unseal --for office" in added.err
    sealed = lockhouse("ask", "-m", "office/small", "Hi")
    assert sealed.code == 4
    assert "lockhouse unseal --for office" in sealed.err
    assert lockhouse("unseal", "--for", "office").code == 0
    names = [
        model["name"]
        for model in lockhouse("targets", "models", "office", "--refresh", "--json").json
    ]
    assert names == ["large", "small"]
    listed = {one["name"]: one for one in lockhouse("targets", "list", "--json").json}
    told = listed["office/small"]
    assert (told["kind"], told["host"], told["leaves_machine"]) == ("lan", server.host, False)
    assert listed["smollm2-135m-instruct"]["what_leaves"] == "nothing"
    told = lockhouse("ask", "-m", "office/small", "Hi", "--json").json
    assert told["text"] == ANSWER
    assert told["target"] == {
        "name": "office/small", "kind": "lan", "sha256": None, "provider": "office",
        "host": server.host, "model": "small-2026-08-07",
    }  # fmt: skip
    assert (told["cost"], told["left_machine"]) == (None, False)
    assert told["usage"]["prompt_tokens"] == 20
    shown = lockhouse("chats", "show", told["conversation_id"])
    assert f"from office/small at {server.host}" in shown.text
    exported = lockhouse("chats", "export", told["conversation_id"])
    assert f"*From another machine: office/small at {server.host}*" in exported.text
    alone = lockhouse("ask", "-m", "office/small", "--alone", "Hi", "--json").json
    listed = {one["id"]: one["target"] for one in lockhouse("chats", "list", "--json").json}
    assert listed[alone["conversation_id"]] == ""
    assert listed[told["conversation_id"]] == "office/small"
    (up,) = lockhouse("targets", "check", "--json").json
    assert up["is_up"]
    assert up["latency_s"] > 0
    assert lockhouse("targets", "remove", "office").code == 0
    gone = lockhouse("ask", "-m", "office/small", "Hi")
    assert gone.code == 3
    assert "There is no provider 'office'" in gone.err


@pytest.mark.parametrize(
    ("name", "url", "problem"),
    [
        ("office", "http://api.example.com/v1", "is not encrypted"),
        ("office", "https://me:secret@api.example.com/v1", "cannot contain a name or password"),
        ("office", "https://api.example.com/v1?key=secret", "cannot contain ? or #"),
        ("office", "ftp://127.0.0.1/v1", "is not the address"),
        ("office", "127.0.0.1:8080", "is not the address"),
        ("Office Server", "http://127.0.0.1:8080/v1", "cannot be the name"),
        ("hub", "http://127.0.0.1:8080/v1", "is reserved"),
        ("local", "http://127.0.0.1:8080/v1", "is reserved"),
        ("openai", "https://api.example.com/v1", "already"),
    ],
)
def test_names_and_addresses_that_cannot_be_used_are_refused(
    tmp_path: Path, name: str, url: str, problem: str
) -> None:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    provider = Provider(name, name, "openai", zone_of([url]), (url,))
    with pytest.raises(UsageMistake, match=problem.replace("?", r"\?")) as refused:
        Providers(database).add(provider)
    assert "secret" not in refused.value.message + refused.value.hint
    database.close()


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://box:99999/v1", "nothing"])
def test_what_is_no_address_is_told_by_the_command(lockhouse: Command, url: str) -> None:
    refused = lockhouse("targets", "add", "office", url, "--json")
    assert refused.code == 2
    assert refused.json["error"]["code"] == "usage"


def test_zones_are_found_from_addresses() -> None:
    near = (
        "http://192.168.1.20:8080/v1",
        "http://gpu.lan:8080",
        "http://[fd00::1]/v1",
        "http://box",
    )
    far = ("https://api.example.com/v1", "http://8.8.8.8/v1", "http://lan.example.com")
    assert {zone_of([url]) for url in near} == {"lan"}
    assert {zone_of([url]) for url in far} == {"cloud"}
    assert zone_of([*near, far[0]]) == "cloud"


# --- asking --------------------------------------------------------------------------------


def test_without_a_terminal_nothing_goes_to_an_api_that_was_not_allowed(
    opened: Command, server: RemoteServer
) -> None:
    refused = opened("ask", "-m", "api/small", "A secret", "--json")
    assert refused.code == 8
    error = refused.json["error"]
    assert error["code"] == "consent_needed"
    assert "lockhouse targets allow api" in error["hint"]
    assert not server.requests
    assert opened("chats", "list", "--json").json == []
    assert opened("ask", "-m", "api/small", "Once", "--allow-once").code == 0
    assert opened("ask", "-m", "api/small", "Twice").code == 8
    assert opened("targets", "allow", "api").code == 0
    told = opened("ask", "-m", "api/small", "Always", "--json").json
    assert (told["target"]["kind"], told["target"]["host"]) == ("api", server.host)
    assert opened("targets", "forbid", "api").code == 0
    assert opened("ask", "-m", "api/small", "No more").code == 8
    assert len(server.asked()) == 2


def test_all_that_is_missing_before_an_api_can_answer_is_said_at_once(
    environment: dict[str, str], tmp_path: Path
) -> None:
    keyless = {**environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    sealed = Command(tmp_path / "home", keyless)
    refused = sealed("ask", "-m", "openai/gpt-5", "Hi")
    assert refused.code == 8
    for step in ("unseal --for openai", "keys set openai", "targets allow openai"):
        assert f"lockhouse {step}" in refused.err
    once = sealed("ask", "-m", "openai/gpt-5", "Hi", "--allow-once")
    assert once.code == 4
    for step in ("unseal --for openai", "keys set openai"):
        assert f"lockhouse {step}" in once.err


def test_the_list_of_gemini_says_what_its_models_can_do(lockhouse: Command, tmp_path: Path) -> None:
    with RemoteServer("gemini") as server:
        server.models = {
            "gemini-9-flash": {"thinking": True},
            "gemini-9-lite": {},
            "gemma-9-27b-it": {},
        }
        Network(lockhouse.home / "network.json").open([], lan_hosts=[server.host])
        added = lockhouse("targets", "add", "gem", server.endpoint, "--dialect", "gemini")
        assert added.code == 0, added.err
        listed = lockhouse("targets", "models", "gem", "--refresh", "--json").json
        can = {model["name"]: set(model["capabilities"]) for model in listed}
        assert can["gemini-9-flash"] == {"chat", "vision", "tools", "reasoning"}
        assert can["gemini-9-lite"] == {"chat", "vision", "tools"}
        assert "tools" not in can["gemma-9-27b-it"]
        thoughts = '{"generationConfig": {"thinkingConfig": {"includeThoughts": true}}}'
        assert lockhouse("targets", "set", "gem", "--extra", thoughts).code == 0  # as the preset
        picture = tmp_path / "p.png"
        picture.write_bytes(PIXEL)
        for model in can:
            asked = lockhouse("ask", "-m", f"gem/{model}", "Hi", "--attach", picture, "--no-save")
            assert asked.code == 0, asked.err
            sent = server.asked()[-1].json
            assert ("thinkingConfig" in sent["generationConfig"]) == (model == "gemini-9-flash")


def test_allowed_once_is_said_of_one_provider(opened: Command, server: RemoteServer) -> None:
    typed = b"Hi\n/model api/small\nA secret\n"
    asked = opened("chat", "-m", "office/small", "--allow-once", stdin=typed)
    assert asked.code == 8
    assert "lockhouse targets allow api" in asked.err
    assert len(server.asked()) == 1
    typed = b"Once\nAnd again\n"
    assert opened("chat", "-m", "api/small", "--allow-once", stdin=typed).code == 0
    assert len(server.asked()) == 3


def test_an_estimate_shows_the_exact_body_and_sends_nothing(
    opened: Command, server: RemoteServer
) -> None:
    shown = opened(
        "ask", "-m", "api/small", "-s", "Be brief.", "Grüße", "--estimate", "--json"
    ).json
    assert not server.requests
    assert shown["added"] == ["The system prompt, 9 characters."]
    assert not shown["is_allowed"]
    plain = opened("ask", "-m", "api/small", "-s", "Be brief.", "Grüße", "--estimate")
    assert plain.text.rstrip("\n") == shown["body"]
    sent = opened("ask", "-m", "api/small", "-s", "Be brief.", "Grüße", "--allow-once", "--json")
    assert server.asked()[0].body.decode() == shown["body"]
    assert sent.json["sent_sha256"] == shown["sha256"]
    (line,) = opened("ask", "-m", "api/small", "Grüße", "--estimate", "--jsonl").lines
    assert line["model"] == "small"
    local = opened("ask", "Hi", "--estimate", "--json").json
    assert (local["left_machine"], local["cost"]) == (False, None)


def test_money_is_told_and_limited(opened: Command, server: RemoteServer) -> None:
    assert opened("targets", "allow", "api").code == 0
    priced = opened("costs", "price", "set", "api/small", "--input", "10", "--output", "10")
    assert priced.code == 0, priced.err
    told = opened("ask", "-m", "api/small", "Hi", "--json").json
    assert told["cost"] == {"amount": "0.00029", "currency": "USD", "is_estimate": False}
    assert opened("costs", "limits", "--per-call", "0.0001").code == 0
    refused = opened("ask", "-m", "api/small", "Hi", "--json")
    assert refused.code == 8
    assert refused.json["error"]["code"] == "budget"
    assert len(server.asked()) == 1


def test_pictures_tools_and_this_message_alone(
    opened: Command, server: RemoteServer, tmp_path: Path
) -> None:
    picture, tools = tmp_path / "sky.png", tmp_path / "tools.json"
    picture.write_bytes(PNG)
    tools.write_text(json.dumps([{"name": "look", "parameters": {"type": "object"}}]))
    first = opened("ask", "-m", "office/small", "-s", "Private.", "First", "--json").json
    server.reply = Reply(pieces=(), calls=(Call("c1", "look", '{"at": "sky"}'),))
    told = opened(
        "ask", "-m", "office/small", "--chat", first["conversation_id"], "--alone", "See?",
        "--attach", str(picture), "--tools", str(tools), "--json",
    ).json  # fmt: skip
    assert told["tool_calls"] == [{"id": "c1", "name": "look", "arguments": '{"at": "sky"}'}]
    body: Any = server.asked()[-1].json
    (message,) = body["messages"]
    text, image = message["content"]
    assert text["text"] == "See?"
    sent = base64.b64decode(image["image_url"]["url"].partition("base64,")[2])
    assert sent == PIXEL, "where it was taken stays here"
    assert body["tools"][0]["function"]["name"] == "look"
    shown = opened("chats", "show", told["conversation_id"]).text
    assert "(picture: sky.png)" in shown
    assert '(tool call: look({"at": "sky"}))' in shown
    printed = opened("ask", "-m", "office/small", "See?", "--tools", str(tools))
    assert printed.text == 'look({"at": "sky"})\n'
    blind = opened("ask", "What is it?", "--attach", str(picture), "--json")
    assert blind.code == 3
    assert blind.json["error"]["code"] == "no_vision"
    tools.write_text('[{"no": "name"}]')
    assert opened("ask", "-m", "office/small", "See?", "--tools", str(tools)).code == 3


def test_what_is_not_there_is_told_with_what_is_near(opened: Command) -> None:
    assert "Did you mean openai" in opened("ask", "-m", "opnai/gpt-5", "Hi").err
    assert opened("targets", "models", "office", "--refresh").code == 0
    unknown = opened("ask", "-m", "office/smal", "Hi", "--json")
    assert unknown.code == 3
    assert unknown.json["error"]["code"] == "unknown_model"
    assert "office/small" in unknown.json["error"]["hint"]
    assert opened("targets", "allow", "openai").code == 0
    closed = opened("ask", "-m", "openai/gpt-5-mini", "Hi")
    assert closed.code == 4
    assert "lockhouse unseal --add --for openai" in closed.err
    assert opened("unseal", "--add", "--for", "openai").code == 0
    keyless = opened("ask", "-m", "openai/gpt-5-mini", "Hi")
    assert keyless.code == 3
    assert "lockhouse keys set openai" in keyless.err


def test_an_api_is_never_the_default_and_a_server_of_ones_own_may_be(
    opened: Command, server: RemoteServer
) -> None:
    assert opened("targets", "allow", "api").code == 0
    assert opened("ask", "Hi", LOCKHOUSE_DEFAULT_TARGET="api/small").code == 8
    assert not server.requests
    told = opened("ask", "Hi", "--json", LOCKHOUSE_DEFAULT_TARGET="office/small")
    assert told.json["target"]["name"] == "office/small"
    assert opened("targets", "use", "office/small").code == 0
    for chosen in ("office", "office/small"):
        listed = opened("targets", "list", "--json", LOCKHOUSE_DEFAULT_TARGET=chosen).json
        assert listed[0]["name"] == "office/small"


def test_this_message_alone_goes_without_a_system_prompt_and_changes_none(
    opened: Command,
) -> None:
    first = opened("ask", "-m", "office/small", "-s", "Private.", "First", "--json").json
    chat = first["conversation_id"]
    mixed = opened("ask", "-m", "office/small", "--chat", chat, "--alone", "-s", "Other.", "Hi")
    assert mixed.code == 2
    (kept,) = opened("chats", "list", "--json").json
    assert kept["system"] == "Private."


def test_a_key_for_one_command_goes_to_the_provider_and_into_no_question(
    opened: Command, tmp_path: Path
) -> None:
    with RemoteServer(key="sk-only-this-once") as keyed:
        assert opened("targets", "add", "keyed", keyed.endpoint, "--key", "required").code == 0
        assert opened("unseal", "--add", "--for", "keyed").code == 0
        told = opened(
            "ask", "-m", "keyed/small", "Hi", "--key", "--json", stdin=b"sk-only-this-once\n"
        )
        assert told.json["text"] == ANSWER
        (sent,) = keyed.asked()
        assert sent.header("authorization") == "Bearer sk-only-this-once"
        assert b"sk-only" not in sent.body
        assert opened("ask", "-m", "keyed/small", "--key", stdin=b"sk-only-this-once\n").code == 2
        none = opened("ask", "-m", "office/small", "Hi", "--key", stdin=b"sk-only-this-once\n")
        assert none.code == 2
        assert "Office takes no key" in none.err
        assert len(keyed.asked()) == 1
        typed = b"sk-only-this-once\nFirst\nSecond\n"
        assert opened("chat", "-m", "keyed/small", "--key", stdin=typed).code == 0
        contents = [turn["content"] for turn in keyed.asked()[-1].json["messages"]]
        assert contents == ["First", ANSWER, "Second"]
    for file in opened.home.rglob("*"):
        if file.is_file():
            assert b"sk-only" not in file.read_bytes()


def test_a_server_that_wants_a_key_says_so_and_takes_one_for_one_command(
    opened: Command,
) -> None:
    with RemoteServer(key="sk-only-this-once") as keyed:
        assert opened("targets", "add", "keyed", keyed.endpoint).code == 0
        assert opened("unseal", "--add", "--for", "keyed").code == 0
        asked = opened("ask", "-m", "keyed/small", "Hi", "--json").json["error"]
        assert asked["code"] == "unauthorized"
        assert asked["message"] == "keyed requires a key, and none is saved for it."
        assert asked["hint"] == "Save one: lockhouse keys set keyed"
        checked = opened("targets", "check", "keyed", "--json")
        assert checked.code == 1
        (up,) = checked.json
        assert (up["is_up"], up["code"]) == (True, "unauthorized")
        assert "requires a key" in up["problem"]
        key = b"sk-only-this-once\n"
        assert opened("targets", "check", "keyed", "--key", stdin=key).code == 0
        read = opened("targets", "models", "keyed", "--refresh", "--key", "--json", stdin=key)
        assert [model["name"] for model in read.json] == ["large", "small"]
        wrong = opened("targets", "models", "keyed", "--refresh", "--key", stdin=b"sk-wrong\n")
        assert "does not accept the key" in wrong.err
    assert opened("targets", "models", "keyed", "--key", stdin=key).code == 2
    assert opened("targets", "check", "--key", stdin=key).code == 2


def test_what_broke_off_is_kept_only_where_it_was_to_be(
    opened: Command, server: RemoteServer
) -> None:
    server.faults.append(Fault("reset-middle"))
    assert "The partial answer is kept" in opened("ask", "-m", "office/small", "Hi").err
    server.faults.append(Fault("reset-middle"))
    broken = opened("ask", "-m", "office/small", "Hi", "--no-save")
    assert "Ask again." in broken.err
    assert "kept" not in broken.err


def test_a_provider_s_own_punctuation_is_not_doubled(opened: Command, server: RemoteServer) -> None:
    server.faults += [Fault("500", said="Sorry about that!"), Fault("503", said="Busy?")]
    told = opened("ask", "-m", "office/small", "Hi").err
    assert "Sorry about that. Trying again" in told
    assert "Busy. Trying again" in told


def test_a_model_that_its_server_names_by_a_path_has_a_short_name(opened: Command) -> None:
    path = "/srv/llm/site-packages/a-very-long-folder-for-the-models-of-everybody/tiny-q8.gguf"
    with RemoteServer(models={path: {}, "/a/same.gguf": {}, "/b/same.gguf": {}}) as server:
        assert opened("targets", "add", "paths", server.endpoint).code == 0
        assert opened("unseal", "--add", "--for", "paths").code == 0
        assert opened("targets", "models", "paths", "--refresh").code == 0
        names = {one["name"] for one in opened("targets", "list", "--json").json}
        assert {"paths/tiny-q8", "paths/a/same", "paths/b/same"} <= names
        assert max(map(len, opened("targets", "list").text.splitlines())) <= 100
        for name in ("tiny-q8", path):
            told = opened("ask", "-m", f"paths/{name}", "Hi", "--json").json
            assert told["target"]["name"] == "paths/tiny-q8"
            assert server.asked()[-1].json["model"] == path
        assert opened("targets", "use", "--not", "paths/tiny-q8").code == 0
        names = {one["name"] for one in opened("targets", "list", "--json").json}
        assert "paths/tiny-q8" not in names


def test_the_name_of_a_provider_alone_is_its_only_model_and_never_one_here(
    opened: Command,
) -> None:
    with RemoteServer(models={"one": {}, "two": {}}) as server:
        assert opened("targets", "add", "smol", server.endpoint).code == 0
        assert opened("unseal", "--add", "--for", "smol").code == 0
        assert opened("targets", "models", "smol", "--refresh").code == 0
        several = opened("ask", "-m", "smol", "Hi")
        assert several.code == 2
        assert "smol/one, smol/two" in several.err
        assert opened("ask", "Hi", LOCKHOUSE_DEFAULT_TARGET="smol").code == 2
        assert not server.asked()
        assert opened("targets", "use", "--not", "smol/two").code == 0
        told = opened("ask", "-m", "smol", "Hi", "--json").json
        assert told["target"]["name"] == "smol/one"


def test_models_are_put_among_the_targets_and_taken_away(opened: Command) -> None:
    assert opened("targets", "use", "openai/gpt-5-mini", "openai/gpt-4.1-mini").code == 0
    names = [one["name"] for one in opened("targets", "list", "--json").json]
    assert {"openai/gpt-5-mini", "openai/gpt-4.1-mini"} <= {*names}
    assert opened("targets", "use", "--not", "openai/gpt-5-mini").code == 0
    listed = {one["name"]: one for one in opened("targets", "list", "--json").json}
    assert "openai/gpt-5-mini" not in listed
    told = listed["openai/gpt-4.1-mini"]
    assert (told["is_allowed"], told["leaves_machine"]) == (False, True)
    assert told["input_price"] is not None


# --- at a terminal -------------------------------------------------------------------------


def test_a_person_is_shown_what_would_leave_and_asked(
    opened: Command, server: RemoteServer
) -> None:
    terminal = Terminal(opened, "-m", "api/small")
    try:
        terminal.wait_for("What is said")
        terminal.type("A question of mine\n")
        screen = terminal.wait_for("Send it")
        assert "sent to An API, for the first time" in screen
        assert server.host in screen
        terminal.type("s\n")
        assert '"content":"A question of mine"' in terminal.wait_for("Send it")
        terminal.type("n\n")
        terminal.wait_for("Nothing was sent")
        assert not server.requests
        terminal.type("Another\n")
        terminal.wait_for("Send it")
        terminal.type("a\n")
        terminal.wait_for("from 127.0.0.1")
        terminal.type("A third\n")
        terminal.wait_for("from 127.0.0.1")
        assert len(server.asked()) == 2
        contents = [turn["content"] for turn in server.asked()[1].json["messages"]]
        assert contents == ["Another", ANSWER, "A third"]
    finally:
        terminal.close()


def test_while_sealed_a_person_is_not_asked_whether_to_send(opened: Command) -> None:
    assert opened("seal").code == 0
    terminal = Terminal(opened, "-m", "api/small")
    try:
        terminal.wait_for("> $")
        terminal.type("A question of mine\n")
        screen = terminal.wait_for(r"lockhouse unseal --for api[^>]*> $")
        assert "Send it" not in screen
    finally:
        terminal.close()


def test_ctrl_c_at_the_question_whether_to_send_means_no_and_ends_no_conversation(
    opened: Command, server: RemoteServer
) -> None:
    terminal = Terminal(opened, "-m", "api/small")
    try:
        terminal.wait_for("> $")
        terminal.type("A question of mine\n")
        terminal.wait_for(r"\[n\]o\s+: $")
        terminal.interrupt_reading()
        terminal.wait_for(r"Nothing was sent\.\s+> $")
        terminal.type("/exit\n")
        assert terminal.ends_with() == 0
    finally:
        terminal.close()
    assert not server.requests


@pytest.mark.parametrize("zone", ["lan", "cloud"])  # in the answer, and before anybody is asked
def test_ctrl_c_while_the_keyring_says_nothing_ends_no_conversation(
    opened: Command, server: RemoteServer, tmp_path: Path, zone: ProviderZone
) -> None:
    database = Database(opened.home / "lockhouse.db", backups=opened.home / "backups")
    Providers(database).add(Provider("keyed", "Keyed", "openai", zone, (server.endpoint,)))
    database.close()
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen(8)
        variables = {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path / 'bus'}",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
        }
        asked = Command(opened.home, {**opened.environment, **variables})
        terminal = Terminal(asked, "-m", "keyed/small")
        try:
            terminal.wait_for("> $")
            terminal.type("A question of mine\n")
            with bus.accept()[0]:  # it is asked for the key, and does not answer
                terminal.interrupt()
                terminal.wait_for(r"\(stopped\)\s+> $")
                terminal.type("/exit\n")
                assert terminal.ends_with() == 0
        finally:
            terminal.close()
    assert not server.requests


def test_ctrl_c_keeps_what_came(opened: Command, server: RemoteServer) -> None:
    server.faults.append(Fault("stall-middle"))
    process = opened.start("ask", "-m", "office/small", "Hi", "--jsonl")
    assert process.stdout is not None
    text = json.loads(process.stdout.readline())["text"]
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    end = json.loads(out.splitlines()[-1])
    assert process.returncode == 130
    assert end["finish_reason"] == "cancelled"
    assert server.gone.wait(30)
    assert text in opened("chats", "show", end["conversation_id"]).text
