"""A seeded sample of hostile model files through the commands: see :mod:`tests.cli.hostile_run`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import Command
from tests.cli.hostile_run import hostile_files, run


def test_hostile_files_are_used_or_refused_with_a_word(lockhouse: Command, tmp_path: Path) -> None:
    report = run(lockhouse, hostile_files(tmp_path, 8, seed=3))
    assert report.wrong == []
    assert report.ends.total() == 32
