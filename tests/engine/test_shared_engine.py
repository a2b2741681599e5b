"""Conversations that share an engine, asked as the window and the commands ask: each gets its whole
answer, whatever becomes of the others."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from lockhouse import processes
from lockhouse.answer.local import LoadPlanner, LocalTargets
from lockhouse.answer.model_hashes import ModelHashes
from lockhouse.answer.request import Choices, Question
from lockhouse.answer.target import Target
from lockhouse.chat.turns import TurnEvent
from lockhouse.chat.values import Message
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Reasoning, Text
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.gate.outbound import Outbound
from lockhouse.library.file_copy import Progress
from lockhouse.library.fit import MARGIN_BYTES
from lockhouse.library.models import Models
from lockhouse.library.starter import starter_model
from lockhouse.workspace import Workspace, open_workspace

from .models import copy_of, small_model, with_template

ENDLESS = Sampling(temperature=0, logit_bias={"0": -100.0, "2": -100.0})


@pytest.fixture
def workspace(tmp_path: Path, checked: Path) -> Iterator[Workspace]:
    shutil.copytree(checked, tmp_path / "home" / "cache")
    workspace = open_workspace(tmp_path / "home", overrides={"context_length": 1024, "threads": 1})
    yield workspace
    workspace.engines.stop()
    workspace.close()


class Endless:
    """A target whose model cannot end an answer by itself: its end tokens are ruled out."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.info = target.info
        self.preview = target.preview
        self.obstacle = target.obstacle
        self.count_tokens = target.count_tokens

    def answer(
        self, request: AnswerRequest, cancel: CancelToken, *, approved: Outbound | None = None
    ) -> Iterator[Event]:
        endless = msgspec.structs.replace(request, sampling=ENDLESS)
        return self._target.answer(endless, cancel, approved=approved)


class Chat(threading.Thread):
    """One conversation with one question, asked in a thread of its own."""

    def __init__(
        self,
        workspace: Workspace,
        text: str,
        *,
        target: str | Target = "",
        on_event: Callable[[TurnEvent], None] = lambda _event: None,
        **choices: int,
    ) -> None:
        super().__init__()
        self._conversations = workspace.conversations
        self._turns = workspace.turns
        self._id = self._conversations.create().id
        self._question = Question(text, choices=Choices(**choices))
        found = workspace.targets.get(target) if isinstance(target, str) else target
        self._target_asked = Endless(found)
        self._on_event = on_event
        self.token = CancelToken()
        self.began = threading.Event()
        self.start()

    def run(self) -> None:
        for event in self._turns.ask(
            self._id, self._question, target=self._target_asked, cancel=self.token
        ):
            if isinstance(event, Text | Reasoning):
                self.began.set()
            self._on_event(event)
        self.began.set()

    def wait_for_words(self) -> None:
        assert self.began.wait(120)

    def answer(self) -> Message:
        """What is kept of the answer, once it has ended."""
        self.join()
        return self._conversations.path(self._id)[-1]


def tokens_of(message: Message) -> int:
    assert message.provenance is not None, message.error
    return message.provenance.finished.usage.completion_tokens


@pytest.mark.parametrize("kind", ["hybrid", "recurrent", "sliding window"])
def test_a_chat_goes_on_while_others_end_and_are_stopped(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    model = str(small_model(kind, tmp_path / "small.gguf"))
    long = Chat(workspace, "abc", target=model, context_length=32_000, max_tokens=31_000)
    long.wait_for_words()
    for number in range(1, 7):
        brief = Chat(workspace, "def " * number, target=model, max_tokens=3)
        assert brief.answer().status == "complete"
        stopped = Chat(workspace, "ghi " * number, target=model, max_tokens=31_000)
        stopped.wait_for_words()
        stopped.token.cancel()
        assert stopped.answer().status == "cancelled"
    long.token.cancel()
    answer = long.answer()
    assert answer.error is None
    assert answer.status in ("cancelled", "complete")  # a small model may have been through


@pytest.mark.parametrize("kind", ["hybrid", "recurrent", "sliding window"])
def test_chats_asked_at_once_answer_as_each_alone(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    model = str(small_model(kind, tmp_path / "small.gguf"))
    texts = [f"{word} " * 20 for word in ("able", "bird", "cold", "dune")]
    Chat(workspace, "echo", target=model, max_tokens=1).join()
    engines = [engine.pid for engine in workspace.engines.list()]
    at_once = [Chat(workspace, text, target=model, max_tokens=40) for text in texts]
    answers = [chat.answer().content for chat in at_once]
    assert len(set(answers)) == len(texts)
    for text, answer in zip(texts, answers, strict=True):
        alone = Chat(workspace, text, target=model, max_tokens=40).answer().content
        # Batches round otherwise, which may decide between two tokens that are equally likely.
        assert alone[:12] == answer[:12]
    assert [engine.pid for engine in workspace.engines.list()] == engines


def test_chats_that_answer_end_whole_when_another_asks_for_a_longer_context(
    workspace: Workspace,
) -> None:
    chats = [
        Chat(workspace, "Tell a story.", max_tokens=20),
        Chat(workspace, "Tell a long story.", max_tokens=120),
    ]
    for chat in chats:
        chat.wait_for_words()
    longer = Chat(workspace, "Tell another.", context_length=2048, max_tokens=5)
    assert [tokens_of(chat.answer()) for chat in (*chats, longer)] == [20, 120, 5]
    assert {chat.answer().status for chat in (*chats, longer)} == {"complete"}


def test_a_window_keeps_the_model_of_its_last_answer_loaded(tmp_path: Path, checked: Path) -> None:
    shutil.copytree(checked, tmp_path / "home" / "cache")
    window = open_workspace(
        tmp_path / "home", overrides={"context_length": 512, "engine_idle_s": 0}
    )
    window.engines.keep_loaded = True
    found = []
    for _ in range(2):
        assert Chat(window, "Say yes.", max_tokens=2).answer().status == "complete"
        found += [(status.pid, status.clients) for status in window.engines.list()]
    assert found == [(found[0][0], 1)] * 2
    engine = psutil.Process(found[0][0])
    window.close()
    with contextlib.suppress(psutil.TimeoutExpired):  # nobody may be there to reap it
        engine.wait(30)
    assert not processes.exists(engine.pid)


THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n<think>\n' }}"
)


def test_a_trace_whose_engine_dies_is_not_told_twice(
    workspace: Workspace, starter: Path, tmp_path: Path
) -> None:
    told: list[str] = []

    def kill_once(event: TurnEvent) -> None:
        if isinstance(event, Reasoning):
            if not told:
                os.kill(workspace.engines.list()[0].pid, signal.SIGKILL)
            told.append(event.text)

    model = with_template(starter, tmp_path / "thinks.gguf", THINKING)
    chat = Chat(workspace, "Why?", target=str(model), max_tokens=200, on_event=kill_once)
    answer = chat.answer()
    assert told
    assert answer.reasoning.count(told[0].strip()) == 1
    assert answer.reasoning == "".join(told)
    assert (answer.status, answer.error and answer.error.code) == ("failed", "engine_killed")


def test_an_answer_whose_model_is_unloaded_is_not_said_to_be_stopped(
    workspace: Workspace,
) -> None:
    chat = Chat(workspace, "Tell a story.", max_tokens=900)
    chat.wait_for_words()
    assert workspace.engines.stop() == 1
    answer = chat.answer()
    assert (answer.status, answer.error and answer.error.code) == ("failed", "engine_stopped")
    assert answer.content


class WaitingModels(Models):
    """A library in which counting a hash takes until it is let go on."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.database, workspace.paths.models, starter_model())
        self.may_count = threading.Event()

    def sha256(
        self, path: Path, *, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> str:
        assert self.may_count.wait(120)
        return super().sha256(path, progress=progress, cancel=cancel)


def test_an_answer_ends_before_the_hash_of_its_model_is_known_and_gets_it_later(
    workspace: Workspace, starter: Path
) -> None:
    models = WaitingModels(workspace)
    known = threading.Event()

    def complete(message_id: str, sha256: str) -> None:
        workspace.conversations.add_model_hash(message_id, sha256)
        known.set()

    hashes = ModelHashes(models, complete)
    targets = LocalTargets(
        models, workspace.engines, hashes, lambda: workspace.settings, workspace.forms
    )
    chat = Chat(workspace, "Tell a story.", target=targets.get(""), max_tokens=900)
    chat.wait_for_words()
    chat.token.cancel()
    answer = chat.answer()
    assert answer.status == "cancelled"
    assert answer.provenance is not None
    assert answer.provenance.finished.model_sha256 is None
    models.may_count.set()
    assert known.wait(120)
    completed = chat.answer().provenance
    assert completed is not None
    assert completed.finished.model_sha256 == hashlib.sha256(starter.read_bytes()).hexdigest()
    hashes.close()


def test_two_models_asked_at_once_are_not_both_loaded_into_memory_for_one(
    workspace: Workspace, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine has memory for one and a half: so the second finds too little, or the first
    has answered and makes room."""
    need = LoadPlanner(workspace.checkup, starter)(
        EngineSpec(str(starter), "starter", LoadSettings(context_length=1024))
    ).memory_bytes
    limit_bytes = need + need // 2 + MARGIN_BYTES
    real, others = psutil.virtual_memory(), psutil.Process().children(recursive=True)

    def small_machine() -> object:
        """Mapped files count as available, as on a real one."""
        taken = 0
        for process in set(psutil.Process().children(recursive=True)).difference(others):
            with contextlib.suppress(psutil.Error):
                held = process.memory_info()
                taken += held.rss - held.shared if "--engine" in process.cmdline() else 0
        return real._replace(total=4 * need, available=limit_bytes - taken)

    monkeypatch.setattr(psutil, "virtual_memory", small_machine)
    copy = copy_of(starter, tmp_path / "other.gguf")
    chats = [
        Chat(workspace, "Tell a story.", target=target, max_tokens=120)
        for target in ("", str(copy))
    ]
    ends = sorted(
        (chat.answer().status, getattr(chat.answer().error, "code", "")) for chat in chats
    )
    assert ends == [("complete", ""), ("failed", "out_of_memory")]
