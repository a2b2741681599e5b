"""An engine that was stopped or hangs: no command waits for it without end, and it can be ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
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
    looking = [lockhouse.start("engines", "list", "--json"), lockhouse.start("status", "--json")]
    for look in looking:
        shown, _ = look.communicate()
        assert look.returncode == 0
        assert b'"not responding"' in shown or b'"pid": %d' % pid not in shown
    # What has words already is told and ends; whoever asks then gets an engine that works.
    _, error = asked.communicate()
    assert asked.returncode == 6
    assert b"does not respond, so it was ended" in error
    assert not processes.exists(pid)
    assert b"Paris" in lockhouse("ask", "What is the capital of France?").out


def test_a_question_to_an_engine_that_hangs_is_answered_by_another(lockhouse: Command) -> None:
    assert lockhouse("ask", "--max-tokens", "2", "Hi").code == 0
    pid = lockhouse("engines", "list", "--json").json[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    answered = lockhouse("ask", "What is the capital of France?")
    assert answered.code == 0, answered.err
    assert b"Paris" in answered.out
    assert not processes.exists(pid)
    [other] = lockhouse("engines", "list", "--json").json
    assert other["pid"] != pid


def test_an_engine_that_hangs_can_be_stopped(lockhouse: Command) -> None:
    assert lockhouse("ask", "--max-tokens", "2", "Hi").code == 0
    pid = lockhouse("engines", "list", "--json").json[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert lockhouse("engines", "stop", "--json").json == {"stopped": 1}
    assert not processes.exists(pid)


def test_silent_clients_hold_up_nobody(lockhouse: Command) -> None:
    assert lockhouse("ask", "--max-tokens", "2", "Hi").code == 0
    [place] = (lockhouse.home / "run").glob("*.sock")
    with contextlib.ExitStack() as silent:
        for _ in range(100):  # more than the socket keeps waiting
            client = silent.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(place))
        assert b"Paris" in lockhouse("ask", "What is the capital of France?").out
        [engine] = lockhouse("engines", "list", "--json").json
        assert engine["state"] == "ready"
