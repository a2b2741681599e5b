"""How fast the library lists and verifies, beside what a user would use otherwise.

    PYTHONPATH=app python benchmarks/library_speed.py [--models 2000] [--gigabytes 1] [--json FILE]

Listing: a folder of that many small but complete models (each with its own metadata and a
vocabulary of 1,024 tokens): cold (no header was ever read), warm in a new process, and warm
again in the same one. Verifying: one file, in turn with ``sha256sum`` and ``openssl dgst``,
from the system's memory, so that hashing is measured and not the disk; the best of five rounds
of each counts, and every round is in the result.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from lockhouse.library.file_copy import hash_file
from lockhouse.library.models import Models
from lockhouse.library.starter import starter_model
from lockhouse.storage.database import Database

_ROUNDS = 5
T = TypeVar("T")
_WARM = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from lockhouse.library.models import Models
from lockhouse.storage.database import Database
home = Path(sys.argv[1])
database = Database(home / "lockhouse.db", backups=home / "backups")
models = Models(database, home / "models", None, others=list)
opened = time.perf_counter()
count = len(models.list())
print(opened - began, time.perf_counter() - opened, count)
"""


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--json", type=Path, help="Write the result to this file as well.")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "load_average": os.getloadavg(),
            "listing": measure_listing(Path(folder), wanted.models),
            "verify": measure_verify(Path(folder), int(wanted.gigabytes * 1e9)),
        }
    text = json.dumps(results, indent=2)
    print(text)
    if wanted.json is not None:
        wanted.json.write_text(text + "\n")


def measure_listing(folder: Path, count: int) -> dict[str, object]:
    """Seconds for a listing of ``count`` models."""
    home = folder / "home"
    make_models(home / "models", count)
    database = Database(home / "lockhouse.db", backups=home / "backups")
    models = Models(database, home / "models", None, others=list)
    cold_s, listed = timed(lambda: len(models.list()))
    again_s, _ = timed(lambda: len(models.list()))
    found_s, _ = timed(lambda: models.get(f"model-{count // 2:05d}"))
    database.close()
    warm = subprocess.run(
        [sys.executable, "-c", _WARM, str(home)], capture_output=True, text=True, check=True
    )
    opened_s, warm_s, _ = map(float, warm.stdout.split())
    return {
        "models": listed,
        "cold_s": round(cold_s, 3),
        "warm_new_process_s": round(warm_s, 3),
        "start_of_that_process_s": round(opened_s, 3),
        "warm_same_process_s": round(again_s, 3),
        "one_by_name_s": round(found_s, 3),
    }


def make_models(folder: Path, count: int) -> None:
    """Files whose headers differ, with weights that are holes."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.library import hostile

    starter = starter_model()
    assert starter is not None, "the starter model's package is not installed"
    folder.mkdir(parents=True)
    model = hostile.small_model(starter)
    for number in range(count):
        name = f"Model {number:05d}".encode()
        model.set("general.name", hostile.STRING, hostile.text(name))
        model.write(folder / f"model-{number:05d}-Q4_1.gguf")


def measure_verify(folder: Path, size_bytes: int) -> dict[str, object]:
    """Bytes a second of our own verification and of two other programs, round by round."""
    path = folder / "large.bin"
    piece = os.urandom(1 << 24)
    with path.open("wb") as file:
        left = size_bytes
        while left > 0:
            left -= file.write(piece[: min(left, len(piece))])
    contestants: dict[str, Callable[[], object]] = {"lockhouse": lambda: hash_file(path)}
    for name, command in (
        ("sha256sum", ["sha256sum", str(path)]),
        ("openssl", ["openssl", "dgst", "-sha256", str(path)]),
    ):
        if shutil.which(command[0]):
            contestants[name] = partial(subprocess.run, command, check=True, capture_output=True)
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant in contestants.values():
        contestant()  # into memory, and warm
    for _ in range(_ROUNDS):
        for name, contestant in contestants.items():
            rounds[name].append(round(timed(contestant)[0], 4))
    speeds = {name: round(size_bytes / min(seconds) / 1e6) for name, seconds in rounds.items()}
    fastest = max((speed for name, speed in speeds.items() if name != "lockhouse"), default=0)
    return {
        "size_bytes": size_bytes,
        "seconds": rounds,
        "megabytes_per_s": speeds,
        "share_of_the_faster_other": round(speeds["lockhouse"] / fastest, 3) if fastest else None,
    }


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that it took, and what it gave."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
