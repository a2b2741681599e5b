"""What servers of all sorts answer, as a command shows it, and what was sent to them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider, Providers
from lockhouse.storage.database import Database
from tests.cli.command import Command, Outcome
from tests.remote.replies import Fault, Reply
from tests.remote.server import RemoteServer
from tests.remote.shapes import chunk, said, stream

HELLO = "Hello world"
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as started:
        yield started


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], server: RemoteServer
) -> Command:
    """A home that has a server on loopback, and access to it."""
    keyless = {**environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    command = Command(tmp_path_factory.mktemp("remote") / "home", keyless)
    Network(command.home / "network.json").open([], lan_hosts=[server.host])
    database = Database(command.home / "lockhouse.db", backups=command.home / "backups")
    office = Provider("office", "Office", "openai", "lan", (server.endpoint,), key="none")
    Providers(database).add(office)
    for name in ("fitted", "counting", "extra"):
        Providers(database).add(msgspec.structs.replace(office, name=name, title=name.title()))
    database.close()
    return command


@pytest.fixture(autouse=True)
def _fresh(server: RemoteServer) -> None:
    server.requests.clear()
    server.faults.clear()
    server.reply = Reply()


def asking(opened: Command, server: RemoteServer, body: bytes, **fault: Any) -> Outcome:
    server.faults.append(Fault("raw", body=body, **fault))
    return opened("ask", "-m", "office/small", "Hi", "--no-save", "--json")


PLAIN = [chunk({"content": "Hello"}), chunk({"content": " world"})]
NO_REASON = stream(*PLAIN)


def test_an_answer_without_a_reason_for_its_end_is_one_request(
    opened: Command, server: RemoteServer
) -> None:
    done = asking(opened, server, NO_REASON)
    assert (done.code, done.json["text"]) == (0, HELLO)
    assert len(server.asked()) == 1


def test_two_questions_at_once_to_such_a_server_are_two_requests(
    opened: Command, server: RemoteServer
) -> None:
    server.faults += [Fault("raw", body=NO_REASON)] * 2
    asked = [opened.start("ask", "-m", "office/small", "Hi", "--no-save") for _ in range(2)]
    assert [one.communicate(timeout=60)[0] for one in asked] == [f"{HELLO}\n".encode()] * 2
    assert [one.returncode for one in asked] == [0, 0]
    assert len(server.asked()) == 2


def test_a_side_field_costs_no_answer(opened: Command, server: RemoteServer) -> None:
    usage = {**COUNTS, "cost": {"total_cost": 0.006}}
    done = asking(opened, server, stream(*said("Hello", " world", usage=usage)))
    assert (done.code, done.json["text"]) == (0, HELLO)


def test_reasoning_among_the_text_is_shown_apart(opened: Command, server: RemoteServer) -> None:
    done = asking(opened, server, stream(*said("<think>\nsecret", " plan</think>\n\n", "42")))
    assert (done.json["text"], done.json["reasoning"].strip()) == ("42", "secret plan")
    late = asking(opened, server, stream(*said("secret plan", "</think>", "42")))
    assert (late.json["text"], late.json["reasoning"].strip()) == ("42", "secret plan")


MESSAGE = {"role": "assistant", "content": HELLO}
WHOLE = {"id": "x", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}


def test_an_answer_that_is_not_streamed_is_read(opened: Command, server: RemoteServer) -> None:
    done = asking(opened, server, json.dumps(WHOLE).encode(), kind="application/json")
    assert (done.code, done.json["text"]) == (0, HELLO)
    empty = asking(opened, server, stream(chunk({}, "stop")))
    assert (empty.code, empty.json["text"]) == (4, "")


# --- servers that refuse a field -----------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "field", "setting"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'.",
            "max_tokens",
            "--max-tokens-field max_completion_tokens",
        ),
        (
            "Unrecognized request argument supplied: stream_options",
            "stream_options",
            "--omit stream_options",
        ),
        (
            "Unsupported value: 'temperature' does not support 0.5 with this model.",
            "temperature",
            "--omit temperature",
        ),
    ],
)
def test_a_field_that_is_refused_by_name_is_left_out_once_and_told(
    opened: Command, server: RemoteServer, refusal: str, field: str, setting: str
) -> None:
    server.faults.append(Fault("400", said=refusal))
    done = opened("ask", "-m", "office/small", "Hi", "--no-save", "--json", "--temperature", "0.5")
    assert done.code == 0
    assert done.json["text"]
    first, second = [each.json for each in server.asked()]
    assert field in first
    assert field not in second
    assert f"lockhouse targets set office {setting}" in done.err
    if field == "max_tokens":
        assert second["max_completion_tokens"] == first["max_tokens"]
    server.faults += [Fault("400", said=refusal)] * 2
    again = opened("ask", "-m", "office/small", "Hi", "--no-save", "--json", "--temperature", "0.5")
    assert again.code == 4
    assert len(server.asked()) == 4


def test_an_option_that_is_refused_again_and_again_is_named(
    opened: Command, server: RemoteServer
) -> None:
    said = "Unsupported value: 'temperature' does not support 0.5 with this model."
    server.faults += [Fault("400", said=said)] * 2
    refused = opened("ask", "-m", "office/small", "Hi", "--no-save", "--temperature", "0.5")
    assert refused.code == 4
    assert "Leave out --temperature" in refused.err


def test_a_server_that_is_too_busy_is_waited_for_in_plain_words(
    opened: Command, server: RemoteServer
) -> None:
    server.faults.append(Fault("429", retry_after="1"))
    done = opened("ask", "-m", "office/small", "Hi", "--no-save")
    assert done.code == 0
    assert "Office asks to wait 1 s (rate limit). Trying again.\n" in done.err
    assert len(server.asked()) == 2


def test_a_system_role_that_is_refused_goes_into_the_first_message(
    opened: Command, server: RemoteServer
) -> None:
    server.faults.append(Fault("400", said="System role not supported"))
    done = opened("ask", "-m", "office/small", "Hi", "-s", "Be terse.", "--no-save", "--json")
    assert done.code == 0
    assert server.asked()[1].json["messages"] == [{"role": "user", "content": "Be terse.\n\nHi"}]
    assert "lockhouse targets set office --system-role user" in done.err


def test_a_field_that_a_list_of_details_names_is_left_out(
    opened: Command, server: RemoteServer
) -> None:
    details = [
        {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs"}
    ]
    body = json.dumps({"detail": details}).encode()
    done = asking(opened, server, body, kind="application/json", status=422)
    assert done.code == 0
    assert "stream_options" not in server.asked()[1].json


def test_what_the_answer_was_promised_to_be_is_never_left_out(
    opened: Command, server: RemoteServer, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    server.faults.append(Fault("400", said="Unknown parameter: 'response_format'."))
    done = opened("ask", "-m", "office/small", "Hi", "--schema", schema, "--no-save", "--json")
    assert done.code == 4
    assert len(server.asked()) == 1


def test_an_answer_of_a_server_is_checked_against_its_schema(
    opened: Command, server: RemoteServer, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    asked = ("ask", "-m", "office/small", "Hi", "--schema", schema, "--json")
    server.faults.append(Fault("raw", body=stream(*said('{"a": ', '"b"}'))))
    fitting = opened(*asked)
    assert (fitting.code, fitting.json["text"]) == (0, '{"a": "b"}')
    server.faults.append(Fault("raw", body=stream(*said('{"a": ', "1}"))))
    other = opened(*asked)
    assert (other.code, other.json["error"]["code"]) == (3, "answer_not_valid")
    assert "at a: 1 is not of type" in other.json["error"]["message"]
    assert other.json["text"] == '{"a": 1}'
    kept = opened("chats", "show", other.json["conversation_id"], "--json").json["messages"][-1]
    assert (kept["content"], kept["status"]) == ('{"a": 1}', "failed")
    schema.write_text('{"type": "nothing"}')
    assert opened(*asked).json["error"]["code"] == "schema_invalid"
    assert len(server.asked()) == 2  # nobody was asked for what is no schema


def test_a_server_is_fitted_by_command(opened: Command, server: RemoteServer) -> None:
    done = opened(
        "targets", "set", "fitted", "--max-tokens-field", "max_completion_tokens",
        "--system-role", "user", "--extra", '{"reasoning_effort": "low"}',
        "--omit", "stream_options", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert done.json["body"] == {"reasoning_effort": "low"}
    opened("ask", "-m", "fitted/small", "Hi", "-s", "Be terse.", "--no-save")
    (sent,) = [each.json for each in server.asked()]
    assert sent["messages"] == [{"role": "user", "content": "Be terse.\n\nHi"}]
    assert sent["reasoning_effort"] == "low"
    assert "max_completion_tokens" in sent
    assert not {"max_tokens", "stream_options"} & {*sent}
    shown = opened("targets", "set", "fitted")
    assert "max_completion_tokens" in shown.text
    back = opened("targets", "set", "fitted", "--extra", "{}", "--omit", "-", "--json")
    assert (back.json["body"], back.json["omit"]) == ({}, [])
    assert back.json["system_role"] == "user"


def test_what_a_server_does_not_take_is_told(opened: Command, server: RemoteServer) -> None:
    done = opened(
        "ask", "-m", "office/small", "Hi", "--no-save", "--think", "low", "--ctx", "512",
        "--think-budget", "9", "--json",
    )  # fmt: skip
    (sent,) = [each.json for each in server.asked()]
    assert sent["reasoning_effort"] == "low"
    assert "Office takes no context length and thinking budget: they are left out." in done.err


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--extra", "[1]", "no JSON object"),
        ("--extra", '{"messages": []}', "messages cannot be an extra field"),
        ("--max-tokens-field", "max tokens", "cannot be the name of a field"),
    ],
)
def test_settings_of_a_server_that_make_no_sense_are_refused(
    opened: Command, option: str, value: str, problem: str
) -> None:
    done = opened("targets", "set", "extra", option, value)
    assert done.code == 2
    assert problem in done.err


# --- the record ----------------------------------------------------------------------------


def sizes(opened: Command) -> list[tuple[str, int]]:
    """Of each request that was sent: what for, and how many bytes of a body."""
    database = Database(opened.home / "lockhouse.db", backups=opened.home / "backups")
    rows = database.rows("SELECT value FROM sent_requests ORDER BY id")
    database.close()
    return [(row["sha256"], row["size_bytes"]) for (text,) in rows for row in [json.loads(text)]]


def test_a_request_that_is_made_again_has_a_row_of_its_own(
    opened: Command, server: RemoteServer
) -> None:
    before = len(sizes(opened))
    server.faults.append(Fault("400", said="Unknown argument: stream_options"))
    assert opened("ask", "-m", "office/small", "Hi", "--no-save").code == 0
    assert [size for _, size in sizes(opened)[before:]] == [
        len(each.body) for each in server.asked()
    ]


def test_tokens_are_counted_by_a_second_request_only_where_that_was_chosen(
    opened: Command, server: RemoteServer
) -> None:
    body = stream(*said("Hello", " world"))
    assert asking(opened, server, body).code == 0
    assert len(server.asked()) == 1
    assert opened("targets", "set", "counting", "--count-tokens").code == 0
    server.requests.clear()
    before = len(sizes(opened))
    server.faults += [
        Fault("raw", body=body),
        Fault("raw", body=json.dumps({**WHOLE, "usage": COUNTS}).encode(), kind="application/json"),
    ]
    done = opened("ask", "-m", "counting/small", "Hi", "--no-save", "--json")
    assert done.json["usage"]["prompt_tokens"] == 3
    answer, count = [each.body for each in server.asked()]
    assert json.loads(count)["max_tokens"] == 1
    assert [size for _, size in sizes(opened)[before:]] == [len(answer), len(count)]
    kept = opened("records", "list", "--json").json
    words = {one["purpose"].partition(" #")[0] for one in kept}
    assert {"answer of counting/small", "token count of counting/small"} <= words
    transfers = [one for one in kept if one["kind"] == "transfer"][:2]
    assert len({one["purpose"] for one in transfers}) == 2


# --- ends ----------------------------------------------------------------------------------


def test_a_malformed_redirect_is_no_bug(opened: Command, server: RemoteServer) -> None:
    server.faults.append(Fault("redirect", to="http://\x1b]0;x\x07evil/"))
    done = opened("ask", "-m", "office/small", "Hi", "--no-save", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "redirected")
    assert done.json["error"]["message"].isprintable()


def test_an_endless_answer_ends_with_what_came(opened: Command, server: RemoteServer) -> None:
    server.faults.append(Fault("endless", body=stream(chunk({"content": "spam "}), done=False)))
    done = opened("ask", "-m", "office/small", "Hi", "--no-save", "--json", "--max-tokens", "10")
    assert (done.code, done.json["error"]["code"]) == (4, "endless")
    assert done.json["text"].startswith("spam spam")


def test_headers_without_end_are_no_answer(opened: Command, server: RemoteServer) -> None:
    server.faults.append(Fault("endless-head"))
    done = opened("ask", "-m", "office/small", "Hi", "--no-save", "--json")
    assert (done.code, done.json["error"]["code"]) == (4, "bad_stream")
    assert len(server.asked()) == 1


def test_what_was_sent_can_be_read_checked_and_exported(
    opened: Command, server: RemoteServer, tmp_path: Path
) -> None:
    told = opened("ask", "-m", "office/small", "A question of mine", "--json").json
    (asked,) = server.asked()
    newest = opened("ledger", "list", "--json").json[0]
    assert (newest["sha256"], newest["size_bytes"]) == (told["sent_sha256"], len(asked.body))
    assert "body" not in newest
    number = str(newest["id"])
    assert opened("ledger", "show", number, "--json").json["body"].encode() == asked.body
    assert opened("ledger", "show", number, "--raw").out == asked.body
    readable = opened("ledger", "show", number).text
    assert "A question of mine" in readable
    assert server.host in readable
    assert opened("ledger", "verify", "--json").json["changed"] == []
    file = tmp_path / "sent.jsonl"
    assert opened("ledger", "export", file).code == 0
    assert json.loads(file.read_text().splitlines()[-1])["body"].encode() == asked.body
    (logged,) = opened("logs", "-n", "1", "--json").json
    assert [one["body"].encode() for one in logged["sent"]] == [asked.body]
    with sqlite3.connect(opened.home / "lockhouse.db") as database:
        database.execute("UPDATE sent_requests SET body = x'6f' WHERE id = ?", [number])
    spoiled = opened("ledger", "verify", "--json")
    assert (spoiled.code, spoiled.json["changed"]) == (3, [int(number)])
    assert opened("ledger", "show", "999", "--json").code == 3
