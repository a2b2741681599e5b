"""Several programs of one home spend at the same time, and some of them are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from lockhouse.core.errors import PolicyRefused
from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.costs.prices import PriceList
from lockhouse.storage.database import Database
from tests.gate.costs.budget_program import LIMITS
from tests.gate.costs.conftest import CLOUD, PRICE, question

ROOT = Path(__file__).parents[3]


def start(folder: Path, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.gate.costs.budget_program", str(folder), str(number)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "app"), str(ROOT)))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def spent_of(lines: list[str]) -> Decimal:
    return sum((Decimal(line.split()[1]) for line in lines if line.startswith("spent")), Decimal(0))


@pytest.fixture
def budget(open_database: Callable[[], Database]) -> Budget:
    database = open_database()
    prices = PriceList(database)
    prices.set_own("one", "m", PRICE)
    budget = Budget(database, lambda: LIMITS, prices)
    budget.totals("target")  # the table is there before all begin
    return budget


def test_eight_programs_together_stay_below_the_limit(tmp_path: Path, budget: Budget) -> None:
    programs = [start(tmp_path, number) for number in range(1, 9)]
    told = [program.communicate()[0].splitlines() for program in programs]
    assert [program.returncode for program in programs] == [0] * 8
    assert all(lines[-1] == "full" for lines in told)
    spent = sum((spent_of(lines) for lines in told), Decimal(0))
    assert spent == budget.spent_today().cost  # nothing is lost and nothing counted twice
    assert LIMITS.per_day is not None
    assert LIMITS.per_call is not None
    assert LIMITS.per_day - LIMITS.per_call < spent <= LIMITS.per_day
    assert budget.spent_today().reserved == 0
    assert sum(total.calls for total in budget.totals("task")) == sum(map(len, told)) - 8


def test_a_killed_programs_reservation_goes_on_counting(tmp_path: Path, budget: Budget) -> None:
    waiting = start(tmp_path, 0)
    assert waiting.stdout is not None
    kept = Decimal(waiting.stdout.readline().split()[1])
    waiting.send_signal(signal.SIGKILL)
    waiting.communicate()
    assert budget.spent_today().reserved == kept
    programs = [start(tmp_path, number) for number in (1, 2)]
    told = [program.communicate()[0].splitlines() for program in programs]
    spent = sum((spent_of(lines) for lines in told), Decimal(0))
    assert LIMITS.per_day is not None
    assert spent + kept <= LIMITS.per_day
    assert budget.spent_today().cost == spent + kept
    with pytest.raises(PolicyRefused, match="is reserved for unfinished questions"):
        budget.reserve(CLOUD, "m", question(1000))
    assert sum(total.estimated_calls for total in budget.totals("task")) == 1


def test_programs_killed_in_the_middle_leave_a_sum_that_is_not_too_low(
    tmp_path: Path, budget: Budget
) -> None:
    programs = [start(tmp_path, number) for number in range(1, 5)]
    told: list[str] = []
    for program in programs:
        assert program.stdout is not None
        told += [program.stdout.readline() for _ in range(3)]
        program.send_signal(signal.SIGKILL)
    for program in programs:
        told += program.communicate()[0].splitlines()
    today = budget.spent_today()
    assert today.cost - today.reserved >= spent_of(told)
    assert LIMITS.per_day is not None
    assert today.cost <= LIMITS.per_day
