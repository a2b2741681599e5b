"""The command line as its users meet it: a process of its own, with a home of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command

APP = Path(__file__).parents[2] / "app"


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What a command finds in its environment, without the settings of whoever runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCKHOUSE_")}
    return {**kept, "PYTHONPATH": str(APP), "COLUMNS": "100", "TERM": "dumb"}


@pytest.fixture(scope="session")
def checkup(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The cache of a home whose engine has passed its self-test, which takes seconds."""
    command = Command(tmp_path_factory.mktemp("checked"), environment)
    assert command("doctor").code == 0
    return command.home / "cache"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], checkup: Path
) -> Iterator[Command]:
    """One home, and so one loaded model, for the tests of a module that only ask."""
    command = Command(tmp_path_factory.mktemp("home"), environment)
    shutil.copytree(checkup, command.home / "cache")
    yield command
    command.end_engines()


@pytest.fixture
def lockhouse(tmp_path: Path, environment: dict[str, str], checkup: Path) -> Iterator[Command]:
    """A home of its own."""
    command = Command(tmp_path / "home", environment)
    shutil.copytree(checkup, command.home / "cache")
    yield command
    command.end_engines()
