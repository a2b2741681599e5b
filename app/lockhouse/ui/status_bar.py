"""The line at the foot of the window: loaded model, memory, speed, and the seal."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from lockhouse.seal import SealLevel
from lockhouse.ui import formatting
from lockhouse.ui.chat.values import AnswerEnded, RunState
from lockhouse.ui.frame_parts import label, make_menu
from lockhouse.ui.machine_monitor import MachineState
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import Meter

_SPEED_REST_MS = 300
SEAL_WORDS: Mapping[SealLevel, str] = {
    "kernel": "Sealed: nothing can leave",
    "python": "Sealed by the program only",
    "none": "Not sealed",
}


class _Segment(QFrame):
    """A part of the bar with a line at its right."""

    def __init__(self, theme: Theme, *parts: QWidget) -> None:
        super().__init__()
        self.setProperty("tone", "bg-0")
        self.setProperty("line", "right")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(12), 0, theme.px(12), 0)
        row.setSpacing(theme.px(6))
        for part in parts:
            row.addWidget(part)


class StatusBar(QFrame):
    """28 px; the seal stands at its right end on every page."""

    seal_pressed = Signal()
    unload_wanted = Signal()
    transfers_pressed = Signal()

    def __init__(self, theme: Theme, seal: SealLevel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._titles: dict[str, str] = {}
        self._rates: dict[str, float] = {}
        self._speed_rest = QTimer(self)
        self._speed_rest.setSingleShot(True)
        self._speed_rest.setInterval(_SPEED_REST_MS)
        self.setObjectName("status")
        self.setAccessibleName("Status")
        self.setFixedHeight(theme.px(28))
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(1), 1, theme.px(8), 0)
        row.setSpacing(0)
        self._model = QPushButton("No model loaded")
        self._model.setObjectName("loaded_model")
        self._model.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._model.clicked.connect(self._show_model_menu)
        theme.bind_icon(self._model, "box", size=14)
        self._memory = Meter(theme, "Memory", ink="text-2", bar_width=56, warn_from=0.92)
        self._memory.setObjectName("memory_meter")
        self._speed_icon = label("", name="speed_icon")
        self._speed = label("", role="caption", name="speed")
        row.addWidget(_Segment(theme, self._model))
        self._memory_part = _Segment(theme, label("Memory", role="caption"), self._memory)
        row.addWidget(self._memory_part)
        self._speed_part = _Segment(theme, self._speed_icon, self._speed)
        row.addWidget(self._speed_part)
        self._downloads = QPushButton("Downloads")
        self._downloads.setObjectName("downloads")
        self._downloads.setAccessibleName("Downloads")
        self._downloads.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._downloads.clicked.connect(self.transfers_pressed)
        theme.bind_icon(self._downloads, "download", size=14)
        self._downloads_part = _Segment(theme, self._downloads)
        self._downloads_part.hide()
        row.addWidget(self._downloads_part)
        row.addStretch(1)
        row.addWidget(self._make_seal(seal))
        self._speed_part.hide()
        self._memory_part.hide()
        self._has_models = False
        self._dress()
        theme.changed.connect(self._dress)

    def _make_seal(self, seal: SealLevel) -> QPushButton:
        self._level = seal
        self._seal = QPushButton()
        self._seal.setObjectName("seal")
        self._seal.setToolTip("Show the Gate")
        self._seal.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._seal.clicked.connect(self.seal_pressed)
        self.show_network(NetworkView())
        return self._seal

    def show_network(self, view: NetworkView) -> None:
        """Whether there is a door, to whom, and how much has left through it."""
        closed = self._level == "kernel" and not view.is_open
        words = SEAL_WORDS[self._level]
        if view.is_open:
            sent = formatting.size(view.bytes_out)
            words = f"Open to {view.place}, {sent} sent"
        elif view.opens_next:
            words = "Sealed, open after a new start"
        if words == self._seal.text():
            return
        self._seal.setText(words)
        self._seal.setAccessibleName(f"{words}. Show how")
        self._seal.setProperty("open", "false" if closed else "true")
        self._theme.bind_icon(
            self._seal,
            "lock" if closed else "lock-open",
            size=14,
            role="accent-text" if closed else "warning",
        )
        repolish(self._seal)

    def show_downloads(self, words: str) -> None:
        """How the downloads stand, in a few words; nothing when there are none."""
        self._downloads_part.setVisible(bool(words))
        self._downloads.setText(words)
        self._downloads.setAccessibleName(f"Downloads: {words}")

    def show_titles(self, titles: Mapping[str, str]) -> None:
        """Names of models as they are known in the library."""
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
            words = f"{title}  loading" if is_loading else f"{title}  {memory}"
        else:
            words = f"{len(loaded)} models loaded  {memory}"
        self._model.setText(words)
        self._model.setAccessibleName(f"Loaded: {words}" if loaded else words)
        total = state.memory_total_bytes
        used = state.memory_used_bytes
        self._memory_part.setVisible(total > 0)
        shown = f"{formatting.gigabytes(used)} of {total / 1e9:.0f} GB"
        self._memory.set_amount(used, total, shown)

    def show_progress(self, run: RunState) -> None:
        """How fast an answer comes."""
        if run.tokens_per_s > 0:
            self._rates[run.conversation_id] = run.tokens_per_s
            if not self._speed_rest.isActive():  # figures that change faster cannot be read
                self._speed_rest.start()
                self._show_speed()

    def show_end(self, ended: AnswerEnded) -> None:
        """An answer is over."""
        self._rates.pop(ended.conversation_id, None)
        self._show_speed()

    def _show_speed(self) -> None:
        self._speed_part.setVisible(bool(self._rates))
        self._speed.setText(formatting.speed(sum(self._rates.values())))

    def _show_model_menu(self) -> None:
        menu = make_menu(self)
        if self._has_models:
            menu.addAction(
                self._theme.icon("x"), "Unload, and free its memory", self.unload_wanted.emit
            )
        else:
            words = "A model is loaded when you ask it something"
            menu.addAction(words).setEnabled(False)
        corner = self._model.mapToGlobal(self._model.rect().topLeft())
        corner.setY(corner.y() - menu.sizeHint().height() - 4)
        menu.popup(corner)

    def _dress(self) -> None:
        theme = self._theme
        self.setFixedHeight(theme.px(28))
        self._speed_icon.setPixmap(theme.pixmap("gauge", 14))
        for button in (self._model, self._downloads):
            name = f"QPushButton#{button.objectName()}"
            button.setStyleSheet(
                f"{name} {{ background: transparent; border: 1px solid transparent;"
                f" padding: 0 {theme.px(2)}px; min-height: {theme.px(20)}px;"
                f" max-height: {theme.px(20)}px; font-size: {theme.px(12)}px; font-weight: 500;"
                f" color: {theme.hex('text-2')}; }}"
                f"{name}:hover {{ color: {theme.hex('text-1')}; }}"
                f'{name}[ring="true"] {{ border: 2px solid {theme.hex("focus")}; }}'
            )
