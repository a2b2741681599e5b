"""A program that spends: it reserves and settles until there is no room left.

Arguments: the database's folder and a number. It writes a line for each thing done. With the
number 0 it is told to keep its last reservation and waits with it, so that it can be killed.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

from lockhouse.core.errors import PolicyRefused
from lockhouse.core.events import Usage
from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.values import Limits
from lockhouse.storage.database import Database
from tests.gate.costs.conftest import CLOUD, question

LIMITS = Limits(per_call=Decimal("0.02"), per_day=Decimal("0.5"), per_month=Decimal("0.5"))


def main(folder: Path, number: int) -> None:
    database = Database(folder / "lockhouse.db", backups=folder / "backups")
    budget = Budget(database, lambda: LIMITS, PriceList(database))
    if number == 0:
        kept = budget.reserve(CLOUD, "m", question(1000))
        assert kept.estimate is not None
        print("kept", kept.estimate.ceiling.amount, flush=True)
        sys.stdin.read()
    step = 0
    while True:
        step += 1
        try:
            kept = budget.reserve(CLOUD, "m", question(1000), task=f"program {number}")
        except PolicyRefused:
            break
        if (step + number) % 5 == 0:
            budget.release(kept)
            continue
        # Every third answer is as long as it may be.
        told = budget.settle(kept, Usage(20, 0, 1000 if step % 3 == 0 else 37 * number, 0))
        assert told is not None
        print("spent", told.amount, flush=True)
    print("full", flush=True)
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
