"""Bytes that are no UTF-8, disks that are full, keyrings that do not exist: never a bug report."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lockhouse.cli.main import commands, main
from lockhouse.library.starter import starter_model
from tests.cli.command import Command, Outcome
from tests.cli.test_completion import leaves
from tests.library.test_folders import small

ODD = b"caf\xe9"  # Latin-1, as old archives have it
_TALKS = {"ask", "chat", "run"}  # need an engine, and are tried below
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")


def filled(command: click.Command, value: str) -> list[str]:
    """A word for each argument of a command."""
    words = []
    for parameter in command.params:
        if not isinstance(parameter, click.Argument):
            continue
        if isinstance(parameter.type, click.Choice):
            words.append(str(parameter.type.choices[0]))
        else:
            words.append("1" if isinstance(parameter.type, click.IntRange) else value)
    return words


def calls(value: str) -> Iterator[list[str]]:
    """Every command with that value for its arguments, and for each option that takes a text."""
    for path, command in leaves(commands):
        if path in _TALKS:
            continue
        plain = [*path.split(), *filled(command, value)]
        yield plain
        for option in command.params:
            is_text = isinstance(option.type, click.Path) or option.type is click.STRING
            if isinstance(option, click.Option) and is_text and not option.is_flag:
                yield [*path.split(), *filled(command, "x"), option.opts[-1], value]


def test_no_command_reports_a_bug_for_bytes_that_are_no_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKHOUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.chdir(tmp_path)
    odd = os.fsdecode(ODD)
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        for call in calls(odd):
            if call[:2] in (["models", "load"], ["bench", "--json"]) or call[0] == "bench":
                continue
            code = main(["--home", str(tmp_path / "home"), *call])
            said = capfd.readouterr()
            assert code != 70, (call, said.err)
            assert "Traceback" not in said.err, call


def test_files_with_odd_names_are_used_or_refused_by_name(
    lockhouse: Command, tmp_path: Path
) -> None:
    folder = os.fsencode(tmp_path) + b"/" + ODD
    os.mkdir(folder)  # noqa: PTH102 - its name is bytes
    starter = starter_model()
    assert starter is not None
    odd_file = small(starter, Path(os.fsdecode(folder + b"/mod\xe4l.gguf")), b"odd")
    assert lockhouse("models", "folders", "add", folder).code == 0
    names = [model["name"] for model in lockhouse("models", "list", "--json").json]
    (name,) = [name for name in names if name != "smollm2-135m-instruct"]
    assert ODD in lockhouse("models", "list").out or name.encode() in lockhouse("ls").out
    shown = lockhouse("models", "show", name, "--json")
    assert os.fsencode(shown.json["path"]) == os.fsencode(odd_file)
    assert os.fsencode(odd_file) in lockhouse("models", "show", name).out
    for command in (("ask", "-m", name, "Hi"), ("models", "load", name)):
        refused = lockhouse(*command, "--json")
        assert refused.code == 3
        assert refused.json["error"]["code"] == "invalid_utf8"
        assert "import --copy" in refused.json["error"]["hint"]
    assert lockhouse("models", "import", "--copy", os.fsencode(odd_file)).code == 0
    (tmp_path / "note.txt").write_text("hello")
    os.rename(tmp_path / "note.txt", folder + b"/n\xf6te.txt")  # noqa: PTH104 - bytes again
    attached = lockhouse("ask", "--attach", folder + b"/n\xf6te.txt", "Hi", "--json")
    assert attached.json["error"]["code"] == "invalid_utf8"
    chat = lockhouse("ask", "Hi", "--max-tokens", "2", "--json").json["conversation_id"]
    assert lockhouse("chats", "export", chat, "-o", folder + b"/ch\xe4t.md").code == 0
    assert os.path.exists(folder + b"/ch\xe4t.md")  # noqa: PTH110 - bytes again


@pytest.mark.parametrize("arguments", [("paths",), ("ls", "--json"), ("seal",), ()])
def test_a_home_whose_path_is_no_text_is_refused(
    lockhouse: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    home = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + ODD))
    windowed = {**lockhouse.environment, "QT_QPA_PLATFORM": "offscreen"}
    refused = Command(home, windowed)(*arguments)
    assert refused.code == 3
    assert "not valid UTF-8" in (refused.err or refused.json["error"]["message"])


def written_to(lockhouse: Command, device: str, *arguments: str) -> Outcome:
    with Path(device).open("wb") as nowhere:
        done = subprocess.run(
            lockhouse.line(*arguments), env=lockhouse.environment, stdin=subprocess.DEVNULL,
            stdout=nowhere, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    return Outcome(done.returncode, b"", done.stderr.decode())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",), ("models", "--help"), ("paths",), ("ls",), ("ls", "--json"),
        ("chats", "list", "--json"), ("ask", "Hi", "--max-tokens", "2"), ("completion", "bash"),
        ("ask", "Hi", "--max-tokens", "2", "--json"), ("ask", "Hi", "--max-tokens", "2", "--jsonl"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_output_that_cannot_be_written_is_told(
    shared: Command, arguments: tuple[str, ...]
) -> None:
    outcome = written_to(shared, "/dev/full", *arguments)
    assert outcome.code == 7
    assert "lockhouse: The output could not be written: No space left on device." in outcome.err
    assert "Traceback" not in outcome.err


def test_an_error_that_cannot_be_written_keeps_its_exit_code(shared: Command) -> None:
    refused = written_to(shared, "/dev/full", "models", "show", "nothing", "--json")
    assert refused.code == 3
    assert "Traceback" not in refused.err


def test_a_reader_that_leaves_ends_a_listing_like_any_other_program(shared: Command) -> None:
    program = shared.start("models", "list")
    assert program.stdout is not None
    program.stdout.close()
    assert program.wait() == 141
    assert program.stderr is not None
    assert program.stderr.read() == b""
    program.stderr.close()


@pytest.mark.parametrize("backend", ["no.such.Backend", "keyring.backends.null.Nope", "os"])
def test_a_keyring_that_does_not_exist_is_named(shared: Command, backend: str) -> None:
    environment = {"PYTHON_KEYRING_BACKEND": backend}
    report = shared("doctor", "--json", **environment)
    assert report.code in (0, 1), report.err
    (found,) = [check for check in report.json["checks"] if check["name"] == "keyring"]
    assert found["state"] == "warn"
    assert "PYTHON_KEYRING_BACKEND" in found["remedy"]
    listed = shared("keys", "list", **environment)
    assert "PYTHON_KEYRING_BACKEND" in listed.err
    assert "locked" not in listed.text
    refused = shared("keys", "set", "openai", "--json", stdin=b"sk-12345678\n", **environment)
    assert refused.code == 7
    assert "PYTHON_KEYRING_BACKEND" in refused.json["error"]["hint"]
