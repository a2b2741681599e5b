"""The settings of a chat: system prompt, label and sampling parameters."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDoubleValidator, QIntValidator, QValidator
from PySide6.QtWidgets import QTextEdit, QWidget

from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.parameters import PARAMETERS, Parameter
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import hairline, icon_button, label, line_edit
from lockhouse.ui.layouts import STRETCH, column, row
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.timers import once
from lockhouse.ui.widgets import SegmentedControl

_PAUSE_MS = 500
_LABELS = (("public", "Public"), ("internal", "Internal"), ("confidential", "Confidential"))
_WHEN_FULL = (
    ("", "As in Settings"),
    ("stop", "The answer stops"),
    ("cut_oldest", "Oldest messages are left out"),
)
_LABEL_HELP = (
    "Public may be sent to any model, internal only to this machine and your own network, "
    "confidential only to this machine."
)
_PARAMETER_HELP = "Empty fields use the value from Settings. Changes apply from the next answer on."


class ParameterField(QWidget):
    """One number; an empty field shows the value of the settings as a placeholder."""

    changed = Signal()

    def __init__(
        self,
        theme: Theme,
        parameter: Parameter,
        parent: QWidget | None = None,
        *,
        holder: str = "this chat",
    ) -> None:
        super().__init__(parent)
        self.parameter = parameter
        px = theme.px
        words = label(parameter.label)
        words.setToolTip(parameter.help)
        spoken = f"{parameter.label} of {holder}"
        self.edit = line_edit(f"parameter_{parameter.name}", spoken, compact=True)
        self.edit.setAccessibleDescription(parameter.help)
        self.edit.setToolTip(parameter.help)
        self.edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.edit.setFixedWidth(px(96))
        self.edit.setValidator(_validator(parameter, self.edit))
        self.edit.textEdited.connect(lambda _: self._edited())
        self._reset = icon_button(
            theme, "undo-2", f"{parameter.label}: reset to Settings", self._clear,
            name=f"reset_{parameter.name}", size=14,
        )  # fmt: skip
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        row(theme, (words, 1), self.edit, self._reset, gap=4, on=self)

    def show_value(self, own: object, setting: object) -> None:
        """The chat's own value, if it has one, and the value of the settings."""
        self.edit.setText("" if own is None else _shown(own))
        placeholder = self.parameter.unset if setting is None else _shown(setting)
        self.edit.setPlaceholderText((setting == 0 and self.parameter.zero) or placeholder)
        self._reset.setVisible(own is not None)

    @property
    def value(self) -> float | int | None:
        """What is typed; None when empty or not yet a number."""
        text = self.edit.text().strip().replace(",", ".")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            return None
        number = min(max(number, self.parameter.minimum), self.parameter.maximum)
        return int(number) if self.parameter.whole else number

    def _edited(self) -> None:
        invalid = bool(self.edit.text().strip()) and not self.edit.hasAcceptableInput()
        self.edit.setProperty("invalid", invalid)
        repolish(self.edit)
        self._reset.setVisible(bool(self.edit.text()))
        if not invalid:
            self.changed.emit()

    def _clear(self) -> None:
        self.edit.clear()
        self._edited()


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _validator(parameter: Parameter, parent: QWidget) -> QValidator:
    if parameter.whole:
        return QIntValidator(int(parameter.minimum), int(parameter.maximum), parent)
    made = QDoubleValidator(parameter.minimum, parameter.maximum, 4, parent)
    made.setNotation(QDoubleValidator.Notation.StandardNotation)
    return made


class PromptPanel(QWidget):
    """System prompt, label and parameters of the open chat."""

    system_changed = Signal(str)
    parameters_changed = Signal(object)  # dict[str, object]
    label_changed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self._own: dict[str, object] = {}
        self._chat = ""  # key of the chat that is shown
        self._is_loading = False
        self._instructions = ""
        self.setObjectName("prompt_panel")
        self._system = QTextEdit()
        self._system.setObjectName("chat_system_prompt")
        self._system.setAccessibleName("System prompt of this chat")
        self._system.setAcceptRichText(False)
        self._system.setTabChangesFocus(True)
        self._system.setMinimumHeight(px(96))
        self._system.setMaximumHeight(px(180))
        self._system_note = label("", ink="3", wrap=True, name="system_note")
        self._label = SegmentedControl("Label of this chat", _LABELS)
        self._label.setObjectName("chat_label")
        self._label.selected.connect(self._label_chosen)
        self._fields = [ParameterField(theme, parameter) for parameter in PARAMETERS]
        for field in self._fields:
            field.changed.connect(self._parameters_edited)
        self._when_full = ChoiceButton(theme, "When the context is full", _WHEN_FULL, height=28)
        self._when_full.setObjectName("chat_when_full")
        self._when_full.picked.connect(lambda _: self._parameters_edited())
        column(
            theme,
            label("System prompt", role="strong"),
            self._system_note,
            self._system,
            8,
            label("Label", role="strong"),
            label(_LABEL_HELP, ink="3", wrap=True),
            self._label,
            8,
            hairline(),
            4,
            label("Parameters", role="strong"),
            label(_PARAMETER_HELP, ink="3", wrap=True),
            *self._fields,
            label("When the context is full"),
            self._when_full,
            STRETCH,
            gap=8,
            margins=(16, 16),
            on=self,
        )
        self._pause = once(self, _PAUSE_MS, self.flush)
        self._system.textChanged.connect(self._system_edited)
        self._dirty = False

    def show_chat(self, chat: OpenChat, settings: Settings, instructions: str = "") -> None:
        """The values of the open chat. What is being typed for this chat is left alone.

        ``instructions`` are what the model gets where there is no system prompt.
        """
        is_other = chat.key != self._chat
        self._chat = chat.key
        self._own = chat.parameters
        # What was typed and is not stored yet is newer than what another change brings along.
        if is_other or not (self._system.hasFocus() or self._dirty):
            self._is_loading = True
            self._system.setPlainText(chat.system)
            self._is_loading = False
            self._dirty = False
        self._instructions = instructions
        self._system.setPlaceholderText("For example: answer briefly.")
        self._note_system()
        self._label.set_current(chat.label)
        self._when_full.set_key(str(self._own.get("when_full", "")))
        for field in self._fields:
            if is_other or not field.edit.hasFocus():
                name = field.parameter.name
                field.show_value(self._own.get(name), getattr(settings, name, None))

    def show_thinking(self, *, shown: bool) -> None:
        """Whether the model has a switch for thinking."""
        for field in self._fields:
            if field.parameter.of_thinking:
                field.setVisible(shown)

    def flush(self) -> None:
        """Announce what was typed and not announced yet."""
        self._pause.stop()
        if self._dirty:
            self._dirty = False
            self.system_changed.emit(self._system.toPlainText().strip())

    def _note_system(self) -> None:
        """What the model gets with this field as it is."""
        if self._system.toPlainText().strip():
            words = "Sent before the messages of this chat."
        elif self._instructions:
            words = f"Empty: this model gets its own instructions, “{self._instructions}”"
        else:
            words = "Empty: no system prompt is sent."
        self._system_note.setText(words)

    def _system_edited(self) -> None:
        self._note_system()
        if not self._is_loading:
            self._dirty = True
            self._pause.start()

    def _label_chosen(self, chosen: str) -> None:
        self.flush()
        self.label_changed.emit(chosen)

    def _parameters_edited(self) -> None:
        self.flush()  # what was typed first is stored first
        known = {"when_full", *(field.parameter.name for field in self._fields)}
        own = {name: value for name, value in self._own.items() if name not in known}
        for field in self._fields:
            value = field.value
            if value is not None:
                own[field.parameter.name] = value
        if self._when_full.key:
            own["when_full"] = self._when_full.key
        self._own = own
        self.parameters_changed.emit(dict(own))
