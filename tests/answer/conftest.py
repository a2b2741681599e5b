"""A whole workspace in a home of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.storage.database import Database
from lockhouse.workspace import Workspace, open_workspace

APP = Path(__file__).parents[2] / "app"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    paths = [str(APP), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    workspace = open_workspace(tmp_path / "home", overrides={"context_length": 1024})
    yield workspace
    workspace.engines.stop()
    workspace.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    yield opened
    opened.close()
