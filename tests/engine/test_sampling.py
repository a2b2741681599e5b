"""The shortlist holds the best, and few others."""

from __future__ import annotations

import numpy as np
import pytest

from lockhouse.engine.process.sampling import contenders


@pytest.mark.parametrize("size", [4096, 32_000, 49_152, 151_937])
@pytest.mark.parametrize("count", [1, 40, 104, 512])
def test_the_largest_are_among_few(size: int, count: int) -> None:
    chance = np.random.default_rng(size + count)
    for scale in (0.01, 3.0, 100.0):
        logits = (chance.normal(size=size) * scale).astype(np.float32)
        found = contenders(logits, count)
        assert count <= len(found) <= max(2 * count, size // 4)
        assert list(found) == sorted(found)
        assert set(np.argsort(logits)[-count:]) <= set(found)


@pytest.mark.parametrize("value", [0.0, -np.inf, np.nan])
@pytest.mark.parametrize("size", [500, 49_152])
def test_equal_and_absurd_values_all_stay(value: float, size: int) -> None:
    assert len(contenders(np.full(size, value, np.float32), 40)) == size
