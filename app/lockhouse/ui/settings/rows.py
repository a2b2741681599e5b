"""One setting as a row: name and help at the left, control at the right.

The control follows from the type and the choices of the field. What is typed is checked by the
same rules as on the command line.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLineEdit, QTextEdit, QVBoxLayout, QWidget

from lockhouse.core.errors import UsageMistake
from lockhouse.storage.settings import Field, Value, check, parse
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import icon_button, label
from lockhouse.ui.layouts import MIDDLE, add, column, row
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import SegmentedControl, Switch

_LABELS = {
    "text_scale": "Text size",
    "enter_sends": "Send with Enter",
    "system_prompt": "System prompt for new chats",
    "default_target": "Model for new chats",
    "when_full": "When the context is full",
    "threads": "CPU threads",
    "kv_type": "KV cache precision",
    "engine_idle_s": "Unload an idle model after",
    "answer_max_tokens": "Maximum answer length",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "min_p": "Min-p",
    "api_max_tokens": "Maximum answer length from an API",
    "budget_per_call_usd": "Cost limit per question",
    "budget_per_day_usd": "Cost limit per day",
    "budget_per_month_usd": "Cost limit per month",
}
_HELP = {"text_scale": "Scales all text and controls."}
_ZERO_TEXT = {
    "context_length": "Automatic",
    "threads": "Automatic",
    "answer_max_tokens": "No limit",
    "budget_per_call_usd": "No limit",
    "budget_per_day_usd": "No limit",
    "budget_per_month_usd": "No limit",
}
_CHOICES = {"cut_oldest": "Drop oldest messages", "f16": "Full (f16)", "q8_0": "8-bit (q8_0)"}
_SCALES = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)


def label_of(field: Field) -> str:
    """The name of a setting as it is shown."""
    return _LABELS.get(field.name, field.name.replace("_", " ").capitalize())


def _choice_label(key: str) -> str:
    return _CHOICES.get(key, key.capitalize())


def shown_value(field: Field, value: Value) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    if value == 0 and field.name in _ZERO_TEXT:
        return _ZERO_TEXT[field.name]
    if field.name == "text_scale":
        return f"{float(value) * 100:.0f} %"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, str):
        return _choice_label(value) if field.choices else (value or "Empty")
    return f"{value} {field.unit}".strip()


def titled(theme: Theme, title: str, below: str, *, selectable: bool = False) -> QVBoxLayout:
    """A title with a line of help, or a value, below it."""
    help_label = label(below, role="caption", ink="3", wrap=True, selectable=selectable)
    return column(theme, label(title, role="medium"), help_label, gap=2)


class SettingRow(QWidget):
    """A setting: its control, a problem with what was typed, and a button to reset it."""

    changed = Signal(str, object)  # name, value
    reset_wanted = Signal(str)

    def __init__(
        self, theme: Theme, field: Field, *, options: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """``options`` are values to choose from, for a text that would otherwise be typed."""
        super().__init__()
        self._theme = theme
        self.field = field
        self._value: Value = field.default
        self._options = options
        self._put: Callable[[Value], None] = lambda _value: None
        name = label_of(field)
        self.setObjectName(f"row_{field.name}")
        self._problem = label(
            "", role="caption", ink="danger", wrap=True, name=f"problem_{field.name}"
        )
        self._problem.hide()
        control = self._make_control()
        control.setObjectName(f"setting_{field.name}")
        control.setAccessibleName(name)
        control.setAccessibleDescription(field.help)
        self._reset = icon_button(
            theme,
            "undo-2",
            f"Reset {name} to {shown_value(field, field.default)}",
            lambda: self.reset_wanted.emit(field.name),
            name=f"reset_{field.name}",
            size=14,
        )
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        texts = titled(theme, name, _HELP.get(field.name, field.help))
        line = row(theme, (texts, 1), gap=8)
        if not field.long_text:
            add(theme, line, 16, (control, MIDDLE))
            if field.unit:
                add(theme, line, (label(field.unit, role="caption", ink="3"), MIDDLE))
        add(theme, line, (self._reset, MIDDLE))
        whole = column(theme, line, gap=8, margins=(16, 12, 8, 12), on=self)
        if field.long_text:
            whole.addWidget(control)
        whole.addWidget(self._problem)

    def show_value(self, value: Value) -> None:
        """Show the value in use."""
        self._value = value
        self._put(value)
        self._reset.setVisible(value != self.field.default)
        self._show_problem("")

    # controls

    def _make_control(self) -> QWidget:
        field = self.field
        if field.type is bool:
            return self._make_switch()
        if field.name == "text_scale":
            return self._make_combo(
                tuple((f"{scale:g}", f"{scale * 100:.0f} %") for scale in _SCALES)
            )
        if self._options:
            return self._make_combo(self._options)
        if field.choices:
            return self._make_segments()
        if field.long_text:
            return self._make_long_text()
        return self._make_line()

    def _make_switch(self) -> Switch:
        switch = Switch(self._theme, label_of(self.field))

        def put(value: Value) -> None:
            with QSignalBlocker(switch):
                switch.setChecked(bool(value))

        self._put = put
        switch.toggled.connect(lambda on: self.changed.emit(self.field.name, bool(on)))
        return switch

    def _make_segments(self) -> SegmentedControl:
        options = [(key, _choice_label(key)) for key in self.field.choices]
        control = SegmentedControl(label_of(self.field), options)
        self._put = lambda value: control.set_current(str(value))
        control.selected.connect(lambda key: self.changed.emit(self.field.name, key))
        return control

    def _make_combo(self, options: tuple[tuple[str, str], ...]) -> ChoiceButton:
        choice = ChoiceButton(self._theme, label_of(self.field), options)
        choice.setFixedWidth(self._theme.px(200 if self._options else 104))

        def put(value: Value) -> None:
            key = f"{value:g}" if isinstance(value, float) else str(value)
            choice.set_key(key, shown_value(self.field, value))

        self._put = put
        choice.picked.connect(self._typed)
        return choice

    def _make_line(self) -> QLineEdit:
        edit = QLineEdit()
        if self.field.type is not str:
            edit.setAlignment(Qt.AlignmentFlag.AlignRight)
            edit.setFixedWidth(self._theme.px(104))
        else:
            edit.setMinimumWidth(self._theme.px(200))

        zero = _ZERO_TEXT.get(self.field.name, "")
        edit.setPlaceholderText(zero)

        def put(value: Value) -> None:
            if not edit.hasFocus() or not edit.isModified():
                shown = f"{value:.10g}" if isinstance(value, float) else str(value)
                edit.setText("" if zero and value == 0 else shown)

        def typed() -> None:
            if edit.isModified():
                edit.setModified(False)
                self._typed(edit.text())

        self._put = put
        edit.editingFinished.connect(typed)
        edit.textEdited.connect(lambda _: self._check_typed(edit))
        return edit

    def _make_long_text(self) -> QTextEdit:
        edit = _LongText()
        edit.setAcceptRichText(False)
        edit.setTabChangesFocus(True)
        edit.setFixedHeight(self._theme.px(96))

        def put(value: Value) -> None:
            if edit.toPlainText() != value:
                edit.setPlainText(str(value))

        self._put = put
        edit.left.connect(lambda: self._typed(edit.toPlainText()))
        return edit

    def _typed(self, text: str) -> None:
        if not text.strip() and self.field.name in _ZERO_TEXT:
            text = "0"
        try:
            value = parse(self.field.name, text)
        except UsageMistake as mistake:
            self._show_problem(mistake.message)
            return
        self._show_problem("")
        if value != self._value:
            self.changed.emit(self.field.name, value)

    def _check_typed(self, edit: QLineEdit) -> None:
        """Show what is wrong while it is typed."""
        try:
            if edit.text() or self.field.name not in _ZERO_TEXT:
                check(self.field, parse(self.field.name, edit.text()))
        except UsageMistake as mistake:
            self._show_problem(mistake.message if edit.text() else "")
            edit.setProperty("invalid", bool(edit.text()))
        else:
            self._show_problem("")
            edit.setProperty("invalid", "false")
        repolish(edit)

    def _show_problem(self, problem: str) -> None:
        self._problem.setText(problem.replace(self.field.name, label_of(self.field), 1))
        self._problem.setVisible(bool(problem))


class _LongText(QTextEdit):
    """Emits ``left`` when it loses the keyboard focus."""

    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()
