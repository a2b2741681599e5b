"""One setting as a row: its name and help at the left, its control at the right.

The control follows from the field's type and choices; what a person types is checked by the
same rules as on the command line.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from lockhouse.core.errors import UsageMistake
from lockhouse.storage.settings import Field, Value, check, parse
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import icon_button, label
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import SegmentedControl, Switch

LABELS = {
    "theme": "Theme",
    "text_scale": "Text size",
    "reduce_motion": "Less motion",
    "enter_sends": "Enter sends",
    "system_prompt": "Instructions for new chats",
    "default_target": "Model for new chats",
    "context_length": "Context length",
    "when_full": "When the context is full",
    "threads": "Threads",
    "kv_type": "Cache precision",
    "parallel_answers": "Answers at the same time",
    "engine_idle_s": "Keep a model loaded",
    "answer_max_tokens": "Longest answer",
    "temperature": "Temperature",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "min_p": "Min-p",
    "repeat_penalty": "Repeat penalty",
    "api_max_tokens": "Longest answer from an API",
    "budget_per_call_usd": "Limit for one question",
    "budget_per_day_usd": "Limit for a day",
    "budget_per_month_usd": "Limit for a month",
}
HELP = {"text_scale": "Size of all text, and of everything around it."}
_ZERO_WORDS = {
    "context_length": "automatic",
    "threads": "automatic",
    "answer_max_tokens": "no limit",
    "budget_per_call_usd": "no limit",
    "budget_per_day_usd": "no limit",
    "budget_per_month_usd": "no limit",
}
_CHOICE_WORDS = {
    "system": "System",
    "light": "Light",
    "dark": "Dark",
    "on": "On",
    "off": "Off",
    "stop": "Stop",
    "cut_oldest": "Leave out the oldest",
    "f16": "Full, f16",
    "q8_0": "Half, q8_0",
}
_SCALES = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)


def label_of(field: Field) -> str:
    """The name a person reads."""
    return LABELS.get(field.name, field.name.replace("_", " ").capitalize())


def shown_value(field: Field, value: Value) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value == 0 and field.name in _ZERO_WORDS:
        return _ZERO_WORDS[field.name]
    if field.name == "text_scale":
        return f"{float(value) * 100:.0f} %"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, str):
        return _CHOICE_WORDS.get(value, value) if field.choices else (value or "empty")
    return f"{value} {field.unit}".strip()


class SettingRow(QWidget):
    """A field, its control, what is wrong with what was typed, and the way back."""

    changed = Signal(str, object)  # name, value
    reset_wanted = Signal(str)

    def __init__(
        self,
        theme: Theme,
        field: Field,
        *,
        options: tuple[tuple[str, str], ...] = (),
        parent: QWidget | None = None,
    ) -> None:
        """``options`` offer values for a text that would otherwise be typed."""
        super().__init__(parent)
        self._theme = theme
        self.field = field
        self._value: Value = field.default
        self._options = options
        self._put: Callable[[Value], None] = lambda _value: None
        px = theme.px
        name = label_of(field)
        self.setObjectName(f"row_{field.name}")
        words = QVBoxLayout()
        words.setSpacing(px(2))
        words.addWidget(label(name, role="medium"))
        words.addWidget(label(HELP.get(field.name, field.help), role="caption", ink="3", wrap=True))
        self._problem = label("", role="caption", ink="danger", wrap=True)
        self._problem.setObjectName(f"problem_{field.name}")
        self._problem.hide()
        control = self._make_control()
        control.setObjectName(f"setting_{field.name}")
        control.setAccessibleName(name)
        control.setAccessibleDescription(field.help)
        default = shown_value(field, field.default)
        self._reset = icon_button(theme, "undo-2", f"{name}: back to {default}", size=14)
        self._reset.setObjectName(f"reset_{field.name}")
        self._reset.clicked.connect(lambda: self.reset_wanted.emit(field.name))
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addLayout(words, 1)
        middle = Qt.AlignmentFlag.AlignVCenter
        if not field.long_text:
            row.addSpacing(px(16))
            row.addWidget(control, 0, middle)
            if field.unit:
                row.addWidget(label(field.unit, role="caption", ink="3"), 0, middle)
        row.addWidget(self._reset, 0, middle)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(16), px(12), px(8), px(12))
        column.setSpacing(px(8))
        column.addLayout(row)
        if field.long_text:
            column.addWidget(control)
        column.addWidget(self._problem)

    def show_value(self, value: Value) -> None:
        """The value in force."""
        self._value = value
        self._put(value)
        self._reset.setVisible(value != self.field.default)
        self._say_problem("")

    # -- controls ---------------------------------------------------------------------------

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
        options = [(key, _CHOICE_WORDS.get(key, key)) for key in self.field.choices]
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

        zero = _ZERO_WORDS.get(self.field.name, "")
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
        edit.textEdited.connect(lambda _: self._look_at(edit))
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
        if not text.strip() and self.field.name in _ZERO_WORDS:
            text = "0"
        try:
            value = parse(self.field.name, text)
        except UsageMistake as mistake:
            self._say_problem(mistake.message)
            return
        self._say_problem("")
        if value != self._value:
            self.changed.emit(self.field.name, value)

    def _look_at(self, edit: QLineEdit) -> None:
        """Say what is wrong while it is typed, keep only what is right."""
        try:
            if edit.text() or self.field.name not in _ZERO_WORDS:
                check(self.field, parse(self.field.name, edit.text()))
        except UsageMistake as mistake:
            self._say_problem(mistake.message if edit.text() else "")
            edit.setProperty("invalid", bool(edit.text()))
        else:
            self._say_problem("")
            edit.setProperty("invalid", "false")
        repolish(edit)

    def _say_problem(self, problem: str) -> None:
        words = problem.replace(self.field.name, label_of(self.field), 1)
        self._problem.setText(words)
        self._problem.setVisible(bool(problem))


class _LongText(QTextEdit):
    """Tells when the keyboard leaves it."""

    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()
