"""A seeded sample of the stress on one engine with many clients: see :mod:`tests.engine.stress`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .stress import ALL_KINDS, Stress


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_many_clients_of_one_engine_each_get_their_answers(
    tmp_path: Path, checked: Path, kind: str
) -> None:
    report = Stress(kind, tmp_path, seed=4, cache=checked).run(actions=16, clients=4)
    assert report.wrong == []
    assert report.done["pinned answers"] == report.done["pinned answers equal to those given alone"]
    assert report.done["pinned answers"] >= 2
