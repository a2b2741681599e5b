"""Setting the price of a model; it is used instead of the bundled one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from lockhouse.gate.costs.values import Price
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label, line_edit
from lockhouse.ui.theme import Theme

_MOST_PER_MILLION = 1_000_000
_ABOUT = "US dollars per million tokens. Your price is used instead of the bundled one."
_NO_MODEL = "No API model is selected yet. Select one under Models… of its provider first."


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """A model among the targets, and what it is known to cost."""

    provider: str
    model: str
    price: Price | None
    is_own: bool = False

    @property
    def name(self) -> str:
        """As it is chosen."""
        return f"{self.provider}/{self.model}"


class PriceDialog(FormDialog):
    """Two prices for one of the selected models."""

    price_given = Signal(object, object, object)  # ModelPrice, Decimal, Decimal
    removal_wanted = Signal(object)  # ModelPrice

    def __init__(
        self, theme: Theme, known: tuple[ModelPrice, ...], parent: QWidget | None = None
    ) -> None:
        about = _ABOUT if known else _NO_MODEL
        super().__init__(theme, "price_dialog", "Set price", about, width=480, parent=parent)
        self._known = {one.name: one for one in known}
        options = [(name, name) for name in self._known] or [("", "No model")]
        self.choice = ChoiceButton(theme, "Model", options)
        self.choice.setObjectName("price_model")
        per = "in US dollars per million"
        self.input = line_edit("price_input", f"Price of input tokens, {per}", "0.25")
        self.output = line_edit("price_output", f"Price of output tokens, {per}", "0.25")
        self.add_fields(("Model", self.choice), ("Input", self.input), ("Output", self.output))
        self._source = label("", role="caption", ink="3", wrap=True, name="price_source")
        self.content.addWidget(self._source)
        self._remove = self.add_button(
            "Remove your price", self._take_away, name="price_remove", on_left=True
        )
        self.add_button("Cancel", self.reject, name="price_cancel")
        self._save = self.add_button("Save", self._give, name="price_save", kind="primary")
        self.choice.picked.connect(lambda _: self._fill())
        for edit in (self.input, self.output):
            edit.textChanged.connect(lambda _: self._check())
        self.choice.set_key(options[0][0])
        self._fill()

    def _fill(self) -> None:
        """Show what is known of the chosen model."""
        one = self._known.get(self.choice.key)
        price = one.price if one is not None else None
        self.input.setText(f"{price.input:f}" if price else "")
        self.output.setText(f"{price.output:f}" if price else "")
        self._source.setText(f"Current: {price.source}." if price else "No price is known.")
        self._source.setVisible(one is not None)
        self._remove.setVisible(one is not None and one.is_own)
        self._check()

    def _check(self) -> None:
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
