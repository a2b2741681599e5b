"""An engine that was stopped or hangs: no command waits for it without end, and it can be ended."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse import processes
from tests.cli.command import Command


@pytest.fixture
def lockhouse(tmp_path: Path, checked: Path) -> Iterator[Command]:
    shutil.copytree(checked, tmp_path / "home" / "cache")
    command = Command(tmp_path / "home", {**os.environ, "LOCKHOUSE_THREADS": "1"})
    yield command
    command.end_engines()


def test_commands_come_to_an_end_while_an_engine_hangs(lockhouse: Command) -> None:
    asked = lockhouse.start("ask", "--max-tokens", "900", "Tell me a very long story.")
    assert asked.stdout is not None
    assert asked.stdout.read(1)
    pid = lockhouse("engines", "list", "--json").json[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    others = [
        lockhouse.start("ask", "What is the capital of France?"),
        lockhouse.start("engines", "list", "--json"),
        lockhouse.start("status", "--json"),
    ]
    _, error = asked.communicate()
    assert asked.returncode == 6
    assert b"does not respond" in error
    assert b"lockhouse engines stop" in error
    (_, second), (listed, _), (status, _) = (other.communicate() for other in others)
    assert [other.returncode for other in others] == [6, 0, 0]
    assert b"does not respond" in second
    assert b'"not responding"' in listed
    assert b'"not responding"' in status
    assert lockhouse("engines", "stop", "--json").json == {"stopped": 1}
    assert not processes.exists(pid)
    assert b"Paris" in lockhouse("ask", "What is the capital of France?").out
