"""The self-test of the engine: what it says about why the engine does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockhouse.core.errors import EngineCrashed
from lockhouse.engine import checkup
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.jobs import Limits


@pytest.mark.parametrize("memory_mb", [60, 150])
def test_too_little_memory_is_no_reason_to_build_the_engine_again(
    tmp_path: Path, starter: Path, monkeypatch: pytest.MonkeyPatch, memory_mb: int
) -> None:
    limits = Limits(time_s=120.0, memory_bytes=memory_mb << 20)
    monkeypatch.setattr(checkup, "_LIMITS", limits)
    with pytest.raises(EngineCrashed) as told:
        EngineCheckup(tmp_path).require(starter)
    assert "Memory ran out" in told.value.message
    assert "Close other programs" in told.value.hint
    assert "--rebuild" not in told.value.hint
