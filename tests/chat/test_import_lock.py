"""An import and an answer at the same time: neither stands in the way of the other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.answer.request import Question
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.import_export import import_file
from lockhouse.chat.turns import TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import StorageError
from lockhouse.core.events import Event, Finished, Text
from lockhouse.core.request import AnswerRequest
from lockhouse.processes import own_command
from lockhouse.storage import connection, database
from tests.chat.exports import many
from tests.chat.killing import ROOT, open_home
from tests.chat.targets import Scripted, turns_with

PATIENCE_S = 0.5
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "app")}
HOLDER = """
import sys
from pathlib import Path
from lockhouse.storage.database import Database
home = Path(sys.argv[1])
with Database(home / "lockhouse.db", backups=home / "backups").write():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose answers do not wait for other writers for long."""
    for module in (connection, database):
        monkeypatch.setattr(module, "BUSY_TIMEOUT_S", PATIENCE_S)
    return tmp_path / "home"


def start_import(home: Path, file: Path) -> subprocess.Popen[bytes]:
    line = [sys.executable, *own_command()[1:], "--home", str(home), "chats", "import", str(file)]
    return subprocess.Popen(line, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Looks for a moment."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.01)
    return process.poll() is not None


def write(folder: Path, count: int) -> Path:
    file = folder / "many.json"
    file.write_text(json.dumps(many(count, words=600)), encoding="utf-8")
    return file


def test_an_answer_streams_to_its_end_while_chats_are_imported(home: Path, tmp_path: Path) -> None:
    conversations = open_home(home)
    file = write(tmp_path, 600)
    imports: list[subprocess.Popen[bytes]] = []

    def speak(_request: AnswerRequest, _cancel: CancelToken) -> Iterator[Event]:
        imports.append(start_import(home, file))
        count = 0
        while not has_ended(imports[0]):
            count += 1
            yield Text(f"{count} ")
        yield Finished("stop")

    turns = turns_with(conversations, Scripted("counter", speak))
    chat = conversations.create(title="Counting")
    events = list(turns.ask(chat.id, Question("Count!"), cancel=CancelToken()))
    out, _ = imports[0].communicate()
    assert (imports[0].returncode, out) == (0, b"600 conversations, 3600 messages\n")
    assert isinstance(events[-1], Finished)
    answer = conversations.path(chat.id)[-1]
    assert answer.status == "complete"
    assert answer.content == "".join(event.text for event in events if isinstance(event, Text))
    assert len(conversations.list()) == 601
    conversations.database.close()


def test_others_get_their_turn_while_chats_are_imported(home: Path, tmp_path: Path) -> None:
    conversations = open_home(home)
    process = start_import(home, write(tmp_path, 600))
    while not has_ended(process):
        with contextlib.suppress(StorageError):  # they do not wait for long here
            conversations.create(title="Meanwhile")
    process.communicate()
    assert process.returncode == 0
    written = conversations.database.rows("SELECT title FROM conversations ORDER BY seq")
    kept = [title for (title,) in written]
    places = [place for place, title in enumerate(kept) if title != "Meanwhile"]
    assert len(places) == 600
    assert kept[places[0] : places[-1]].count("Meanwhile") >= 10
    conversations.database.close()


class Watched(Conversations):
    """Counts what failed because another program was writing."""

    busy = 0

    def append_answer(self, message_id: str, *, content: str, reasoning: str) -> None:
        try:
            super().append_answer(message_id, content=content, reasoning=reasoning)
        except StorageError:
            self.busy += 1
            raise


def test_an_answer_outlasts_a_database_that_is_busy_for_long(home: Path) -> None:
    conversations = Watched(open_home(home).database)
    holders: list[subprocess.Popen[bytes]] = []
    finishing = 0

    def speak(_request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(home)],
            env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        count = 0
        while conversations.busy < 2:
            assert not has_ended(holder)
            count += 1
            yield Text(f"{count} ")
        yield Finished("stop")

    finish = conversations.finish_answer

    def release_at_the_second(*values: object, **named: object) -> object:
        nonlocal finishing
        finishing += 1
        if finishing == 2:
            holders[0].communicate()
        return finish(*values, **named)  # type: ignore[arg-type]

    conversations.finish_answer = release_at_the_second  # type: ignore[method-assign,assignment]
    turns = turns_with(conversations, Scripted("counter", speak))
    chat = conversations.create(title="Counting")
    events = list(turns.ask(chat.id, Question("Count!"), cancel=CancelToken()))
    assert isinstance(events[0], TurnStarted)
    assert finishing == 2
    answer = conversations.path(chat.id)[-1]
    assert answer.status == "complete"
    assert answer.content == "".join(event.text for event in events if isinstance(event, Text))
    conversations.database.close()


def test_an_import_that_was_killed_goes_on_where_it_was(home: Path, tmp_path: Path) -> None:
    conversations = open_home(home)
    file = write(tmp_path, 600)
    process = start_import(home, file)
    while len(conversations.list()) < 5:
        assert not has_ended(process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = len(conversations.list())
    assert 5 <= kept < 600
    for chat in conversations.list():
        assert len(conversations.messages(chat.id)) == 6
    report = import_file(conversations, file)
    assert report.conversations == 600 - kept
    assert len(report.skipped) == kept
    assert len(conversations.list()) == 600
    assert conversations.database.problems() == []
    conversations.database.close()
