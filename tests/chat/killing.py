"""Kills a process in the middle of an answer and looks at what it leaves.

``python -m tests.chat.killing 100`` does so a hundred times at random moments and prints how
much of the text was lost.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockhouse.answer.request import Question
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.turns import TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Text
from lockhouse.core.request import AnswerRequest
from lockhouse.storage.database import Database
from tests.chat.targets import Scripted, turns_with

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """What was there after a kill. ``lost_s`` is the age of the oldest word that was lost."""

    said: int
    kept: int
    lost_s: float


def open_home(home: Path) -> Conversations:
    """The conversations of that home."""
    return Conversations(Database(home / "lockhouse.db", backups=home / "backups"))


class ReportedConversations(Conversations):
    """Tells on standard output how much has been kept."""

    def append_answer(self, message_id: str, *, content: str, reasoning: str) -> None:
        super().append_answer(message_id, content=content, reasoning=reasoning)
        tell("kept", len(content.split()))


def tell(what: str, count: int) -> None:
    os.write(1, f"{what} {count} {time.monotonic()}\n".encode())


def speak(_request: AnswerRequest, _cancel: CancelToken) -> Iterator[Event]:
    """Numbers without end, about as fast as a small model."""
    count = 0
    while True:
        count += 1
        yield Text(f"{count} ")
        time.sleep(0.003)


def stream(home: Path) -> None:
    """The process that will be killed."""
    conversations = ReportedConversations(open_home(home).database)
    conversations.recover()
    turns = turns_with(conversations, Scripted("counter", speak))
    chat = conversations.create(title="Counting")
    words = 0
    for event in turns.ask(chat.id, Question("Count!"), cancel=CancelToken()):
        if isinstance(event, TurnStarted):
            os.write(1, f"began {event.answer.id} 0\n".encode())
        elif isinstance(event, Text):
            words += 1
            tell("said", words)


def start(home: Path) -> subprocess.Popen[bytes]:
    """A process that streams an answer into that home."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chat.killing", "stream", str(home)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
    )


Told = tuple[str, int, dict[int, float], float]


def kill(process: subprocess.Popen[bytes], read: bytes = b"") -> Told:
    """Kills it; the answer's id, how much it knew to be kept, when it said what, and when.

    ``read`` is what was read of its output before.
    """
    process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert process.stdout is not None
    told = (read + process.stdout.read()).decode()
    process.stdout.close()
    process.wait()
    answer, kept, said = "", 0, {}
    for line in told.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        what, value, moment = line.split()
        if what == "began":
            answer = value
        elif what == "kept":
            kept = int(value)
        else:
            said[int(value)] = float(moment)
    return answer, kept, said, killed


def examine(home: Path, told: Told) -> Outcome:
    """Fails when anything is lost that may not be."""
    answer, known, said, killed = told
    conversations = open_home(home)
    try:
        assert conversations.database.problems() == []
        recovered = {message.id for message in conversations.recover()}
        if not answer:
            return Outcome(0, 0, 0.0)
        assert answer in recovered
        message = conversations.message(answer)
        assert message.status == "cut"
        words = message.content.split()
        assert words == [str(number) for number in range(1, len(words) + 1)]
        assert len(words) >= known
        assert conversations.search(words[-1]) if words else True
        question = conversations.path(message.conversation_id)[0]
        assert question.content == "Count!"
        lost = [moment for number, moment in said.items() if number > len(words)]
        return Outcome(len(said), len(words), killed - min(lost) if lost else 0.0)
    finally:
        conversations.database.close()


def main(times: int) -> None:
    """Kills in one and the same home: in mid-answer, and some as early as the start."""
    chance = random.Random()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for _ in range(times // 5):
            process = start(home)
            time.sleep(chance.uniform(0.0, 0.8))
            examine(home, kill(process))
        outcomes = []
        for _ in range(times):
            process = start(home)
            assert process.stdout is not None
            began = process.stdout.readline()
            time.sleep(chance.uniform(0.0, 2.0))
            outcomes.append(examine(home, kill(process, began)))
    ages = sorted(outcome.lost_s for outcome in outcomes)
    print(f"{times} kills in mid-answer, {times // 5} at the start: the database always intact")
    print(f"words said {sum(o.said for o in outcomes)}, kept {sum(o.kept for o in outcomes)}")
    print(f"oldest lost word: median {ages[len(ages) // 2]:.3f} s, most {ages[-1]:.3f} s")


if __name__ == "__main__":
    if sys.argv[1] == "stream":
        stream(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]))
