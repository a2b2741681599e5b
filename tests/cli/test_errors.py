"""What goes wrong is told once, in the caller's own shape, with the exit code of its kind."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lockhouse.cli.main import main
from tests.cli.command import Command, Outcome
from tests.planting import planted_python

_NO_KEYRING = "keyring.backends.null.Keyring"


class Inside:
    """The command line within this process: quicker, for what needs no engine."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._capture = capture

    @property
    def database(self) -> Path:
        return self._home / "lockhouse.db"

    def __call__(self, *arguments: str | Path) -> Outcome:
        code = main(["--home", str(self._home), *map(str, arguments)])
        out, err = self._capture.readouterr()
        return Outcome(code, out.encode(), err)


@pytest.fixture
def inside(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Inside]:
    for name in [name for name in os.environ if name.startswith("LOCKHOUSE_")]:
        monkeypatch.delenv(name)
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield Inside(tmp_path / "home", capfd)


def refused(outcome: Outcome, code: int) -> dict[str, str]:
    """The one error object of a command that failed with that exit code."""
    assert outcome.code == code, outcome.err
    assert next(iter(outcome.json)) == "error"
    error = outcome.json["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["message"]
    assert "Traceback" not in outcome.err
    assert isinstance(error, dict)
    return error


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "--json"),
        ("ask", "Hi", "--json", "--jsonl"),
        ("ask", "Hi", "--json", "--no-save", "--chat", "x"),
        ("ask", "Hi", "--json", "--temperature", "nan"),
        ("ask", "Hi", "--json", "--temperature", "hot"),
        ("ask", "Hi", "--json", "--top-p", "1.5"),
        ("ask", "Hi", "--json", "--seed", "-1"),
        ("ask", "Hi", "--json", "--stop", ""),
        ("ask", "Hi", "--json", "--label", "secret"),
        ("ask", "Hi", "--json", "--nonsense"),
        ("ask", "   ", "--json"),
        ("asc", "Hi", "--json"),
        ("chats", "nonsense", "--json"),
        ("settings", "set", "theme", "pink", "--json"),
        ("settings", "get", "nonsense", "--json"),
    ],
    ids=" ".join,
)
def test_a_mistake_in_usage_is_2(inside: Inside, arguments: tuple[str, ...]) -> None:
    outcome = inside(*arguments)
    if "--jsonl" in arguments:
        assert outcome.code == 2
        assert outcome.lines[0]["type"] == "failed"
    else:
        refused(outcome, 2)
    assert not inside.database.exists()


@pytest.mark.parametrize("group", ["chats", "engines", "settings", "models"])
def test_a_group_named_alone_shows_its_help_and_no_error(inside: Inside, group: str) -> None:
    outcome = inside(group)
    assert outcome.code == 0
    assert outcome.text.startswith(f"Usage: lockhouse {group} ")
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--temperature", "hot", "--temperature has to be a number from 0 to 10, not hot."),
        ("--temperature", "nan", "--temperature has to be a number from 0 to 10, not nan."),
        ("--repeat-penalty", "0", "--repeat-penalty has to be a number above 0 to 10, not 0."),
        ("--seed", "x", "--seed has to be a whole number from 0 to 4,294,967,295, not x."),
        ("--max-tokens", "0", "--max-tokens has to be a whole number from 1 upwards, not 0."),
    ],
)
def test_a_number_out_of_range_is_told_in_plain_words(
    inside: Inside, option: str, value: str, said: str
) -> None:
    assert refused(inside("ask", "Hi", option, value, "--json"), 2)["message"] == said


def test_words_without_quotes_are_told_to_be_quoted(inside: Inside) -> None:
    assert "in quotes" in refused(inside("ask", "why", "is", "it", "--json"), 2)["hint"]
    assert "in quotes" in inside("chats", "rename", "0000", "two", "words").err
    assert "in quotes" not in inside("chats", "list", "two").err


def test_what_does_not_exist_is_3(inside: Inside) -> None:
    for arguments in (
        ("ask", "Hi", "-m", "no-such-model"),
        ("ask", "Hi", "--chat", "0000"),
        ("chats", "show", "0000"),
        ("chats", "delete", "0000"),
        ("chats", "restore", "0000"),
        ("chats", "show", "../../etc"),
        ("models", "show", "no-such-model"),
        ("engines", "stop", "no-such-model"),
    ):
        error = refused(inside(*arguments, "--json"), 3)
        assert error["hint"] or "0000" in error["message"] or "etc" in error["message"]
    assert inside("chats", "list", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "import", "{}/x.gguf"),
        ("models", "folders", "add", "/tmp/{}"),
        ("models", "show", "{}/{}"),
        ("ask", "Hi", "-m", "/tmp/{}"),
        ("ask", "Hi", "--attach", "{}"),
        ("chats", "import", "{}"),
    ],
    ids=" ".join,
)
def test_a_name_too_long_for_a_file_is_3(inside: Inside, arguments: tuple[str, ...]) -> None:
    error = refused(inside(*(word.format(*["a" * 300] * 2) for word in arguments), "--json"), 3)
    assert "aaa" in error["message"]


def test_files_that_cannot_be_used_are_3(inside: Inside, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"a\0b")
    latin = tmp_path / "latin"
    latin.write_bytes("Grüße".encode("latin-1"))
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(20_000_000)
    for file_path in (binary, latin, large, tmp_path, tmp_path / "missing", "/dev/zero"):
        error = refused(inside("ask", "Hi", "--attach", str(file_path), "--json"), 3)
        assert str(file_path) in error["message"]
    schema = tmp_path / "schema"
    for text in ("{", "[]", '"x"', "[" * 100_000):
        schema.write_text(text)
        refused(inside("ask", "Hi", "--schema", schema, "--json"), 3)


def test_a_pipe_in_place_of_a_file_does_not_hang(inside: Inside, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused(inside("ask", "Hi", "--attach", pipe, "--json"), 3)
    refused(inside("ask", "Hi", "-m", pipe, "--json"), 3)
    refused(inside("chats", "import", pipe, "--json"), 3)


@pytest.mark.parametrize("data", [b"ab\xff\xfe", b"\xf0\x9f\x98", b"\xed\xa0\xbd"])
def test_input_that_is_not_utf8_is_told_with_its_place(lockhouse: Command, data: bytes) -> None:
    error = refused(lockhouse("ask", "-", "--json", stdin=data), 3)
    assert error["code"] == "invalid_utf8"
    assert "byte" in error["message"]
    error = refused(lockhouse("ask", data, "--json"), 3)
    assert error["code"] == "invalid_utf8"


def test_a_broken_grammar_is_told(shared: Command, tmp_path: Path) -> None:
    grammar = tmp_path / "broken.gbnf"
    grammar.write_text("root ::= (((")
    refused(shared("ask", "Hi", "--grammar", grammar, "--json"), 3)
    assert shared("ask", "Hi", "--max-tokens", "2").code == 0


def test_a_question_that_failed_at_once_leaves_no_chat_behind(
    lockhouse: Command, tmp_path: Path
) -> None:
    grammar = tmp_path / "broken.gbnf"
    grammar.write_text("root ::= (((")
    failing = ("ask", "hi", "--grammar", grammar, "--json")
    failed = lockhouse(*failing)
    assert failed.code == 3
    assert failed.json["conversation_id"] is None
    assert lockhouse("chats", "list", "--json").json == []
    chat = lockhouse("ask", "Hi", "--max-tokens", "2", "--json").json["conversation_id"]
    again = lockhouse(*failing, "--chat", chat)
    assert again.json["conversation_id"] == chat
    shown = lockhouse("chats", "show", chat).text
    assert f"\nassistant, failed:\n({again.json['error']['message']})\n" in shown


def test_a_prompt_of_a_megabyte_is_refused_and_the_next_question_answered(shared: Command) -> None:
    prompt = b"All work and no play makes a dull day. " * 27_000
    outcome = shared("ask", "-", "--json", stdin=prompt)
    assert outcome.code == 5
    assert "context" in outcome.json["error"]["message"].lower()
    assert shared("ask", "Hi", "--max-tokens", "2").code == 0


def test_a_context_that_no_memory_holds_is_5(lockhouse: Command) -> None:
    outcome = lockhouse("ask", "Hi", "--ctx", "2000000000", "--json")
    assert outcome.code == 5
    assert outcome.json["error"]["hint"]


def test_an_engine_that_is_killed_is_6_and_what_it_said_is_kept(lockhouse: Command) -> None:
    asked = ("ask", "Tell me the history of the lighthouse in all its detail.", "--seed", "3")
    came = ""
    with lockhouse.start(*asked, "--jsonl") as running:
        assert running.stdout is not None
        for line in running.stdout:
            event = json.loads(line)
            came += event.get("text", "")
            if len(came) > 40:
                break
        for engine in lockhouse("engines", "list", "--json").json:
            os.kill(engine["pid"], signal.SIGKILL)
        for line in running.stdout:
            event = json.loads(line)
            came += event.get("text", "")
    assert running.returncode == 6
    assert event["type"] == "failed"
    assert event["message"]
    newest = lockhouse("chats", "list", "--json").json[0]["id"]
    kept = lockhouse("chats", "show", newest, "--json").json["messages"][-1]
    assert kept["status"] == "failed"
    assert kept["content"] == came
    assert kept["error"]["exit_code"] == 6
    assert lockhouse("ask", "Hi", "--max-tokens", "2").code == 0


def test_a_damaged_database_is_7_and_stays_as_it_is(lockhouse: Command) -> None:
    database = lockhouse.home / "lockhouse.db"
    database.write_bytes(b"this is no database at all" * 500)
    before = database.read_bytes()
    for arguments in (("ask", "Hi"), ("chats", "list"), ("targets", "list")):
        error = refused(lockhouse(*arguments, "--json"), 7)
        assert "lockhouse.db" in error["message"] + error["hint"]
    assert database.read_bytes() == before


def test_a_database_of_a_newer_version_is_7(lockhouse: Command) -> None:
    lockhouse("chats", "list")
    with sqlite3.connect(lockhouse.home / "lockhouse.db") as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        assert "_sqlite_migrations" in tables
        columns = [row[1] for row in database.execute("PRAGMA table_info(_sqlite_migrations)")]
        row = database.execute("SELECT * FROM _sqlite_migrations LIMIT 1").fetchone()
        newer = dict(zip(columns, row, strict=True))
        newer.pop("id", None)
        newer["name"] = "9999_of_a_later_version"
        marks = ",".join("?" * len(newer))
        names = ",".join(f'"{name}"' for name in newer)
        database.execute(
            f"INSERT INTO _sqlite_migrations ({names}) VALUES ({marks})", list(newer.values())
        )
    database.close()
    refused(lockhouse("chats", "list", "--json"), 7)


def mounted(lockhouse: Command, mount: str, *arguments: str) -> Outcome:
    """Run a command in a mount namespace of its own, where ``mount`` was done to the home."""
    script = f'home="$1"; shift; {mount} || exit 99; exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", lockhouse.home, *lockhouse.line(*arguments)],
        env=lockhouse.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode == 99 or b"unshare: " in done.stderr:
        pytest.skip("this test needs to mount")
    return Outcome(done.returncode, done.stdout, done.stderr.decode())


def test_a_home_that_cannot_be_written_is_told(lockhouse: Command) -> None:
    lockhouse("settings", "set", "theme", "dark")
    lockhouse("chats", "list")
    read_only = 'mount --bind "$home" "$home" && mount -o remount,ro,bind "$home"'
    refused(mounted(lockhouse, read_only, "settings", "set", "theme", "light", "--json"), 7)
    assert mounted(lockhouse, read_only, "settings", "get", "theme").text == "dark\n"
    report = mounted(lockhouse, read_only, "doctor", "--json")
    assert report.code == 1
    states = {check["name"]: check["state"] for check in report.json["checks"]}
    assert states["home"] == states["database"] == "fail"


def test_a_full_home_is_told_and_works_again_with_room(lockhouse: Command) -> None:
    full = 'mount -t tmpfs -o size=160k tmpfs "$home"'
    outcome = mounted(lockhouse, full, "ask", "Hi", "--max-tokens", "2", "--json")
    assert outcome.code == 0
    assert "no room left" in outcome.err
    assert outcome.json["conversation_id"] is None
    assert lockhouse("ask", "Hi", "--max-tokens", "2").code == 0


def test_a_model_that_does_not_fit_on_the_disk_is_told_in_sizes(lockhouse: Command) -> None:
    """Whatever was left, "0.10 GB have to come, and 0.15 GB are free" explains nothing."""
    starter = lockhouse("models", "list", "--json").json[0]["path"]
    small = 'mount -t tmpfs -o size=120m tmpfs "$home"'
    refused = mounted(lockhouse, small, "models", "import", "--copy", starter)
    assert refused.code == 5
    told = r"\d+ MB are needed and \d+ MB are kept free; \d+ MB are left for it on the disk of "
    assert re.search(told, refused.err)


def test_errors_without_json_go_to_standard_error(lockhouse: Command) -> None:
    outcome = lockhouse("ask", "Hi", "-m", "no-such-model")
    assert outcome.code == 3
    assert outcome.out == b""
    assert outcome.err.startswith("lockhouse: ")


def test_a_misspelt_command_is_recognised(lockhouse: Command) -> None:
    assert "lockhouse doctor" in lockhouse("docter").err


def test_a_setting_from_a_variable_that_cannot_be_is_told_with_its_name(
    lockhouse: Command,
) -> None:
    outcome = lockhouse("ask", "Hi", "--json", LOCKHOUSE_TEMPERATURE="warm")
    assert "LOCKHOUSE_TEMPERATURE" in refused(outcome, 2)["hint"]


def test_ctrl_c_before_a_command_has_begun_is_told_by_the_exit_code_alone(
    lockhouse: Command, tmp_path: Path
) -> None:
    interrupt = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    python = planted_python(tmp_path / "python", click=interrupt)
    stopped = replace(lockhouse, python=python)("paths")
    assert (stopped.code, stopped.out, stopped.err) == (130, b"", "")


def test_what_asks_nobody_starts_no_broker(lockhouse: Command) -> None:
    assert lockhouse("unseal").code == 0
    log = lockhouse.home / "logs" / "broker.log"
    for command in (("costs", "show"), ("records", "list"), ("keys", "list")):
        assert lockhouse(*command, PYTHON_KEYRING_BACKEND=_NO_KEYRING).code == 0
        assert not log.exists(), command
    assert lockhouse("targets", "list").code == 0
    assert log.exists()
