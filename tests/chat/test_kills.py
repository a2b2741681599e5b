"""A killed process leaves a whole database and the text that was there."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from tests.chat.killing import Outcome, examine, kill, start

KILLS = 10


def lines_from(process: subprocess.Popen[bytes], count: int) -> bytes:
    """Waits until so many lines were told."""
    assert process.stdout is not None
    return b"".join(process.stdout.readline() for _ in range(count))


def test_a_kill_in_mid_answer_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    chance = random.Random(4)
    outcomes: list[Outcome] = []
    for _ in range(KILLS):
        process = start(tmp_path)
        read = lines_from(process, chance.randrange(1, 400))
        outcomes.append(examine(tmp_path, kill(process, read)))
    assert sum(outcome.kept for outcome in outcomes) > 0
