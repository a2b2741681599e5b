"""Real engines on the starter model, in a home of their own that leaves nothing running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Finished, Reasoning, Text, TextWasReasoning
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.library.starter import starter_model

APP = Path(__file__).parents[2] / "app"


@pytest.fixture(scope="session")
def starter() -> Path:
    path = starter_model()
    assert path is not None, "the starter model's package is not installed"
    return path


@pytest.fixture(scope="session", autouse=True)
def _importable_in_children() -> Iterator[None]:
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(APP), before]))
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Path:
    """The cache of a home whose engine has passed its self-test, which takes seconds."""
    cache = tmp_path_factory.mktemp("checked")
    EngineCheckup(cache).verdict(starter)
    return cache


@pytest.fixture(scope="module")
def shared_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnginePool]:
    """One pool for the tests of a module that only ask."""
    home = tmp_path_factory.mktemp("home")
    pool = EnginePool(home / "run", home / "logs", idle_s=60)
    yield pool
    pool.stop()
    pool.close()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[EnginePool]:
    """A pool of its own for a test that breaks things."""
    pool = EnginePool(tmp_path / "run", tmp_path / "logs", idle_s=60)
    yield pool
    pool.stop()
    pool.close()
    left = [status.pid for status in pool.list() if processes.exists(status.pid)]
    assert not left, "engines outlived their pool's stop"


@pytest.fixture
def spec(starter: Path) -> EngineSpec:
    return EngineSpec(str(starter), "starter", LoadSettings(context_length=2048))


class Answered:
    """All events of one answer, and what they add up to."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.text = self.reasoning = ""
        for event in events:
            if isinstance(event, Text):
                self.text += event.text
            elif isinstance(event, Reasoning):
                self.reasoning += event.text
            elif isinstance(event, TextWasReasoning):
                self.reasoning, self.text = self.reasoning + self.text, ""
        self.last = events[-1]

    @property
    def finished(self) -> Finished:
        assert isinstance(self.last, Finished), self.last
        return self.last

    def notices(self) -> list[str]:
        return [event.code for event in self.events if hasattr(event, "code")]


def request(prompt: str, **changes: object) -> AnswerRequest:
    """A short deterministic request; ``sampling`` and all else can be replaced."""
    values: dict[str, object] = {"sampling": Sampling(temperature=0), "max_tokens": 48, **changes}
    return AnswerRequest((Turn("user", prompt),), **values)  # type: ignore[arg-type]


def ask(
    pool: EnginePool, spec: EngineSpec, asked: AnswerRequest, cancel: CancelToken | None = None
) -> Answered:
    return Answered(list(pool.answer(spec, asked, cancel or CancelToken())))
