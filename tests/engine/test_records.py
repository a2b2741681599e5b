"""How engines ended: what a clock that ran ahead wrote counts for nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Finished
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec, ExitRecord

from .conftest import request


def test_ends_from_the_future_refuse_no_model(
    tmp_path: Path, pool: EnginePool, spec: EngineSpec
) -> None:
    folder = pool._records.folder
    folder.mkdir(parents=True, exist_ok=True)
    ahead = time.time() + 3600
    for number in range(5):
        record = ExitRecord(f"{number}", spec.model_path, -11, ahead, "")
        path = folder / f"{number}.exit"
        path.write_bytes(msgspec.json.encode(record))
        if number % 2:
            os.utime(path, (ahead, ahead))
    events = list(pool.answer(spec, request("Hi", max_tokens=2), CancelToken()))
    assert isinstance(events[-1], Finished)
