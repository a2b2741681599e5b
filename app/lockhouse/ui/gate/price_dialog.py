"""Setting what a model costs: a price of one's own, which stands before the bundled one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from lockhouse.gate.costs.values import Price
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.field_label import FieldLabel
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.theme import Theme

_MOST_PER_MILLION = 1_000_000
_NOTHING = "No model elsewhere is chosen yet. Choose one under Models… of its provider first."


@dataclass(frozen=True, slots=True)
class Priced:
    """A model among the targets, and what it is known to cost."""

    provider: str
    model: str
    price: Price | None
    is_own: bool = False

    @property
    def name(self) -> str:
        """As it is chosen."""
        return f"{self.provider}/{self.model}"


class PriceDialog(QDialog):
    """Two figures for one of the chosen models."""

    price_given = Signal(object, object, object)  # Priced, Decimal, Decimal
    removal_wanted = Signal(object)  # Priced

    def __init__(
        self, theme: Theme, known: tuple[Priced, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        px = theme.px
        self._theme = theme
        self._known = {one.name: one for one in known}
        self.setObjectName("price_dialog")
        self.setWindowTitle("Set a price")
        self.setMinimumWidth(px(480))
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(10))
        column.addWidget(label("Set a price", role="h3"))
        about = "In dollars for a million tokens. Your own price stands before the bundled one."
        column.addWidget(label(about if known else _NOTHING, ink="2", wrap=True))
        options = [(name, name) for name in self._known] or [("", "No model")]
        self.choice = ChoiceButton(theme, "Model", options)
        self.choice.setObjectName("price_model")
        self.choice.picked.connect(lambda _: self._fill())
        self.input = self._edit("price_input", "Price of what goes in")
        self.output = self._edit("price_output", "Price of what comes out")
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(8))
        grid.setColumnStretch(1, 1)
        fields = (("Model", self.choice), ("In", self.input), ("Out", self.output))
        for number, (words, field) in enumerate(fields):
            grid.addWidget(FieldLabel(words, field), number, 0)
            grid.addWidget(field, number, 1)
        column.addLayout(grid)
        self._from = label("", role="caption", ink="3", wrap=True, name="price_from")
        column.addWidget(self._from)
        column.addStretch(1)
        column.addLayout(self._make_buttons())
        self.choice.set_key(options[0][0])
        self._fill()

    def _edit(self, name: str, words: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setObjectName(name)
        edit.setAccessibleName(f"{words}, in dollars for a million tokens")
        edit.setPlaceholderText("0.25")
        edit.textChanged.connect(lambda _: self._look_at())
        return edit

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(self._theme.px(8))
        self._remove = push_button(self._theme, "Remove your price", name="price_remove")
        self._remove.clicked.connect(self._take_away)
        row.addWidget(self._remove)
        row.addStretch(1)
        cancel = push_button(self._theme, "Cancel", name="price_cancel")
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        self._save = push_button(self._theme, "Save", name="price_save", kind="primary")
        self._save.setDefault(True)
        self._save.clicked.connect(self._give)
        row.addWidget(self._save)
        return row

    def _fill(self) -> None:
        """What is known of the chosen one."""
        one = self._known.get(self.choice.key)
        price = one.price if one is not None else None
        self.input.setText(f"{price.input:f}" if price else "")
        self.output.setText(f"{price.output:f}" if price else "")
        self._from.setText(f"Now: {price.source}." if price else "No price of it is known.")
        self._from.setVisible(one is not None)
        self._remove.setVisible(one is not None and one.is_own)
        self._look_at()

    def _look_at(self) -> None:
        if not hasattr(self, "_save"):
            return  # still being laid out
        figures = (_amount(self.input.text()), _amount(self.output.text()))
        self._save.setEnabled(self.choice.key in self._known and None not in figures)

    def _give(self) -> None:
        one = self._known[self.choice.key]
        self.price_given.emit(one, _amount(self.input.text()), _amount(self.output.text()))
        self.accept()

    def _take_away(self) -> None:
        self.removal_wanted.emit(self._known[self.choice.key])
        self.accept()


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= _MOST_PER_MILLION else None
