"""The panel that tells everything about one model."""

from __future__ import annotations

from pathlib import Path

import psutil
from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lockhouse.library.model_info import OWN, ModelInfo
from lockhouse.ui import wording
from lockhouse.ui.models.controller import MemoryNeed
from lockhouse.ui.models.table import fit_words, folder_words
from lockhouse.ui.parts import hairline, icon_button, label, push_button
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import MemoryBar, MemoryPart, Pill


class Dot(QWidget):
    """The colour of a part of the memory bar, beside its word."""

    def __init__(self, theme: Theme, token: str) -> None:
        super().__init__()
        side = theme.px(8)
        self.setFixedSize(side, side)
        self.setAutoFillBackground(True)
        palette = self.palette()
        palette.setColor(self.backgroundRole(), theme.color(token))
        self.setPalette(palette)


class ModelDetails(QFrame):
    """What the file is, what it needs, and what can be done with it."""

    closed = Signal()
    chat_wanted = Signal(str)  # name of the model
    unload_wanted = Signal(str)
    verify_wanted = Signal(str)
    forget_wanted = Signal(str)
    copied = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model: ModelInfo | None = None
        self._need: MemoryNeed | None = None
        self._loaded_bytes = 0
        self.setObjectName("model_details")
        self.setAccessibleName("Model details")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(theme.px(280))
        px = theme.px
        bar = QWidget()
        bar.setFixedHeight(px(47))
        head = QHBoxLayout(bar)
        head.setContentsMargins(px(16), 0, px(8), 0)
        self._title = label("", role="page-title", name="model_title")
        head.addWidget(self._title, 1)
        close = icon_button(theme, "x", "Close the panel", name="close_model_details")
        close.clicked.connect(self.closed)
        head.addWidget(close)
        self._area = QScrollArea()
        self._area.setObjectName("model_details_area")
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(hairline())
        column.addWidget(self._area, 1)
        theme.changed.connect(self._rebuild)

    def show_model(self, model: ModelInfo | None, loaded_bytes: int) -> None:
        """Another model; ``loaded_bytes`` is what it takes now, 0 when it is not loaded."""
        if (model, loaded_bytes) == (self._model, self._loaded_bytes):
            return
        if model is None or self._model is None or model.name != self._model.name:
            self._need = None
        self._model, self._loaded_bytes = model, loaded_bytes
        self._rebuild()

    def show_need(self, need: MemoryNeed) -> None:
        """How much memory it takes."""
        if self._model is not None and need.name == self._model.name and need != self._need:
            self._need = need
            self._rebuild()

    def _rebuild(self) -> None:
        model = self._model
        if model is None:
            return
        px = self._theme.px
        self._title.setText(model.title or model.name)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(16), px(16), px(16))
        column.setSpacing(px(8))
        column.addLayout(self._pills(model))
        if model.problem:
            column.addWidget(label(model.problem, ink="warning", wrap=True))
        column.addLayout(self._buttons(model))
        column.addSpacing(px(4))
        column.addWidget(hairline())
        if self._need is not None:
            self._add_memory(column, self._need)
            column.addWidget(hairline())
        column.addWidget(label("About this file", role="strong"))
        column.addLayout(self._facts(model))
        column.addLayout(self._file_buttons(model))
        column.addStretch(1)
        self._area.setWidget(inside)

    def _pills(self, model: ModelInfo) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(self._theme.px(6))
        for capability in model.capabilities:
            row.addWidget(Pill(self._theme, capability.capitalize()))
        row.addStretch(1)
        words, icon, tone = fit_words(model)
        row.addWidget(Pill(self._theme, words, icon=icon, tone=tone))
        return row

    def _buttons(self, model: ModelInfo) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(self._theme.px(8))
        chat = push_button(
            self._theme, "New chat", name="model_chat", kind="primary", icon="message-square"
        )
        chat.setEnabled("chat" in model.capabilities and model.state in ("ready", "changed"))
        chat.clicked.connect(lambda: self.chat_wanted.emit(model.name))
        row.addWidget(chat, 1)
        if self._loaded_bytes:
            unload = push_button(self._theme, "Unload", name="model_unload")
            unload.clicked.connect(lambda: self.unload_wanted.emit(model.name))
            row.addWidget(unload, 1)
        return row

    def _add_memory(self, column: QVBoxLayout, need: MemoryNeed) -> None:
        theme = self._theme
        memory = psutil.virtual_memory()
        others = max(0, memory.total - memory.available - self._loaded_bytes)
        head = QHBoxLayout()
        head.addWidget(label("Memory", role="strong"))
        head.addStretch(1)
        total = f"{wording.gigabytes(need.total_bytes)} GB needed"
        head.addWidget(label(total, role="caption", ink="2"))
        column.addLayout(head)
        parts = (
            MemoryPart("Weights", "mem-weights", need.weights_bytes),
            MemoryPart(f"Cache, {need.context_length:,} tokens", "mem-cache", need.cache_bytes),
            MemoryPart("Compute", "mem-compute", need.compute_bytes),
            MemoryPart("Everything else that runs", "mem-other", others),
        )
        bar = MemoryBar(theme)
        bar.setObjectName("model_memory")
        bar.set_parts(parts, memory.total)
        column.addWidget(bar)
        free = memory.total - sum(part.size_bytes for part in parts)
        legend = QGridLayout()
        legend.setHorizontalSpacing(theme.px(8))
        legend.setVerticalSpacing(theme.px(4))
        legend.setColumnStretch(1, 1)
        lines = [*parts, MemoryPart("Free", "track", max(0, free))]
        for row, part in enumerate(lines):
            legend.addWidget(Dot(theme, part.token), row, 0, Qt.AlignmentFlag.AlignVCenter)
            legend.addWidget(label(part.name), row, 1)
            figure = label(wording.size(part.size_bytes), ink="2")
            legend.addWidget(figure, row, 2, Qt.AlignmentFlag.AlignRight)
        column.addLayout(legend)

    def _facts(self, model: ModelInfo) -> QGridLayout:
        px = self._theme.px
        facts = [
            ("Name", model.name, False),
            ("Family", model.architecture, False),
            ("Size", wording.size(model.size_bytes), False),
            ("Parameters", _parameters(model.parameters), False),
            ("Precision", f"{model.quality}, {model.quantization}", False),
            ("Context", f"{model.context_length:,} tokens" if model.context_length else "", False),
            ("Licence", model.license, False),
            ("Source", (model.source.repo or model.source.url) if model.source else "", False),
            ("Hash", wording.short_hash(model.sha256 or ""), True),
            ("Folder", _folder(model), False),
            ("File", model.path.name, False),
        ]
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(8))
        grid.setVerticalSpacing(px(2))
        grid.setColumnMinimumWidth(0, px(80))
        grid.setColumnStretch(1, 1)
        row = 0
        for key, value, is_code in facts:
            if not value:
                continue
            grid.addWidget(label(key, ink="3"), row, 0, Qt.AlignmentFlag.AlignTop)
            shown = label(value, role="code-small" if is_code else "body", wrap=True)
            shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            shown.setAccessibleName(f"{key}: {value}")
            grid.addWidget(shown, row, 1, Qt.AlignmentFlag.AlignTop)
            grid.setRowMinimumHeight(row, px(24))
            row += 1
        return grid

    def _file_buttons(self, model: ModelInfo) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(self._theme.px(6))
        rows: list[tuple[str, str, str]] = [("Open folder", "folder", "open")]
        if model.sha256:
            rows.append(("Copy the hash", "copy", "hash"))
        rows.append(("Check the file", "refresh-cw", "verify"))
        if not model.included and model.owner != OWN:
            rows.append(("Take out of the list", "x", "forget"))
        line: QHBoxLayout | None = None
        for number, (words, icon, key) in enumerate(rows):
            if number % 2 == 0:
                line = QHBoxLayout()
                line.setSpacing(self._theme.px(6))
                column.addLayout(line)
            button = push_button(self._theme, words, name=f"model_{key}", icon=icon, compact=True)
            button.clicked.connect(lambda _checked=False, chosen=key: self._do(chosen, model))
            if line is not None:
                line.addWidget(button, 1)
        return column

    def _do(self, key: str, model: ModelInfo) -> None:
        if key == "open":
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(model.path.parent)))
        elif key == "hash":
            QApplication.clipboard().setText(model.sha256 or "")
            self.copied.emit("Copied the hash")
        elif key == "verify":
            self.verify_wanted.emit(model.name)
        else:
            self.forget_wanted.emit(model.name)


def _folder(model: ModelInfo) -> str:
    if model.included:
        return "Comes with Lockhouse"
    return f"{folder_words(model)}: {_home_relative(model.path.parent)}"


def _parameters(count: int) -> str:
    if count <= 0:
        return ""
    if count < 1e9:
        return f"{count / 1e6:.0f} million"
    return f"{count / 1e9:.1f} billion"


def _home_relative(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
