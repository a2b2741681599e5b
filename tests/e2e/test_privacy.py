"""What was asked and answered lies in the database and its backups, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORD = "Zanzibarquartz"


def test_words_of_a_conversation_are_in_the_database_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "app"),
        "LOCKHOUSE_HOME": str(home),
        "LOCKHOUSE_ENGINE_IDLE_S": "0",
        "HOME": str(tmp_path / "user"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    (tmp_path / "user").mkdir()
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "lockhouse"]
    asked = [*command, "ask", f"Repeat this word: {WORD}", "--max-tokens", "24"]
    first = subprocess.run(asked, env=env, capture_output=True, text=True, check=True)
    assert first.stdout.strip()
    # A failing answer and a refused prompt are told without quoting them in a log.
    long = [*command, "ask", "-", "--ctx", "512"]
    subprocess.run(long, env=env, input=f"{WORD} " * 4000, text=True, check=False)
    found = [
        path.relative_to(tmp_path)
        for path in tmp_path.rglob("*")
        if path.is_file() and WORD.encode() in path.read_bytes()
    ]
    assert found
    kept = {path for path in found if path.parent.name != "backups"}  # each is the database again
    assert {path.name.split("-")[0] for path in kept} == {"lockhouse.db"}, found
    assert all(path.match("home/backups/lockhouse-*.db") for path in set(found) - kept), found
    outside = [path for path in (tmp_path / "user").rglob("*") if path.is_file()]
    assert outside == []
