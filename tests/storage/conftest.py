"""A home for every test, and a database in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockhouse.storage.database import Database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def opened(home: Path) -> Iterator[Callable[[], Database]]:
    """Opens the database of the home, as often as wanted."""
    databases: list[Database] = []

    def open_it() -> Database:
        databases.append(Database(home / "lockhouse.db", backups=home / "backups"))
        return databases[-1]

    yield open_it
    for database in databases:
        database.close()
