"""The shortlist holds exactly the best."""

from __future__ import annotations

import numpy as np
import pytest

from lockhouse.engine.process.sampling import largest


@pytest.mark.parametrize("size", [4096, 32_000, 49_152, 151_937])
@pytest.mark.parametrize("count", [1, 40, 104, 512])
def test_the_largest_are_found(size: int, count: int) -> None:
    chance = np.random.default_rng(size + count)
    for scale in (0.01, 3.0, 100.0):
        logits = (chance.normal(size=size) * scale).astype(np.float32)
        found = largest(logits, count)
        assert len(found) == count
        assert list(found) == sorted(found)
        assert sorted(logits[found]) == sorted(np.sort(logits)[-count:])


def test_equal_and_absurd_values() -> None:
    assert len(largest(np.zeros(49_152, np.float32), 40)) == 40
    assert len(largest(np.full(49_152, -np.inf, np.float32), 40)) == 40
    assert len(largest(np.full(49_152, np.nan, np.float32), 40)) == 40
