"""The bar at the bottom of the window: loaded model, memory, speed, downloads, network access."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from lockhouse.seal import SealLevel
from lockhouse.ui import formatting
from lockhouse.ui.chat.values import AnswerEnded, RunState
from lockhouse.ui.frame_parts import IconLabel, label, make_menu
from lockhouse.ui.layouts import STRETCH, row
from lockhouse.ui.machine_monitor import MachineState
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.timers import once
from lockhouse.ui.widgets import Meter

_SPEED_REST_MS = 300
SEAL_WORDS: Mapping[SealLevel, str] = {
    "kernel": "Sealed: nothing can leave",
    "python": "Sealed by the program only",
    "none": "Not sealed",
}


def _make_segment(theme: Theme, *parts: QWidget) -> QFrame:
    """A part of the bar, with a line at its right edge."""
    segment = QFrame()
    segment.setProperty("tone", "bg-0")
    segment.setProperty("line", "right")
    row(theme, *parts, gap=6, margins=(12, 0), on=segment)
    return segment


class StatusBar(QFrame):
    """28 px high; the seal is at its right end on every page and is never cut."""

    seal_pressed = Signal()
    unload_wanted = Signal()
    transfers_pressed = Signal()

    def __init__(self, theme: Theme, seal: SealLevel) -> None:
        super().__init__()
        self._theme = theme
        self._level = seal
        self._wanted: set[QWidget] = set()  # optional parts that have something to show
        self._titles: dict[str, str] = {}
        self._rates: dict[str, float] = {}
        self._has_models = False
        self._speed_rest = once(self, _SPEED_REST_MS, lambda: None)
        self.setObjectName("status")
        self.setAccessibleName("Status")
        self.setFixedHeight(theme.px(28))
        self._model_words = "No model loaded"
        self._model = self._make_button("loaded_model", self._model_words, "box")
        self._model.clicked.connect(self._show_model_menu)
        self._memory = Meter(theme, "Memory", ink="text-2", bar_width=56, warn_from=0.92)
        self._memory.setObjectName("memory_meter")
        self._speed = label("", role="caption", name="speed")
        self._downloads = self._make_button("downloads", "Downloads", "download")
        self._downloads.clicked.connect(self.transfers_pressed)
        self._seal = QPushButton()
        self._seal.setObjectName("seal")
        self._seal.setToolTip("Open the Gate")
        self._seal.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._seal.clicked.connect(self.seal_pressed)
        memory = label("Memory", role="caption")
        self._model_part = _make_segment(theme, self._model)
        self._memory_part = _make_segment(theme, memory, self._memory)
        self._speed_part = _make_segment(theme, IconLabel(theme, "gauge", 14), self._speed)
        self._downloads_part = _make_segment(theme, self._downloads)
        row(
            theme,
            self._model_part,
            self._memory_part,
            self._speed_part,
            self._downloads_part,
            STRETCH,
            self._seal,
            margins=(1, 1, 8, 0),
            on=self,
        )
        self.show_network(NetworkView())
        theme.changed.connect(self._fit)

    def _make_button(self, name: str, words: str, icon: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setAccessibleName(words)
        button.setProperty("kind", "status")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._theme.bind_icon(button, icon, size=14)
        return button

    def show_network(self, view: NetworkView) -> None:
        """Whether the network is open, to which hosts, and how much was sent."""
        closed = self._level == "kernel" and not view.is_open
        words = SEAL_WORDS[self._level]
        if view.is_open:
            sent = formatting.size(view.bytes_out)
            words = f"Open to {formatting.short_name(view.place)}, {sent} sent"
        elif view.opens_next:
            words = "Sealed until restart"
        if words == self._seal.text():
            return
        self._seal.setText(words)
        self._seal.setAccessibleName(f"{words}. Open the Gate")
        self._seal.setProperty("open", "false" if closed else "true")
        self._theme.bind_icon(
            self._seal,
            "lock" if closed else "lock-open",
            size=14,
            role="accent-text" if closed else "warning",
        )
        repolish(self._seal)
        self._fit()

    def show_downloads(self, words: str) -> None:
        """The state of the downloads in a few words; "" when there are none."""
        self._downloads.setText(words)
        self._downloads.setAccessibleName(f"Downloads: {words}")
        self._show_part(self._downloads_part, wanted=bool(words))

    def show_titles(self, titles: Mapping[str, str]) -> None:
        """The titles of models, as the library has them."""
        self._titles = dict(titles)

    def show_machine(self, state: MachineState) -> None:
        """Loaded models and memory."""
        loaded = state.engines
        self._has_models = bool(loaded)
        memory = formatting.size(sum(one.memory_bytes for one in loaded))
        if not loaded:
            words = "No model loaded"
        elif len(loaded) == 1:
            one = loaded[0]
            title = self._titles.get(one.model_name, one.model_name)
            is_loading = one.state == "loading"
            words = f"{title}  loading…" if is_loading else f"{title}  {memory}"
        else:
            words = f"{len(loaded)} models loaded  {memory}"
        self._model_words = words
        self._model.setAccessibleName(f"Loaded: {words}" if loaded else words)
        total = state.memory_total_bytes
        used = state.memory_used_bytes
        shown = f"{formatting.gigabytes(used)} of {total / 1e9:.0f} GB"
        self._memory.set_amount(used, total, shown)
        self._show_part(self._memory_part, wanted=total > 0)

    def show_progress(self, run: RunState) -> None:
        """The speed of a running answer."""
        if run.tokens_per_s > 0:
            self._rates[run.conversation_id] = run.tokens_per_s
            if not self._speed_rest.isActive():  # figures that change faster cannot be read
                self._speed_rest.start()
                self._show_speed()

    def show_end(self, ended: AnswerEnded) -> None:
        """An answer has ended."""
        self._rates.pop(ended.conversation_id, None)
        self._show_speed()

    def _show_speed(self) -> None:
        self._speed.setText(formatting.speed(sum(self._rates.values())))
        self._show_part(self._speed_part, wanted=bool(self._rates))

    def _show_part(self, part: QWidget, *, wanted: bool) -> None:
        (self._wanted.add if wanted else self._wanted.discard)(part)
        self._fit()

    def _fit(self) -> None:
        """Hide what there is no room for, the least important first; then cut the model's name."""
        optional = (self._downloads_part, self._speed_part, self._memory_part)
        shown = [part for part in optional if part in self._wanted]
        self._model.setText(self._model_words)
        room = self.width() - self._theme.px(16) - self._seal.sizeHint().width()
        room -= self._model_part.sizeHint().width()
        while shown and sum(part.sizeHint().width() for part in shown) > room:
            shown.pop()
        for part in optional:
            part.setVisible(part in shown)
        if room < 0:
            metrics = self._model.fontMetrics()
            width = metrics.horizontalAdvance(self._model_words) + room
            mode = Qt.TextElideMode.ElideMiddle
            self._model.setText(metrics.elidedText(self._model_words, mode, max(0, width)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _show_model_menu(self) -> None:
        menu = make_menu(self)
        if self._has_models:
            menu.addAction(self._theme.icon("x"), "Unload and free memory", self.unload_wanted.emit)
        else:
            words = "A model is loaded when you ask a question"
            menu.addAction(words).setEnabled(False)
        corner = self._model.mapToGlobal(self._model.rect().topLeft())
        corner.setY(corner.y() - menu.sizeHint().height() - 4)
        menu.popup(corner)
