"""``lockhouse chat``: a person at a terminal, and a script at a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Command

LONG = "Tell me the history of the lighthouse in all its detail."
_PATIENCE_S = 60.0
# Some words of the answer to LONG: what is said of a model that loads is none of them.
_ANSWERING = r"detail\.\r\n(?:\r(?:Loading|Reading) [^\r]*+)*+\r?[^\r]{30}"


class Terminal:
    """A person at a terminal: types, and waits until something can be read."""

    def __init__(self, lockhouse: Command, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            lockhouse.line("chat", *arguments),
            env={**lockhouse.environment, "TERM": "xterm", "NO_COLOR": "1"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)
        self._seen = b""

    def type(self, text: str) -> None:
        self._seen = b""
        os.write(self._master, text.encode())

    def wait_for(self, pattern: str) -> str:
        """What has come on the screen since the last key, once it holds ``pattern``."""
        while not re.search(pattern, self.screen):
            ready, _, _ = select.select([self._master], [], [], _PATIENCE_S)
            assert ready, f"{pattern!r} never came; there is {self.screen!r}"
            try:
                self._seen += os.read(self._master, 4096)
            except OSError:  # the other end is closed
                break
        assert re.search(pattern, self.screen), self.screen
        return self.screen

    @property
    def screen(self) -> str:
        return re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", self._seen.decode(errors="replace"))

    @property
    def shows_typing(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def interrupt_reading(self) -> None:
        """Ctrl-C while a line is read, again as long as nothing answers.

        Between the prompt and the wait for a key there is a moment in which Python hears of a
        signal only with the next key.
        """
        self.interrupt()
        while not select.select([self._master], [], [], 1.0)[0]:
            self.interrupt()

    def ends_with(self) -> int:
        """The exit code, once everything on the screen was read."""
        while True:
            try:
                if not os.read(self._master, 4096):
                    break
            except OSError:
                break
        return self._process.wait(_PATIENCE_S)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(shared: Command) -> Iterator[Terminal]:
    opened = Terminal(shared, "--temperature", "0", "--max-tokens", "60")
    yield opened
    opened.close()


def newest(lockhouse: Command) -> dict[str, Any]:
    identity = lockhouse("chats", "list", "--json").json[0]["id"]
    found = lockhouse("chats", "show", identity, "--all", "--json").json
    assert isinstance(found, dict)
    return found


def test_a_conversation_with_everything_a_person_does(terminal: Terminal, shared: Command) -> None:
    terminal.wait_for("/help for help[^>]*> ")
    terminal.type("What is the capital of France? Answer in one sentence.\n")
    terminal.wait_for(r"Paris[^>]*\n> $")
    terminal.type("/regenerate\n")
    terminal.wait_for(r"Paris[^>]*\n> $")
    terminal.type("/undo\n")
    terminal.wait_for("Taken back[^>]*> $")
    terminal.type("/nonsense\n")
    terminal.wait_for("no command /nonsense[^>]*> $")
    terminal.type("Name one city \\\nin Italy.\n")
    terminal.wait_for(r"\n> $")
    terminal.type("/title Two capitals\n")
    terminal.wait_for(r"> $")
    terminal.type("/model\n")
    terminal.wait_for(r"\* \S+[^>]*> $")
    terminal.type("\x04")
    assert terminal.ends_with() == 0
    kept = newest(shared)
    assert kept["title"] == "Two capitals"
    asked = [message for message in kept["messages"] if message["role"] == "user"]
    assert [message["content"] for message in asked] == [
        "What is the capital of France? Answer in one sentence.",
        "Name one city \nin Italy.",
    ]
    assert asked[1]["parent_id"] is None
    answers = [message for message in kept["messages"] if message["role"] == "assistant"]
    assert [answer["version_count"] for answer in answers] == [2, 2, 1]


def test_an_interrupt_stops_the_answer_and_not_the_program(shared: Command) -> None:
    terminal = Terminal(shared, "--seed", "3")
    try:
        terminal.wait_for("> $")
        terminal.type(LONG + "\n")
        terminal.wait_for(_ANSWERING)
        terminal.interrupt()
        terminal.wait_for(r"\(stopped\)[^>]*> $")
        terminal.type("/exit\n")
        assert terminal.ends_with() == 0
    finally:
        terminal.close()
    answer = newest(shared)["messages"][-1]
    assert answer["status"] == "cancelled"
    assert len(answer["content"]) >= 30


def test_typing_while_it_answers_stays_out_of_the_answer(shared: Command) -> None:
    terminal = Terminal(shared, "--seed", "3")
    try:
        terminal.wait_for("> $")
        terminal.type(LONG + "\n")
        terminal.wait_for(_ANSWERING)
        terminal.type("/quit")
        answered = terminal.wait_for(".{30}")
        terminal.type("\x03")
        answered += terminal.wait_for(r"\(stopped\)[^>]*> $")
        assert "/quit" not in answered
        assert "^C" not in answered
        terminal.type("/quit\n")
        assert terminal.ends_with() == 0
        assert terminal.shows_typing
    finally:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_chat_that_is_ended_in_mid_answer_leaves_a_terminal_that_shows_typing(
    shared: Command, number: signal.Signals
) -> None:
    terminal = Terminal(shared, "--seed", "3")
    try:
        terminal.wait_for("> $")
        terminal.type(LONG + "\n")
        terminal.wait_for(_ANSWERING)
        assert not terminal.shows_typing
        terminal.send(number)
        assert terminal.ends_with() in (-number, 128 + number)
        assert terminal.shows_typing
    finally:
        terminal.close()


def test_a_terminal_that_closes_in_mid_answer_loses_nothing(shared: Command) -> None:
    terminal = Terminal(shared, "--seed", "3")
    terminal.wait_for("> $")
    terminal.type(LONG + "\n")
    terminal.wait_for(_ANSWERING)
    os.kill(terminal._process.pid, signal.SIGHUP)
    assert terminal.ends_with() == 128 + signal.SIGHUP
    terminal.close()
    answer = newest(shared)["messages"][-1]
    assert answer["status"] == "cancelled"
    assert len(answer["content"]) >= 30


def test_a_pipe_is_answered_line_by_line(shared: Command) -> None:
    lines = 'What is the capital of France? Answer in one sentence.\n"""\nAnd of\nItaly?\n"""\n'
    outcome = shared("chat", "--temperature", "0", "--max-tokens", "40", stdin=lines.encode())
    assert outcome.code == 0
    assert "Paris" in outcome.text
    asked = [m["content"] for m in newest(shared)["messages"] if m["role"] == "user"]
    assert asked == ["What is the capital of France? Answer in one sentence.", "And of\nItaly?"]
    assert outcome.err == ""


def test_a_pipe_that_is_not_text_is_refused(shared: Command) -> None:
    outcome = shared("chat", stdin=b"\xff\xfe\n")
    assert outcome.code == 3
    assert "Line 1" in outcome.err


def test_leaving_at_once_leaves_nothing_behind(lockhouse: Command) -> None:
    assert lockhouse("chat").code == 0
    assert lockhouse("chats", "list", "--json").json == []


def test_a_conversation_is_gone_on_with(shared: Command) -> None:
    identity = newest(shared)["id"]
    before = len(newest(shared)["messages"])
    shared("chat", "--chat", identity, "--max-tokens", "3", stdin=b"And then?\n")
    found = newest(shared)
    assert found["id"] == identity
    assert len(found["messages"]) == before + 2


def test_an_answer_cannot_steer_the_terminal_that_shows_it(shared: Command, tmp_path: Path) -> None:
    grammar = tmp_path / "steering.gbnf"
    grammar.write_text('root ::= "\\x1B]0;owned\\x07seen"\n')
    asked = ("ask", "Hi", "--grammar", str(grammar), "--no-save")
    assert shared(*asked).out == b"\x1b]0;owned\x07seen\n"
    master, slave = pty.openpty()
    with subprocess.Popen(
        shared.line(*asked), env=shared.environment, stdin=slave, stdout=slave, stderr=slave
    ):
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
    os.close(master)
    assert shown.endswith(b"]0;ownedseen\r\n")
    assert b"\x1b]" not in shown
    assert b"\x07" not in shown
