"""A model whose layers keep a window only: what is taken over from the past changes nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from tests.engine.conftest import Answered, ask
from tests.engine.models import small_model


@pytest.fixture
def windowed(tmp_path: Path) -> EngineSpec:
    """Six layers of random weights, five of which see the last 32 tokens."""
    path = small_model("sliding window", tmp_path / "window.gguf")
    return EngineSpec(str(path), "window", LoadSettings(context_length=2048, threads=1, batch=64))


def words(seed: int, count: int) -> str:
    return " ".join(random.Random(seed).choices("abcdefghijklm", k=count))


def turned(pool: EnginePool, spec: EngineSpec, turns: tuple[Turn, ...]) -> Answered:
    asked = AnswerRequest(turns, Sampling(temperature=0), max_tokens=16)
    return ask(pool, spec, asked)


def test_answers_are_the_same_with_and_without_the_past(
    pool: EnginePool, windowed: EngineSpec, tmp_path: Path
) -> None:
    first = (Turn("user", words(1, 400)),)
    begun = turned(pool, windowed, first)
    longer = (*first, Turn("assistant", begun.text), Turn("user", words(2, 400)))
    longest = (*longer, Turn("assistant", "x y z"), Turn("user", words(5, 20)))
    other_end = (Turn("user", words(1, 300) + words(3, 40)),)
    reused = 0
    for turns in (longer, other_end, longest, first):
        with_past = turned(pool, windowed, turns)
        fresh = EnginePool(tmp_path / "fresh", tmp_path / "logs", idle_s=60)
        without = turned(fresh, windowed, turns)
        fresh.stop()
        fresh.close()
        assert with_past.text == without.text
        assert without.finished.usage.cached_tokens == 0
        reused += with_past.finished.usage.cached_tokens
    assert reused > 400
