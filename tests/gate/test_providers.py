"""What is kept of providers and their models, whatever a server calls them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.gate.providers import Providers
from lockhouse.gate.remote_requests import ListedModel
from lockhouse.storage.database import Database


@pytest.fixture
def providers(tmp_path: Path) -> Iterator[Providers]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    yield Providers(database)
    database.close()


def test_a_path_without_end_is_not_shortened_for_ever(providers: Providers) -> None:
    """What was kept of a list is looked at with every start."""
    same = "/a" * 30 + "/model.gguf"
    providers.keep_models("openai", [ListedModel(f"/{top}{same}") for top in ("x", "y")])
    assert [model.short for model in providers.models("openai")] == ["", ""]
    near = [ListedModel(f"/{top}/a/model.gguf") for top in ("x", "y")]
    providers.keep_models("openai", near)
    assert [model.short for model in providers.models("openai")] == ["x/a/model", "y/a/model"]
