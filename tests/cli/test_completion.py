"""Shell completion, the man page, and that every command speaks JSON."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lockhouse.cli.main import commands
from tests.cli.command import Command

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "installers"))

import man_page  # noqa: E402 - a script of the project, not an installed module

_WITHOUT_JSON = {"chat", "completion"}  # a conversation, and a script


def leaves(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, under the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, f"{path} {name}".strip())


def test_every_command_has_its_result_as_json() -> None:
    without = {
        path
        for path, command in leaves(commands)
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == _WITHOUT_JSON


def test_the_man_page_is_what_the_commands_say() -> None:
    """After a change of a command: python installers/man_page.py"""
    assert man_page.PAGE.read_text(encoding="utf-8") == man_page.page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff here")
def test_the_man_page_is_sound() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", man_page.PAGE],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""


def completed(lockhouse: Command, *words: str) -> list[str]:
    """What bash would offer for the last of the words."""
    line = " ".join(["lockhouse", *words])
    done = subprocess.run(
        lockhouse.line()[:-2],
        env={**lockhouse.environment, "LOCKHOUSE_HOME": str(lockhouse.home),
             "_LOCKHOUSE_COMPLETE": "bash_complete", "COMP_WORDS": line,
             "COMP_CWORD": str(len(words))},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_options_and_names_are_completed(lockhouse: Command) -> None:
    assert completed(lockhouse, "mod") == ["models"]
    assert completed(lockhouse, "models", "sh") == ["show"]
    assert completed(lockhouse, "ask", "--temp") == ["--temperature"]
    assert completed(lockhouse, "ask", "-m", "smol") == []
    assert not (lockhouse.home / "lockhouse.db").exists(), "Tab makes no home"
    name = lockhouse("ls", "--json").json[0]["name"]
    assert completed(lockhouse, "ask", "-m", "smol") == [name]
    assert completed(lockhouse, "rm", "smol") == [name]
    assert completed(lockhouse, "settings", "set", "them") == ["theme"]
    assert completed(lockhouse, "keys", "set", "opena") == ["openai"]
    (lockhouse.home / "lockhouse.db").write_bytes(b"no database")
    assert completed(lockhouse, "ask", "-m", "smol") == []


def test_a_completion_starts_no_broker_and_loads_nothing_heavy(
    environment: dict[str, str], lockhouse: Command
) -> None:
    assert lockhouse("unseal").code == 0
    assert completed(lockhouse, "models", "g") == ["get"]
    assert not (lockhouse.home / "logs" / "broker.log").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_printed(lockhouse: Command, shell: str) -> None:
    script = lockhouse("completion", shell)
    assert script.code == 0
    assert "_LOCKHOUSE_COMPLETE" in script.text
    if shutil.which(shell):
        check = subprocess.run([shell, "-n"], input=script.out, capture_output=True, check=True)
        assert check.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
@pytest.mark.parametrize("display", ["", ":987"])
def test_without_a_display_a_sentence_says_what_to_do(lockhouse: Command, display: str) -> None:
    apart = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    bare = {key: value for key, value in lockhouse.environment.items() if key not in apart}
    if display:
        bare["DISPLAY"] = display
        bare["QT_QPA_PLATFORM"] = "xcb"
    done = subprocess.run(
        lockhouse.line(), env=bare, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    first, second, third = done.stderr.splitlines()
    assert first.startswith("lockhouse: The window cannot open: ")
    assert (display or "no display") in first
    assert "lockhouse chat" in second
    assert "lockhouse doctor" in third
