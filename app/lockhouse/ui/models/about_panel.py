"""What a model's file is: licence, source, hash, places; and the check of its content."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QApplication, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.models import words
from lockhouse.ui.models.values import Checking
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import ThinBar

Fact = tuple[str, str, str, str]  # key, what is shown, what is copied, role


def facts_of(model: ModelInfo) -> list[Fact]:
    """Everything that is known of the file, in the order of interest; empty values are left out."""
    now = formatting.local_now()
    checked = words.moment_of(model.verified_at)
    source, speed = model.source, model.speed
    revision = source.revision if source else ""
    shown = [
        ("Licence", words.licence_words(model.license), "", ""),
        ("Source", (source.repo or source.url) if source else "", source.url if source else "", ""),
        ("Revision", revision[:12], revision, "code-small"),
        ("Hash", formatting.short_hash(model.sha256 or ""), model.sha256 or "", "code-small"),
        ("Checked", _checked(model, words.day(checked, now) if checked else ""), "", ""),
        ("Folder", _folder(model), str(model.path.parent), ""),
        ("File", _files(model), str(model.path), ""),
        ("Speed here", _speed(model) if speed else "", "", ""),
        ("Parameters", words.parameter_words(model.parameters), "", ""),
        ("Precision", _precision(model), "", ""),
        ("Trained for", f"{model.context_length:,} tokens" if model.context_length else "", "", ""),
        ("Base model", model.base_model, "", ""),
        ("Architecture", model.architecture, "", ""),
        ("Projector", model.projector.name if model.projector else "", "", ""),
        ("Name", ", ".join((model.name, *model.aliases)), model.name, "code-small"),
    ]
    return [fact for fact in shown if fact[1]]


def _checked(model: ModelInfo, day: str) -> str:
    if model.state == "changed":
        return "Changed since it was checked"
    if not day:
        return "Not yet" if not model.sha256 else "Not yet here"
    return f"{day}, unchanged"


def _folder(model: ModelInfo) -> str:
    if model.included:
        return "Comes with Lockhouse"
    return words.home_relative(model.path.parent)


def _files(model: ModelInfo) -> str:
    if len(model.files) > 1:
        return f"{model.path.name} and {len(model.files) - 1} more parts"
    return model.path.name


def _speed(model: ModelInfo) -> str:
    speed = model.speed
    if speed is None:
        return ""
    reading = f", reading {formatting.speed(speed.prompt_tokens_per_s)}"
    return formatting.speed(speed.tokens_per_s) + (reading if speed.prompt_tokens_per_s else "")


def _precision(model: ModelInfo) -> str:
    parts = [f"{model.quality}, {model.quantization}" if model.quantization else model.quality]
    if model.bits_per_weight:
        parts.append(f"{model.bits_per_weight:.1f} bits a weight")
    mixed = model.tensor_words if len(model.tensor_types) > 1 else ""
    return ", ".join(parts) + (f"; {mixed}" if mixed else "")


class AboutPanel(QWidget):
    """Facts with a way to copy them, places, the check with its progress, ways to more."""

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
            theme, "Check the file", name="model_verify", icon="fingerprint", compact=True
        )
        self._check.clicked.connect(self.verify_wanted)
        folder = push_button(theme, "Open folder", name="model_open", icon="folder", compact=True)
        folder.clicked.connect(self.folder_wanted)
        template = push_button(
            theme, "Chat template", name="model_template", icon="message-square", compact=True
        )
        template.clicked.connect(lambda: self.header_wanted.emit("template"))
        header = push_button(theme, "Whole header", name="model_header", icon="list", compact=True)
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
        self._bar = ThinBar(self._theme, "Check", ink="text-2")
        self._progress_words = label("", role="caption", ink="2", name="check_words")
        cancel = icon_button(self._theme, "x", "Stop the check", name="check_cancel", size=14)
        cancel.clicked.connect(self.cancel_wanted)
        row.addWidget(self._bar, 1)
        row.addWidget(self._progress_words)
        row.addWidget(cancel)
        whole.hide()
        return whole

    def show_model(self, model: ModelInfo) -> None:
        """Another model, or what became known of it."""
        if model == self._shown:
            return
        self._shown = model
        fresh = self._make_facts(model)
        self._column.replaceWidget(self._facts, fresh)
        self._facts.hide()
        self._facts.deleteLater()
        self._facts = fresh
        others = model.places[1:]
        lines = [
            f"{words.owner_words(place.owner)}: {words.home_relative(place.path)}"
            for place in others
        ]
        self._places.setText("The same bytes lie here too:\n" + "\n".join(lines) if lines else "")
        self._places.setVisible(bool(lines))
        self._check.setEnabled(model.state != "missing")

    def show_check(self, check: Checking | None) -> None:
        """How far a check is; None when there is none."""
        going = check is not None and not check.outcome
        self._progress.setVisible(going)
        self._check.setEnabled(not going)
        if check is not None and going:
            self._bar.set_fraction(check.share)
            self._progress_words.setText(f"Checking, {formatting.percent(check.share)}")

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
        for row, (key, words_shown, exact, role) in enumerate(facts_of(model)):
            name = label(key, ink="3")
            name.setContentsMargins(0, px(2), 0, 0)
            grid.addWidget(name, row, 0, top)
            value = label(words_shown, role=role or "body", wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(f"{key}: {exact or words_shown}")
            value.setToolTip(exact)
            value.setContentsMargins(0, px(2), 0, px(2))
            grid.addWidget(value, row, 1, top)
            if key == "Hash" and exact:
                grid.addWidget(self._copy_button(key, exact), row, 2, top)
            grid.setRowMinimumHeight(row, px(24))
        return whole

    def _copy_button(self, key: str, exact: str) -> QWidget:
        button = icon_button(
            self._theme, "copy", f"Copy the {key.lower()}", name=f"copy_{key.lower()}", size=14
        )
        side = self._theme.px(20)  # no taller than its line
        button.setStyleSheet(f"QToolButton {{ min-height: {side}px; max-height: {side}px; }}")

        def copy() -> None:
            QApplication.clipboard().setText(exact)
            self.copied.emit(f"Copied the {key.lower()}")

        button.clicked.connect(copy)
        return button
