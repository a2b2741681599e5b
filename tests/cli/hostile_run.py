"""Hostile model files through the commands that a person gives them to.

Each file goes through ``models show``, ``models fit``, ``models import`` and ``ask``, in processes
of their own on one home. A command may succeed or refuse; it may not end by a signal, by a mistake
of the program (70), without a word, or not at all. A sample is a test; the long run prints what
came of it::

    PYTHONPATH=app .venv/bin/python -m tests.cli.hostile_run 500
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lockhouse.library.starter import starter_model
from tests.cli.command import Command
from tests.library.hostile import variants
from tests.library.mutations import mutated, put, sources

COMMANDS: dict[str, tuple[str, ...]] = {
    "show": ("models", "show"),
    "fit": ("models", "fit"),
    "import": ("models", "import"),
    "ask": ("ask", "--max-tokens", "2", "--no-save", "Say yes.", "-m"),
}
ALLOWED = (0, 2, 3, 5, 6)  # done, not this way, not this file, no room, the engine ended
LIMIT_S = 120.0  # processes that are starved of processors still end in it


@dataclass
class Report:
    """How many commands ended how, and what no command may do."""

    ends: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def __str__(self) -> str:
        ends = ", ".join(f"{name} {code}: {n}" for (name, code), n in sorted(self.ends.items()))
        return (
            f"{ends}; slowest {self.slowest[0]:.1f} s ({self.slowest[1]}); {len(self.wrong)} wrong"
        )


def hostile_files(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """So many files, the same for one seed; each is written when it is asked for."""
    starter = starter_model()
    assert starter is not None
    origins, written = folder / "origins", folder / "written"
    origins.mkdir()
    written.mkdir()
    made = [path for _, path in variants(starter, written)]
    random.Random(seed).shuffle(made)
    half = min(len(made), count // 2)
    yield from made[:half]
    for name, header, size in mutated(sources(starter, origins), count - half, seed):
        yield put(folder / f"{name}.gguf", header, size)


def run(command: Command, files: Iterator[Path]) -> Report:
    """Give each file to each command."""
    report = Report()
    for path in files:
        for name, words in COMMANDS.items():
            began = time.monotonic()
            try:
                done = subprocess.run(
                    command.line(*words, path),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    env=command.environment,
                    timeout=LIMIT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                report.wrong.append(f"{name} {path.name}: no end within {LIMIT_S:.0f} s")
                continue
            report.ends[name, done.returncode] += 1
            told = done.stderr.decode("utf-8", "replace")
            if done.returncode not in ALLOWED or "Traceback" in told:
                report.wrong.append(f"{name} {path.name}: {done.returncode}: {told[-400:]}")
            elif done.returncode and not told.strip():
                report.wrong.append(f"{name} {path.name}: {done.returncode} without a word")
            report.slowest = max(report.slowest, (time.monotonic() - began, f"{name} {path.name}"))
        path.unlink()
    return report


def main() -> None:
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCKHOUSE_")}
    with tempfile.TemporaryDirectory() as folder:
        command = Command(Path(folder, "home"), {**kept, "LOCKHOUSE_CONTEXT_LENGTH": "256"})
        try:
            report = run(command, hostile_files(Path(folder), count, seed))
        finally:
            command.end_engines()
    print(report)
    for line in report.wrong[:40]:
        print("   ", line)
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
