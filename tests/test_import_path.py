"""Modules planted under every name where the user stands, and where Python looks by default."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse.gate.network import Network
from lockhouse.processes import own_command

ROOT = Path(__file__).parents[1]
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def plant(folder: Path, proof: Path, *, but: tuple[str, ...] = ()) -> None:
    """A module of every name that can be imported; each tells that it was."""
    folder.mkdir(parents=True)
    names = {*sys.stdlib_module_names, *importlib.metadata.packages_distributions()}
    code = f"open({str(proof)!r}, 'a').write(__name__ + ' ')\nraise ImportError(__name__)\n"
    for name in (*names, "sitecustomize", "usercustomize", "plain"):
        if name.isidentifier() and name not in ("lockhouse", *but):
            (folder / f"{name}.py").write_text(code)
    if "lockhouse" not in but:
        (folder / "lockhouse").mkdir()
        (folder / "lockhouse" / "__init__.py").write_text(code)
        (folder / "lockhouse" / "__main__.py").write_text(code)


def environment(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {
        **kept,
        "LOCKHOUSE_HOME": str(tmp_path / "home"),
        "LOCKHOUSE_ENGINE_IDLE_S": "0",
        "QT_QPA_PLATFORM": "offscreen",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "Say hello.", "--max-tokens", "4"),  # command, engine, template renderer
        ("models", "fit", "SmolLM2-135M-Instruct", "--json"),  # a job
        ("status", "--prove", "--json"),  # broker, window
        ("--smoke",),  # window
    ],
)
def test_nothing_is_imported_from_where_the_user_stands(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    proof, planted = tmp_path / "proof", tmp_path / "planted"
    plant(planted, proof)
    plant(tmp_path / "user" / "lib" / _PYTHON / "site-packages", proof)
    Network(tmp_path / "home" / "network.json").open(["127.0.0.1:9"])
    done = subprocess.run(
        [*own_command(), *arguments],
        cwd=planted,
        env={
            **environment(tmp_path),
            "PYTHONPATH": str(planted),
            "PYTHONUSERBASE": str(tmp_path / "user"),
            "PYTHON_KEYRING_BACKEND": "plain.Keyring",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not proof.exists(), proof.read_text()
    assert done.returncode == 0, done.stderr


def test_the_current_folder_is_left_by_python_m_too(tmp_path: Path) -> None:
    """But for what Python itself imports there before the program has its say."""
    proof, planted = tmp_path / "proof", tmp_path / "planted"
    code = "import runpy, importlib.util, warnings, sys; print(*sys.modules)"
    before = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    plant(planted, proof, but=("lockhouse", *before.stdout.decode().split()))
    done = subprocess.run(
        [sys.executable, "-m", "lockhouse", "ask", "Say hello.", "--max-tokens", "4"],
        cwd=planted,
        env={**environment(tmp_path), "PYTHONPATH": str(ROOT / "app")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not proof.exists(), proof.read_text()
    assert done.returncode == 0, done.stderr


def test_the_planted_modules_are_found_where_nothing_holds_them_back(tmp_path: Path) -> None:
    proof, planted = tmp_path / "proof", tmp_path / "planted"
    plant(planted, proof)
    subprocess.run([sys.executable, "-c", "import struct"], cwd=planted, check=False)
    assert proof.read_text() == "struct "
