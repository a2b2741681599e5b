"""Clients of one engine that ask, stop, leave, regenerate, change settings and die at random.

Every answer that nobody stopped has to be complete and, where its seed is pinned, the same as the
one given alone; nothing may be kept as stopped that was not; memory, threads and open files of the
engine and of its clients stay as they are. A short run is a test; a long one prints its figures:

    PYTHONPATH=app .venv/bin/python -m tests.engine.stress 400 [--clients 6] [--kind hybrid]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from lockhouse import processes
from lockhouse.answer.request import Choices, Question
from lockhouse.answer.target import Target
from lockhouse.chat.turns import TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Failed, Finished, Text
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.protocol import EngineStatus
from lockhouse.gate.outbound import Outbound
from lockhouse.workspace import Workspace, open_workspace

from .models import KINDS, small_model

ALL_KINDS = ("starter", *KINDS)
ACTIONS = ("ask", "ask", "ask", "regenerate", "stop", "leave", "new chat", "settings", "die")
_CONTEXT, _MORE_CONTEXT = 1280, 256
_WORDS = ("able", "bird", "cold", "dune", "echo", "fern", "gold", "hill", "iris", "jade")
_LIMIT_S = 900.0
_MOST_GROWTH_BYTES = 24 << 20


@dataclass
class Answered:
    """One answer: what was asked for, and what came of it."""

    request: AnswerRequest
    is_stopped: bool = False
    message_id: str = ""
    text: str = ""
    end: Finished | Failed | None = None


class Recorded:
    """A target that keeps what it is asked and what it answers."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.answered: list[Answered] = []
        self.info = target.info
        self.preview = target.preview
        self.obstacle = target.obstacle
        self.count_tokens = target.count_tokens

    def answer(
        self, request: AnswerRequest, cancel: CancelToken, *, approved: Outbound | None = None
    ) -> Iterator[Event]:
        answered = Answered(request, message_id=request.message_id)
        self.answered.append(answered)
        for event in self._target.answer(request, cancel, approved=approved):
            if isinstance(event, Text):
                answered.text += event.text
            elif isinstance(event, Finished | Failed):
                answered.end = event
            yield event


@dataclass
class Report:
    """What was done, and what was found."""

    kind: str
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()))
        return f"{self.kind}: {done}; {len(self.wrong)} wrong; {self.seconds:.0f} s"


class Client(threading.Thread):
    """One conversation after another, until its share of the actions is done."""

    def __init__(self, stress: Stress, number: int, actions: list[str]) -> None:
        super().__init__(name=f"client {number}")
        self._stress = stress
        self._actions = actions
        self._chance = random.Random(f"{stress.seed} {number}")
        self.recorded = Recorded(stress.target)
        self._conversation = ""
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            for action in self._actions:
                self._act(action)
        except Exception as error:  # told by the main thread
            self.failure = error
            raise

    def _act(self, action: str) -> None:
        conversations = self._stress.workspace.conversations
        self._stress.report.done[action] += 1
        if action == "die":
            self._stress.die(self._chance)
            return
        if action == "settings":
            self._stress.context_length += _MORE_CONTEXT
        if action == "new chat" or not self._conversation:
            self._conversation = conversations.create().id
        path = conversations.path(self._conversation)
        choices = self._choices()
        if action == "regenerate" and path:
            question = Question(again=path[-1].id, choices=choices)
        else:
            if len(path) > 4:
                self._conversation = conversations.create().id
            question = Question(self._prompt(), choices=choices)
        token = CancelToken()
        events = self._stress.workspace.turns.ask(
            self._conversation, question, target=self.recorded, cancel=token
        )
        self._take(action, iter(events), token)

    def _take(self, action: str, events: Iterator[object], token: CancelToken) -> None:
        enough = self._chance.randrange(1, 6) if action in ("stop", "leave") else 10**9
        for count, event in enumerate(events):
            if isinstance(event, TurnStarted):
                continue
            if count == enough:
                self.recorded.answered[-1].is_stopped = True
                if action == "stop":
                    token.cancel()
                else:
                    assert isinstance(events, Generator)
                    events.close()
                    return

    def _prompt(self) -> str:
        count = self._chance.choice((1, 5, 30, 80))
        return " ".join(self._chance.choices(_WORDS, k=count))

    def _choices(self) -> Choices:
        seed = self._chance.choice((None, self._chance.randrange(4)))
        return Choices(
            temperature=0.8 if seed is not None else 0.0,
            seed=seed,
            max_tokens=self._chance.randrange(2, 24),
            context_length=self._stress.context_length,
        )


class Stress:
    """One engine, its clients, and what is found out about them."""

    def __init__(self, kind: str, folder: Path, *, seed: int, cache: Path | None = None) -> None:
        self.seed = f"{kind} {seed}"
        self.report = Report(kind)
        self.context_length = _CONTEXT
        self._model = "" if kind == "starter" else str(small_model(kind, folder / "small.gguf"))
        self._folder = folder
        self._cache = cache
        self.workspace = self._home("shared")
        self.target = self.workspace.targets.get(self._model)
        self._answered: list[Answered] = []

    def _home(self, name: str) -> Workspace:
        home = self._folder / name
        home.mkdir()
        if self._cache is not None:
            (home / "cache").symlink_to(self._cache)
        return open_workspace(
            home,
            overrides={"threads": 1, "context_length": _CONTEXT, "when_full": "cut_oldest"},
        )

    def run(self, actions: int, clients: int) -> Report:
        """Half of the actions with settings that change, half without; then look at it all."""
        began = time.monotonic()
        try:
            self._phase(actions // 2, clients, ACTIONS)
            before = self._quiet()
            steady = tuple(action for action in ACTIONS if action != "settings")
            self._phase(actions - actions // 2, clients, steady)
            self._compare(before, self._quiet())
            self._check_kept()
        finally:
            self.workspace.engines.stop()
        self._check_alone()
        self.workspace.close()
        self.report.seconds = time.monotonic() - began
        return self.report

    def die(self, chance: random.Random) -> None:
        """A program that asks the same engine, killed while it does."""
        command = [*processes.own_command(), "--home", str(self._folder / "shared"), "ask"]
        model = ["-m", self._model] if self._model else []
        asked = subprocess.Popen(
            [*command, *model, "--max-tokens", "400", "able bird cold"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "LOCKHOUSE_THREADS": "1",
                "LOCKHOUSE_CONTEXT_LENGTH": str(_CONTEXT),
            },
        )
        assert asked.stdout is not None
        asked.stdout.read(chance.randrange(1, 12))
        asked.kill()
        asked.communicate()

    def _phase(self, actions: int, clients: int, choice: tuple[str, ...]) -> None:
        chance = random.Random(f"{self.seed} {len(self._answered)}")
        shares: list[list[str]] = [[] for _ in range(clients)]
        for number in range(actions):
            shares[number % clients].append(choice[chance.randrange(len(choice))])
        running = [
            Client(self, len(self._answered) + number, share) for number, share in enumerate(shares)
        ]
        for client in running:
            client.start()
        deadline = time.monotonic() + _LIMIT_S
        for client in running:
            client.join(max(0.0, deadline - time.monotonic()))
            if client.is_alive():
                self.report.wrong.append(f"{client.name} waits without end")
            elif client.failure is not None:
                self.report.wrong.append(f"{client.name} failed: {client.failure!r}")
            self._answered += client.recorded.answered

    def _quiet(self) -> dict[str, float]:
        """Figures of the engine and of this process, when nothing is asked any more."""
        status = self._idle_engine()
        engine, own = psutil.Process(status.pid), psutil.Process()
        files, threads, own_files = [], [], []
        gc.collect()  # connections of threads that have ended
        for _ in range(20):  # the question after its state has a connection and a thread, too
            files.append(engine.num_fds())
            threads.append(engine.num_threads())
            own_files.append(own.num_fds())
            time.sleep(0.05)
        return {
            "engine files": min(files),
            "engine threads": min(threads),
            "engine memory": engine.memory_full_info().uss,
            "files of the clients": min(own_files),
        }

    def _idle_engine(self) -> EngineStatus:
        """The one engine that is left, once the last client has left it."""
        deadline = time.monotonic() + 60
        while True:
            running = self.workspace.engines.list()
            if len(running) == 1 and not running[0].clients and not running[0].active:
                return running[0]
            if time.monotonic() > deadline:
                raise AssertionError(f"engines do not come to rest: {running}")
            time.sleep(0.05)

    def _compare(self, before: dict[str, float], after: dict[str, float]) -> None:
        for name, value in after.items():
            allowed = _MOST_GROWTH_BYTES if name == "engine memory" else 0
            if value - before[name] > allowed:
                self.report.wrong.append(f"{name}: {before[name]:,.0f} became {value:,.0f}")

    def _check_kept(self) -> None:
        for answered in self._answered:
            kept = self.workspace.conversations.message(answered.message_id)
            allowed = ("complete", "cancelled") if answered.is_stopped else ("complete",)
            if kept.status not in allowed:
                why = kept.error or answered.end
                self.report.wrong.append(f"{kept.status} instead of {allowed[0]}: {why}")
            if not answered.is_stopped and kept.content.strip() != answered.text.strip():
                self.report.wrong.append("what is kept is not what came")

    def _check_alone(self) -> None:
        """Ask again everything that was not stopped, one by one, of an engine of its own."""
        alone = self._home("alone")
        target = alone.targets.get(self._model)
        known: dict[bytes, str] = {}
        try:
            for answered in self._answered:
                if answered.is_stopped or not isinstance(answered.end, Finished):
                    continue
                request = msgspec.structs.replace(
                    answered.request, message_id="", context_length=self.context_length
                )
                key = msgspec.json.encode(request)
                if key not in known:
                    events = target.answer(request, CancelToken())
                    known[key] = "".join(e.text for e in events if isinstance(e, Text))
                pinned = "pinned" if request.sampling.seed is not None else "unpinned"
                self.report.done[f"{pinned} answers"] += 1
                if known[key] == answered.text:
                    self.report.done[f"{pinned} answers equal to those given alone"] += 1
                elif pinned == "pinned":
                    self.report.wrong.append(f"{answered.text!r} is {known[key]!r} alone")
        finally:
            alone.engines.stop()
            alone.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("actions", type=int)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=ALL_KINDS, action="append")
    options = parser.parse_args()
    wrong = 0
    for kind in options.kind or ALL_KINDS:
        with tempfile.TemporaryDirectory() as folder:
            stress = Stress(kind, Path(folder), seed=options.seed)
            report = stress.run(options.actions, options.clients)
        print(report, flush=True)
        for line in itertools.islice(report.wrong, 20):
            print("   ", line)
        wrong += len(report.wrong)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
