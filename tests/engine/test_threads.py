"""How many threads are left beside others."""

from __future__ import annotations

import pytest

from lockhouse.engine.process.thread_governor import ThreadGovernor, physical_cores


@pytest.mark.parametrize(
    ("most", "cores", "others", "left"),
    [
        (2, 2, 0.0, 2),
        (2, 2, 0.25, 2),
        (2, 2, 0.7, 1),
        (2, 2, 5.0, 1),
        (1, 2, 1.0, 1),
        (8, 8, 1.0, 7),
        (8, 8, 3.5, 4),
        (8, 16, 6.0, 8),
        (8, 16, 10.0, 6),
    ],
)
def test_keeps_to_the_cores_that_are_left(most: int, cores: int, others: float, left: int) -> None:
    governor = ThreadGovernor()
    governor.most, governor._cores = most, cores
    assert governor._left_beside(others) == left


def test_exact_answers_use_the_same_number_whatever_runs() -> None:
    governor = ThreadGovernor()
    governor.most = 8
    assert governor.fixed == 7
    governor.most = 1
    assert governor.fixed == 1


def test_a_chosen_number_is_kept() -> None:
    governor = ThreadGovernor(5)
    assert governor.fixed == 5
    governor._looked_at = 0.0  # long ago: it would look again if it adapted
    assert governor.threads() == 5
    assert physical_cores() >= 1
