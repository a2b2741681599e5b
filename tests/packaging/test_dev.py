"""dev.py: what it starts, when it sets up, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("dev.py", "pyproject.toml", "requirements.lock", "build-constraints.lock",
         "setup-requirements.lock")  # fmt: skip
MAIN = "app/lockhouse/__main__.py"


def load(path: Path) -> ModuleType:
    """dev.py as a module; it belongs to no package."""
    spec = importlib.util.spec_from_file_location("dev_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project whose set-up is finished, with an interpreter that only tells how it was called."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    dev = load(tmp_path / "dev.py")
    interpreter = tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text('#!/bin/sh\necho "$QT_QPA_PLATFORM|$@"\n')
    interpreter.chmod(0o755)
    stamp = {
        "key": dev.fingerprint(portable=False),
        "engine": dev.processor(),
        "portable": False,
        "checked": ["build", "tests", "window"],
    }
    dev.STAMP.write_text(json.dumps(stamp))
    return tmp_path


def call(tree: Path, *arguments: str, stdin: int | None = None, **variables: str) -> str:
    """What dev.py started, and what it said."""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, tree / "dev.py", *arguments],
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**env, **variables},
        text=True,
        check=False,
    )
    return done.stdout


def test_run_opens_the_window_where_there_is_a_display(tree: Path) -> None:
    assert call(tree, "run", DISPLAY=":7") == f"|-I {tree / MAIN}\n"


def test_run_hands_its_arguments_on(tree: Path) -> None:
    told = call(tree, "run", "--home", "x", "ask", "two words", "--json")
    assert told == f"|-I {tree / MAIN} --home x ask two words --json\n"


def test_run_without_a_display_converses_and_says_so(tree: Path) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    told = call(tree, "run", stdin=reading)
    os.close(reading)
    assert "No display here" in told
    assert told.endswith(f"|-I {tree / MAIN} chat\n")


def test_run_without_display_and_terminal_asks_one_question(tree: Path) -> None:
    told = call(tree, "run")
    assert "No display and no terminal" in told
    assert f"|-I {tree / MAIN} ask What is the capital of France?" in told


def test_test_runs_pytest_without_a_screen(tree: Path) -> None:
    assert call(tree, "test", "-k", "x") == "offscreen|-m pytest -k x\n"


@pytest.mark.parametrize("arguments", [(), ("-x", "--lf")])
def test_all_tests_run_on_all_cores(tree: Path, arguments: tuple[str, ...]) -> None:
    told = call(tree, "test", *arguments)
    assert "--numprocesses logical" in told
    assert told.endswith(" ".join(("worksteal", *arguments)) + "\n")


def test_an_unknown_command_shows_the_help(tree: Path) -> None:
    assert "python3 dev.py run" in call(tree, "walk")


def test_a_changed_lock_or_processor_is_noticed(tree: Path) -> None:
    dev = load(tree / "dev.py")
    before = dev.fingerprint(portable=False)
    assert dev.fingerprint(portable=True) != before
    with (tree / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert dev.fingerprint(portable=False) != before


def test_a_stamp_without_its_environment_counts_for_nothing(tree: Path) -> None:
    dev = load(tree / "dev.py")
    assert dev.read_stamp()
    dev.PYTHON.unlink()
    assert dev.read_stamp() == {}
    dev.STAMP.write_text("half a st")
    assert dev.read_stamp() == {}


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("error: dns error: failed to lookup address information", "the network did not answer"),
        ("Temporary failure in name resolution", "the network did not answer"),
        ("Could not resolve 'deb.debian.org'", "the network did not answer"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "is not trusted here"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("Hash mismatch for `x==1`", "not what the lock file expects"),
        ("g++: fatal error: killed signal terminated program cc1plus", "killed signal"),
    ],
)
def test_a_failed_step_says_why_and_what_to_do(tree: Path, output: str, cause: str) -> None:
    assert cause in load(tree / "dev.py").explain("The step", output)


def test_every_lock_pins_every_package_with_its_hash() -> None:
    for name in ("requirements.lock", "build-constraints.lock", "setup-requirements.lock"):
        blocks = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
        pinned = [block for block in blocks if block.strip() and not block.startswith("#")]
        assert pinned
        assert all("==" in block and "--hash=sha256:" in block for block in pinned)


def test_it_runs_on_an_interpreter_of_its_own(tree: Path) -> None:
    """Standard library only: isolated, with no packages of the environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", tree / "dev.py", "--help"], capture_output=True, check=False
    )
    assert done.returncode == 0
