"""Each import contract breaks when someone breaks it, and names itself when it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"


@dataclass(frozen=True, slots=True)
class Violation:
    contract: str
    file: str
    line: str


VIOLATIONS = [
    Violation(
        "Arrows between the folders never turn back", "core/planted.py", "import lockhouse.ui"
    ),
    Violation(
        "Arrows between the folders never turn back", "cli/planted.py", "import lockhouse.ui"
    ),
    Violation(
        "Arrows between the folders never turn back",
        "storage/planted.py",
        "import lockhouse.engine",
    ),
    Violation(
        "Arrows between the folders never turn back",
        "chat/planted.py",
        "def late():\n    import lockhouse.cli",
    ),
    Violation("Arrows between the folders never turn back", "utils.py", ""),
    Violation(
        "Qt lives in the window only", "chat/planted.py", "from PySide6.QtCore import QObject"
    ),
    Violation("Qt lives in the window only", "cli/planted.py", "import PySide6"),
    Violation(
        "llama.cpp is loaded in the engine process only", "cli/planted.py", "import llama_cpp"
    ),
    Violation(
        "llama.cpp is loaded in the engine process only",
        "engine/planted.py",
        "from llama_cpp import llama_cpp",
    ),
    Violation(
        "Schemas and grammars are compiled in the engine's processes only",
        "answer/planted.py",
        "import jsonschema_rs",
    ),
    Violation(
        "Documents are parsed in processes of their own only",
        "ui/chat/planted.py",
        "import pypdfium2",
    ),
    Violation(
        "Only the broker can open a connection", "library/planted.py", "import huggingface_hub"
    ),
    Violation("Only the broker can open a connection", "gate/planted.py", "import httpx"),
    Violation("Only the broker can open a connection", "answer/planted.py", "import http.client"),
    Violation(
        "Sockets are for the channels to engines and to the broker, and for the broker",
        "answer/planted.py",
        "import socket",
    ),
    Violation(
        "Sockets are for the channels to engines and to the broker, and for the broker",
        "gate/planted.py",
        "import socket",
    ),
    Violation(
        "Processes are started by the engine, the gate and the launcher only",
        "library/planted.py",
        "import subprocess",
    ),
    Violation(
        "Processes are started by the engine, the gate and the launcher only",
        "ui/planted.py",
        "from subprocess import Popen",
    ),
    Violation(
        "How a remote target answers is known to the answer path only",
        "cli/planted.py",
        "from lockhouse.answer.remote import RemoteTarget",
    ),
    Violation(
        "How a remote target answers is known to the answer path only",
        "ui/planted.py",
        "from lockhouse.answer.remote_request import RemoteRequest",
    ),
]


def lint_imports(app: Path) -> subprocess.CompletedProcess[str]:
    """Check the tree below ``app`` against the contracts of the project."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("lint-imports"),
            "--config",
            ROOT / "pyproject.toml",
            "--no-cache",
            "--no-logo",
        ],
        env={**os.environ, "PYTHONPATH": str(app), "NO_COLOR": "1", "COLUMNS": "200"},
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program that may be spoilt."""
    app = tmp_path_factory.mktemp("tree") / "app"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    return app


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    outcome = lint_imports(tree)
    assert outcome.returncode == 0, outcome.stdout
    assert "0 broken" in outcome.stdout


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda v: f"{v.file}: {v.line[-24:]}")
def test_a_planted_import_breaks_its_contract(tree: Path, violation: Violation) -> None:
    planted = tree / "lockhouse" / violation.file
    planted.write_text(f"from __future__ import annotations\n\n{violation.line}\n")
    try:
        outcome = lint_imports(tree)
    finally:
        planted.unlink()
    assert outcome.returncode == 1
    assert f"{violation.contract} BROKEN" in outcome.stdout


def test_the_tools_that_open_connections_are_banned_one_by_one(tree: Path) -> None:
    """``urllib.parse`` is harmless and ``urllib.request`` is not; import-linter cannot tell."""
    planted = tree / "lockhouse" / "answer" / "planted.py"
    planted.write_text(
        "from urllib import request\nimport urllib.request\nfrom urllib.parse import quote\n"
    )
    try:
        outcome = subprocess.run(
            [
                Path(sys.executable).with_name("ruff"),
                "check",
                "--no-cache",
                "--select=TID251",
                "--output-format=concise",
                "--config",
                ROOT / "pyproject.toml",
                planted,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        planted.unlink()
    assert outcome.stdout.count("`urllib.request` is banned") == 2
    assert "urllib.parse" not in outcome.stdout
