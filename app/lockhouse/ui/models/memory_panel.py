"""How much memory a model needs, and the context length and cache precision it depends on."""

from __future__ import annotations

from msgspec import structs
from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from lockhouse.library.model_info import LoadChoice
from lockhouse.ui import formatting
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import label, small_button
from lockhouse.ui.layouts import RIGHT, STRETCH, column, row
from lockhouse.ui.models.context_slider import ContextSlider
from lockhouse.ui.models.memory import MemoryNeed
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once
from lockhouse.ui.widgets import MemoryBar, MemoryPart

_SAVE_AFTER_MS = 500
_PRECISIONS = (("f16", "Full (f16)"), ("q8_0", "8-bit (q8_0)"))


class _Dot(QWidget):
    """The colour of a part of the memory bar, beside its name."""

    def __init__(self, theme: Theme, token: str) -> None:
        super().__init__()
        self._theme = theme
        self._token = token
        self.setFixedSize(theme.px(8), theme.px(8))
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._theme.color(self._token))
        painter.setBrush(self._theme.color(self._token))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 2, 2)


class _Legend(QWidget):
    """A line for each part: its colour, its name, its size."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        px = theme.px
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(px(8))
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        self._theme = theme
        self._lines: dict[str, tuple[_Dot, QLabel, QLabel]] = {}

    def show_part(self, token: str, name: str, size: str, *, tip: str = "") -> None:
        """Show the size of one part."""
        if token not in self._lines:
            at = len(self._lines)
            self._grid.setRowMinimumHeight(at, self._theme.px(24))
            line = (_Dot(self._theme, token), label(""), label("", ink="2"))
            for side, widget in enumerate(line):
                self._grid.addWidget(widget, at, side)
            line[2].setFont(self._theme.font("body", tabular=True))
            line[2].setAlignment(RIGHT)
            self._lines[token] = line
        _, name_label, figure = self._lines[token]
        name_label.setText(name)
        name_label.setToolTip(tip)
        figure.setText(size)


class MemoryPanel(QWidget):
    """Asks while the slider moves; saves what was chosen when it rests."""

    asked = Signal(object)  # LoadChoice: how much memory would it need?
    chosen = Signal(object)  # LoadChoice: save it

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        px = theme.px
        self._choice = LoadChoice()
        self._need: MemoryNeed | None = None
        self._save = once(self, _SAVE_AFTER_MS, lambda: self.chosen.emit(self._choice))
        self._amount = label("", ink="2", name="memory_amount")
        self._bar = MemoryBar(theme)
        self._bar.setObjectName("model_memory")
        self._legend = _Legend(theme)
        self._problem = label("", ink="warning", wrap=True, name="memory_problem")
        self._slider = ContextSlider(theme)
        self._slider.moved.connect(lambda length: self._choose(context_length=length))
        self._slider.settled.connect(lambda _: self._save.start())
        self._automatic = small_button(
            theme,
            "Use automatic length",
            self._choose_automatic,
            name="context_automatic",
            kind="link",
        )
        self._precision = ChoiceButton(theme, "KV cache precision", _PRECISIONS, height=28)
        self._precision.setObjectName("cache_precision")
        self._precision.setFixedWidth(px(152))
        self._precision.set_key("f16")
        self._precision.picked.connect(self._precision_chosen)
        self._saving = label("", role="caption", ink="3", wrap=True, name="cache_saving")
        self._source = label("", role="caption", ink="3", name="memory_source")
        column(
            theme,
            row(theme, label("Memory", role="strong"), STRETCH, self._amount, gap=8),
            self._bar,
            self._legend,
            self._problem,
            4,
            self._slider,
            row(theme, label("KV cache"), STRETCH, self._precision, gap=8),
            self._saving,
            row(theme, self._source, STRETCH, self._automatic, gap=8),
            gap=8,
            on=self,
        )

    # what it shows

    def show_choice(self, choice: LoadChoice) -> None:
        """Show the choice of the profile in use, unless another is being made right now."""
        if self._save.isActive() or self._slider.is_moving:
            return
        self._choice = choice
        self._precision.set_key(choice.kv_type or "f16")
        self._automatic.setVisible(bool(choice.context_length))

    def flush(self) -> None:
        """Save what was chosen and is not saved yet."""
        if self._save.isActive():
            self._save.stop()
            self.chosen.emit(self._choice)

    def show_need(self, need: MemoryNeed | None) -> None:
        """Show how much memory is needed."""
        self._need = need
        self.setVisible(need is not None)
        if need is None:
            return
        parts = (
            MemoryPart("Weights", "mem-weights", need.weights_bytes + need.projector_bytes),
            MemoryPart("KV cache", "mem-cache", need.cache_bytes),
            MemoryPart("Compute", "mem-compute", need.compute_bytes),
            MemoryPart("Other models", "mem-other", need.others_bytes),
        )
        self._bar.set_parts(parts, need.available_bytes)
        used = sum(part.size_bytes for part in parts)
        over = used - need.available_bytes
        amount = f"{formatting.gigabytes(used)} of {formatting.gigabytes(need.available_bytes)} GB"
        self._amount.setText(amount.replace(" GB", f"{formatting.NBSP}GB"))
        weights = "Weights and projector" if need.projector_bytes else "Weights"
        cache = f"KV cache, {need.context_length:,} tokens"
        self._legend.show_part("mem-weights", weights, _size(parts[0].size_bytes))
        self._legend.show_part("mem-cache", cache, _size(need.cache_bytes))
        self._legend.show_part("mem-compute", "Compute buffers", _size(need.compute_bytes))
        others = ", ".join(name for name, _ in need.others)
        self._legend.show_part("mem-other", "Other models", _size(need.others_bytes), tip=others)
        self._legend.show_part("track", "Free", _size(max(0, -over)))
        self._problem.setText(
            f"{formatting.size(over)} more than available. {need.problem}"
            if over > 0
            else need.problem
        )
        self._problem.setVisible(bool(need.problem) or over > 0)
        if not self._save.isActive():
            self._slider.show_length(need.context_length, need.largest_context)
        self._show_saving(need)
        self._source.setText("Measured by llama.cpp" if need.exact else "Estimated")

    def _show_saving(self, need: MemoryNeed) -> None:
        saved = formatting.size(need.saved_bytes)
        saves = "would save" if need.kv_type == "f16" else "saves"
        self._saving.setText(f"8-bit {saves} {saved} with little quality loss.")
        self._saving.setVisible(need.saved_bytes > 0)

    # what is chosen

    def _precision_chosen(self, kv_type: str) -> None:
        self._choose(kv_type=kv_type)
        self._save.start()

    def _choose_automatic(self) -> None:
        self._choose(context_length=0)
        self.chosen.emit(self._choice)

    def _choose(self, **changes: int | str) -> None:
        self._choice = structs.replace(self._choice, **changes)
        self._automatic.setVisible(bool(self._choice.context_length))
        self.asked.emit(self._choice)


def _size(size_bytes: int) -> str:
    if size_bytes <= 0:
        return "None"
    if size_bytes < 1e8:
        return formatting.size(size_bytes)
    return f"{formatting.gigabytes(size_bytes)}{formatting.NBSP}GB"
