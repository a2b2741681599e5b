"""What APIs cost: today, this month, the limits, and the totals."""

from __future__ import annotations

from decimal import Decimal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QVBoxLayout, QWidget

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.costs.values import Spent, Total
from lockhouse.storage.settings import parse
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import FieldLabel, label, line_edit, push_button
from lockhouse.ui.gate.card import Card
from lockhouse.ui.gate.controller import Spending
from lockhouse.ui.layouts import LEFT, clear, column, holding, row
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import SegmentedControl, ThinBar

_LIMITS = (
    ("budget_per_call_usd", "Question"),
    ("budget_per_day_usd", "Day"),
    ("budget_per_month_usd", "Month"),
)
_MOST_TOTALS = 6
_WARN_FROM = Decimal("0.8")


class SpendingCard(Card):
    """Figures come from the budget, limits go to the settings."""

    by_chosen = Signal(str)
    limit_changed = Signal(str, float)
    price_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "spending_card", "API costs", parent)
        px = theme.px
        self._prices = label("", role="caption", ink="3", name="price_date")
        self.head.addWidget(self._prices)
        grid = QGridLayout()
        grid.setContentsMargins(px(16), px(12), px(16), px(12))
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(6))
        grid.setColumnStretch(1, 1)
        self._today = _Amount(theme, "Today", grid, 0)
        self._month = _Amount(theme, "This month", grid, 1)
        self.add(holding(grid))
        self._edits: dict[str, QLineEdit] = {}
        limits = row(theme, *((self._make_limit(*one), 1) for one in _LIMITS), gap=8)
        self._problem = label("", role="caption", ink="danger", wrap=True, name="limit_problem")
        self._problem.hide()
        heading = label("Limits in US dollars", role="caption", ink="3")
        margins = (16, 8, 16, 12)
        self.add(holding(column(theme, heading, limits, self._problem, gap=4, margins=margins)))
        self.add(self._make_totals())

    def _make_limit(self, name: str, words: str) -> QVBoxLayout:
        px = self.theme.px
        spoken = f"Limit per {words.lower()}, in US dollars"
        edit = line_edit(f"limit_{name}", spoken, "None", compact=True)
        edit.setMinimumWidth(px(48))
        edit.editingFinished.connect(lambda: self._typed(name))
        self._edits[name] = edit
        return column(self.theme, FieldLabel(words, edit, role="caption", ink="2"), edit, gap=2)

    def _make_totals(self) -> QWidget:
        theme, px = self.theme, self.theme.px
        self._by = SegmentedControl(
            "Totals by", (("target", "Model"), ("task", "Task"), ("day", "Day"))
        )
        self._by.setObjectName("totals_by")
        self._by.selected.connect(self.by_chosen)
        choice = row(theme, label("By", role="caption", ink="3"), (self._by, 1), gap=8)
        self._totals = QGridLayout()
        self._totals.setHorizontalSpacing(px(12))
        self._totals.setVerticalSpacing(px(4))
        self._totals.setColumnStretch(0, 1)
        price = push_button(
            theme, "Set price…", self.price_wanted, name="price_set", kind="link", compact=True
        )
        margins = (16, 10, 16, 12)
        return holding(column(theme, choice, self._totals, (price, LEFT), gap=6, margins=margins))

    @property
    def by(self) -> str:
        """What the totals are grouped by."""
        return self._by.current()

    def show_spending(self, spending: Spending) -> None:
        """Show these costs."""
        self._today.show(spending.today, spending.limits.per_day)
        self._month.show(spending.month, spending.limits.per_month)
        limits = spending.limits
        for name, amount in zip(
            self._edits, (limits.per_call, limits.per_day, limits.per_month), strict=True
        ):
            edit = self._edits[name]
            if not edit.hasFocus() and edit.property("invalid") != "true":
                edit.setText(f"{amount.normalize():f}" if amount is not None else "")
        date = spending.snapshot.date
        self._prices.setText(f"Prices of {date}" if date else "")
        self._show_totals(spending.totals)

    def _show_totals(self, totals: tuple[Total, ...]) -> None:
        clear(self._totals)
        if not totals:
            nothing = label("No API was used yet.", role="caption", ink="3", wrap=True)
            self._totals.addWidget(nothing, 0, 0, 1, 2)
        for number, total in enumerate(totals[:_MOST_TOTALS]):
            name = Elided(total.name, role="caption")
            name.setToolTip(_tip(total))
            self._totals.addWidget(name, number, 0)
            calls = label(formatting.counted(total.calls, "answer"), role="caption", ink="3")
            self._totals.addWidget(calls, number, 1)
            self._totals.addWidget(_amount(total), number, 2, Qt.AlignmentFlag.AlignRight)

    def _typed(self, name: str) -> None:
        edit = self._edits[name]
        if not edit.isModified():
            return
        edit.setModified(False)
        text = edit.text().strip().lstrip("$").strip() or "0"
        try:
            value = parse(name, text)
        except UsageMistake as mistake:
            self._say(edit, mistake.message.replace(name, "The limit", 1))
            return
        self._say(edit, "")
        if value == 0:
            edit.clear()
        self.limit_changed.emit(name, float(value))

    def _say(self, edit: QLineEdit, problem: str) -> None:
        edit.setProperty("invalid", "true" if problem else "false")
        repolish(edit)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))


class _Amount:
    """A name and an amount, and a bar below them where there is a limit."""

    def __init__(self, theme: Theme, words: str, grid: QGridLayout, row: int) -> None:
        self._words = words
        self._bar = ThinBar(theme, words)
        self._amount = label("", role="medium")
        grid.addWidget(label(words, ink="2"), 2 * row, 0)
        grid.addWidget(self._amount, 2 * row, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self._bar, 2 * row + 1, 0, 1, 2)

    def show(self, spent: Spent, limit: Decimal | None) -> None:
        """Show what was spent of a limit."""
        words = formatting.money(spent.cost, spent.currency)
        self._bar.setVisible(limit is not None and limit > 0)
        if limit is not None and limit > 0:
            share = spent.cost / limit
            self._bar.set_fraction(float(share))
            self._bar.set_ink("warning" if share >= _WARN_FROM else "accent")
            words += f" of {formatting.money(limit).removesuffix('.00')}"
        if spent.reserved:
            self._amount.setToolTip(
                f"{formatting.money(spent.reserved)} of it is reserved for running requests"
            )
        self._amount.setText(words)
        self._amount.setAccessibleName(f"{self._words}: {words}")


def _amount(total: Total) -> QWidget:
    if total.unpriced_calls == total.calls:
        return label("no price", role="caption", ink="3")
    words = formatting.money(total.cost, total.currency)
    if total.unpriced_calls:
        words += "+"
    return label(words, role="caption-strong")


def _tip(total: Total) -> str:
    lines = [
        total.name,
        f"{total.prompt_tokens:,} tokens in, {total.cached_tokens:,} of them cached",
        f"{total.completion_tokens:,} tokens out, {total.reasoning_tokens:,} of them reasoning",
    ]
    if total.unpriced_calls:
        lines.append(
            f"The price of {formatting.counted(total.unpriced_calls, 'answer')} is unknown"
        )
    if total.estimated_calls:
        lines.append(
            f"{formatting.counted(total.estimated_calls, 'answer')} estimated, not counted"
        )
    return "\n".join(lines)
