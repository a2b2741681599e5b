"""What is known of a model's file: licence, source, hash, copies; and its verification."""

from __future__ import annotations

import datetime as dt

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QApplication, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.models import model_text
from lockhouse.ui.models.controller import CheckProgress
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import ThinBar

Fact = tuple[str, str, str, str]  # key, what is shown, what is copied, role


def facts_of(model: ModelInfo) -> list[Fact]:
    """All facts that are known, the most interesting first."""
    now = formatting.local_now()
    source, speed = model.source, model.speed
    revision = source.revision if source else ""
    shown = [
        ("Licence", model_text.licence_name(model.license), "", ""),
        ("Source", (source.repo or source.url) if source else "", source.url if source else "", ""),
        ("Revision", revision[:12], revision, "code-small"),
        ("SHA-256", formatting.short_hash(model.sha256 or ""), model.sha256 or "", "code-small"),
        ("Verified", _verified(model, now), "", ""),
        ("Folder", _folder(model), str(model.path.parent), ""),
        ("File", _files(model), str(model.path), ""),
        ("Speed", _speed(model) if speed else "", "", ""),
        ("Parameters", model_text.parameter_count(model.parameters), "", ""),
        ("Precision", _precision(model), "", ""),
        ("Max context", _tokens(model.context_length), "", ""),
        ("Base model", model.base_model, "", ""),
        ("Architecture", model.architecture, "", ""),
        ("Projector", model.projector.name if model.projector else "", "", ""),
        ("Name", ", ".join((model.name, *model.aliases)), model.name, "code-small"),
    ]
    return [fact for fact in shown if fact[1]]


def _verified(model: ModelInfo, now: dt.datetime) -> str:
    if model.state == "changed":
        return "Changed since it was verified"
    moment = model_text.parse_time(model.verified_at)
    if moment is None:
        return "Not yet on this machine" if model.sha256 else "Not yet"
    return f"{model_text.day(moment, now)}, unchanged"


def _tokens(count: int) -> str:
    return f"{count:,} tokens" if count else ""


def _folder(model: ModelInfo) -> str:
    if model.included:
        return "Included with Lockhouse"
    return model_text.home_relative(model.path.parent)


def _files(model: ModelInfo) -> str:
    if len(model.files) > 1:
        return f"{model.path.name} and {len(model.files) - 1} more parts"
    return model.path.name


def _speed(model: ModelInfo) -> str:
    speed = model.speed
    if speed is None:
        return ""
    reading = f", prompt {formatting.speed(speed.prompt_tokens_per_s)}"
    return formatting.speed(speed.tokens_per_s) + (reading if speed.prompt_tokens_per_s else "")


def _precision(model: ModelInfo) -> str:
    parts = [f"{model.quality}, {model.quantization}" if model.quantization else model.quality]
    if model.bits_per_weight:
        parts.append(f"{model.bits_per_weight:.1f} bits per weight")
    mixed = model.tensor_words if len(model.tensor_types) > 1 else ""
    return ", ".join(parts) + (f"; {mixed}" if mixed else "")


class AboutPanel(QWidget):
    """Facts about the file, its copies, and buttons to verify it and to see more."""

    copied = Signal(str)
    verify_wanted = Signal()
    cancel_wanted = Signal()
    header_wanted = Signal(str)  # "template", "metadata" or "tensors"
    folder_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: ModelInfo | None = None
        px = theme.px
        self._facts = QWidget()
        self._places = label("", role="caption", ink="3", wrap=True, name="model_places")
        self._check = push_button(
            theme, "Verify file", name="model_verify", icon="fingerprint", compact=True
        )
        self._check.clicked.connect(self.verify_wanted)
        folder = push_button(theme, "Open folder", name="model_open", icon="folder", compact=True)
        folder.clicked.connect(self.folder_wanted)
        template = push_button(
            theme, "Chat template", name="model_template", icon="message-square", compact=True
        )
        template.clicked.connect(lambda: self.header_wanted.emit("template"))
        header = push_button(theme, "GGUF header", name="model_header", icon="list", compact=True)
        header.clicked.connect(lambda: self.header_wanted.emit("metadata"))
        self._progress = self._make_progress()
        grid = QGridLayout()
        grid.setSpacing(px(6))
        for number, button in enumerate((self._check, folder, template, header)):
            grid.addWidget(button, number // 2, number % 2)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(px(8))
        self._column.addWidget(label("About this file", role="strong"))
        self._column.addWidget(self._facts)
        self._column.addWidget(self._places)
        self._column.addWidget(self._progress)
        self._column.addLayout(grid)

    def _make_progress(self) -> QWidget:
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(self._theme.px(8))
        self._bar = ThinBar(self._theme, "Verification", ink="text-2")
        self._percent = label("", role="caption", ink="2", name="check_progress")
        cancel = icon_button(self._theme, "x", "Stop verification", name="check_cancel", size=14)
        cancel.clicked.connect(self.cancel_wanted)
        row.addWidget(self._bar, 1)
        row.addWidget(self._percent)
        row.addWidget(cancel)
        whole.hide()
        return whole

    def show_model(self, model: ModelInfo) -> None:
        """Show the facts of a model."""
        if model == self._shown:
            return
        self._shown = model
        facts = self._make_facts(model)
        self._column.replaceWidget(self._facts, facts)
        self._facts.hide()
        self._facts.deleteLater()
        self._facts = facts
        lines = [
            f"{model_text.owner_name(place.owner)}: {model_text.home_relative(place.path)}"
            for place in model.places[1:]
        ]
        self._places.setText("Identical copies:\n" + "\n".join(lines) if lines else "")
        self._places.setVisible(bool(lines))
        self._check.setEnabled(model.state != "missing")

    def show_check(self, check: CheckProgress | None) -> None:
        """Progress of the verification; None when there is none."""
        going = check is not None and not check.outcome
        self._progress.setVisible(going)
        self._check.setEnabled(not going)
        if check is not None and going:
            self._bar.set_fraction(check.share)
            self._percent.setText(f"Verifying, {formatting.percent(check.share)}")

    def _make_facts(self, model: ModelInfo) -> QWidget:
        px = self._theme.px
        whole = QWidget()
        grid = QGridLayout(whole)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(0)
        grid.setColumnMinimumWidth(0, px(80))
        grid.setColumnStretch(1, 1)
        top = Qt.AlignmentFlag.AlignTop
        for row, (key, shown, exact, role) in enumerate(facts_of(model)):
            name = label(key, ink="3")
            name.setContentsMargins(0, px(2), 0, 0)
            grid.addWidget(name, row, 0, top)
            value = label(shown, role=role or "body", wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(f"{key}: {exact or shown}")
            value.setToolTip(exact)
            value.setContentsMargins(0, px(2), 0, px(2))
            grid.addWidget(value, row, 1, top)
            if key == "SHA-256":
                grid.addWidget(self._make_copy_button(exact), row, 2, top)
            grid.setRowMinimumHeight(row, px(24))
        return whole

    def _make_copy_button(self, digest: str) -> QWidget:
        button = icon_button(self._theme, "copy", "Copy SHA-256", name="copy_hash", size=14)
        side = self._theme.px(20)  # no taller than its line
        button.setStyleSheet(f"QToolButton {{ min-height: {side}px; max-height: {side}px; }}")

        def copy() -> None:
            QApplication.clipboard().setText(digest)
            self.copied.emit("Copied the SHA-256")

        button.clicked.connect(copy)
        return button
