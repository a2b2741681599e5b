"""The Gate page without widgets: records, providers, costs, the proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from lockhouse.gate.costs.budget import Subject
from lockhouse.gate.costs.values import Limits, Price, Snapshot, Spent, Total
from lockhouse.gate.proof import Proof, prove, report
from lockhouse.gate.records import Records
from lockhouse.storage.exports import export_text
from lockhouse.ui.gate.price_dialog import ModelPrice
from lockhouse.ui.gate.provider_controller import ProviderController
from lockhouse.ui.gate.records_model import RecordsModel
from lockhouse.ui.jobs import Failure, Jobs
from lockhouse.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Spending:
    """What answers of APIs cost."""

    today: Spent
    month: Spent
    limits: Limits
    by: Subject
    totals: tuple[Total, ...]
    snapshot: Snapshot


class GateController(QObject):
    """Runs what the page asks for on threads. Records and providers have their own."""

    price_changed = Signal()
    failed = Signal(object)  # LockhouseError

    def __init__(
        self,
        workspace: Workspace,
        jobs: Jobs,
        first_seq: Callable[[], int | None],
        parent: QObject | None = None,
    ) -> None:
        """``first_seq`` is the last record from before this window; None while it is read."""
        super().__init__(parent)
        self._workspace = workspace
        self._jobs = jobs
        self.records = RecordsModel(
            Records(workspace.database),
            workspace.sent,
            workspace.providers,
            jobs,
            first_seq,
            self,
        )
        self.providers = ProviderController(workspace, jobs, self)
        self.records.failed.connect(self.failed)
        self.providers.failed.connect(self.failed)

    def read_spending(self, by: Subject, done: Callable[[Spending], None]) -> None:
        """What was spent, and on what."""
        budget = self._workspace.budget

        def read() -> Spending:
            return Spending(
                budget.spent_today(),
                budget.spent_this_month(),
                budget.limits,
                by,
                tuple(budget.totals(by)),
                budget.prices.snapshot,
            )

        self._jobs.run(read, done, self.failed.emit)

    def read_prices(self, done: Callable[[tuple[ModelPrice, ...]], None]) -> None:
        """What the selected models cost."""
        its = self._workspace

        def read() -> tuple[ModelPrice, ...]:
            prices = its.budget.prices
            own = {(one.provider, one.model) for one in prices.own()}
            return tuple(
                ModelPrice(
                    one.provider,
                    one.name,
                    prices.price_of(its.providers.get(one.provider), one.name),
                    is_own=(one.provider, one.name) in own,
                )
                for one in its.providers.chosen()
            )

        self._jobs.run(read, done, self.failed.emit)

    def set_price(self, of: ModelPrice, going_in: Decimal, coming_out: Decimal) -> None:
        """Store your own price. What else was known of it stays."""
        before = of.price if of.is_own and of.price is not None else Price(going_in, coming_out)
        price = msgspec.structs.replace(before, input=going_in, output=coming_out)
        prices = self._workspace.budget.prices
        self._change_price(lambda: prices.set_own(of.provider, of.model, price))

    def remove_price(self, of: ModelPrice) -> None:
        """Use the bundled one again."""
        prices = self._workspace.budget.prices
        self._change_price(lambda: prices.remove_own(of.provider, of.model))

    def _change_price(self, work: Callable[[], object]) -> None:
        self._jobs.run_in_order(work, lambda _: self.price_changed.emit(), self.failed.emit)

    def prove(self, done: Callable[[Proof], None], failed: Failure) -> None:
        """Try every way out, in every kind of process."""
        its = self._workspace
        self._jobs.run(lambda: prove(its.gate, its.engines), done, failed)

    def save_report(self, proof: Proof, path: Path, done: Callable[[], None]) -> None:
        """The proof as text."""

        def write() -> None:
            export_text(path, report(proof))

        self._jobs.run(write, lambda _: done(), self.failed.emit)
