"""The starter model, once for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockhouse.library.starter import starter_model


@pytest.fixture(scope="session")
def starter() -> Path:
    path = starter_model()
    assert path is not None, "the starter model's package is not installed"
    return path
