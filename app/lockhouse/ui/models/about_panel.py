"""What is known of a model's file: licence, source, hash, copies, verification, revisions."""

from __future__ import annotations

import datetime as dt

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication, QGridLayout, QWidget

from lockhouse.library.model_info import ModelInfo, Revision
from lockhouse.library.models import Models
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import Act, icon_button, label, small_button
from lockhouse.ui.layouts import TOP, add, column, holding, replace, row
from lockhouse.ui.models import model_text
from lockhouse.ui.models.controller import CheckProgress, ModelsController
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill, ThinBar

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
        ("Quantization", _quantization(model), "", ""),
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
    moment = formatting.moment_of(model.verified_at)
    if moment is None:
        return "Not yet on this machine" if model.sha256 else "Not yet"
    return f"{formatting.day(moment, now)}, unchanged"


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


def _quantization(model: ModelInfo) -> str:
    parts = [f"{model.quality}, {model.quantization}" if model.quantization else model.quality]
    if model.bits_per_weight:
        parts.append(f"{model.bits_per_weight:.1f} bits per weight")
    mixed = model.tensor_words if len(model.tensor_types) > 1 else ""
    return ", ".join(parts) + (f"; {mixed}" if mixed else "")


class AboutPanel(QWidget):
    """Facts about the file, its copies, and buttons to verify it and to see more."""

    copied = Signal(str)
    header_wanted = Signal(str)  # "template", "metadata" or "tensors"
    folder_wanted = Signal()

    def __init__(self, theme: Theme, models: ModelsController) -> None:
        super().__init__()
        self._theme = theme
        self._models = models
        self._shown: ModelInfo | None = None
        px = theme.px
        self._facts = QWidget()
        self._places = label("", role="caption", ink="3", wrap=True, name="model_places")
        self._bar = ThinBar(theme, "Verification", ink="text-2")
        self._percent = label("", role="caption", ink="2", name="check_progress")
        cancel = icon_button(
            theme, "x", "Stop verification", self._cancel, name="check_cancel", size=14
        )
        self._progress = holding(row(theme, (self._bar, 1), self._percent, cancel, gap=8))
        self._progress.hide()
        show = self.header_wanted.emit
        actions: tuple[tuple[str, str, str, Act], ...] = (
            ("Verify file", "verify", "fingerprint", self._verify),
            ("Open folder", "open", "folder", self.folder_wanted),
            ("Chat template", "template", "message-square", lambda: show("template")),
            ("GGUF header", "header", "list", lambda: show("metadata")),
        )
        buttons = [
            small_button(theme, words, act, name=f"model_{name}", icon=icon)
            for words, name, icon, act in actions
        ]
        self._check = buttons[0]
        grid = QGridLayout()
        grid.setSpacing(px(6))
        for number, button in enumerate(buttons):
            grid.addWidget(button, number // 2, number % 2)
        self._column = column(
            theme,
            label("About this file", role="strong"),
            self._facts,
            self._places,
            self._progress,
            grid,
            gap=8,
            on=self,
        )

    def show_model(self, model: ModelInfo) -> None:
        """Show the facts of a model."""
        if model == self._shown:
            return
        self._shown = model
        self._facts = replace(self._column, self._facts, self._make_facts(model))
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

    def _verify(self) -> None:
        if self._shown is not None:
            self._models.verify(self._shown.name)

    def _cancel(self) -> None:
        if self._shown is not None:
            self._models.cancel_check(self._shown.name)

    def _make_facts(self, model: ModelInfo) -> QWidget:
        px = self._theme.px
        whole = QWidget()
        grid = QGridLayout(whole)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(0)
        grid.setColumnMinimumWidth(0, px(80))
        grid.setColumnStretch(1, 1)
        for at, (key, shown, exact, role) in enumerate(facts_of(model)):
            name = label(key, ink="3", wrap=True)
            name.setContentsMargins(0, px(2), 0, 0)
            grid.addWidget(name, at, 0, TOP)
            value = label(shown, role=role or "body", wrap=True, selectable=True)
            value.setAccessibleName(f"{key}: {exact or shown}")
            value.setToolTip(exact)
            value.setContentsMargins(0, px(2), 0, px(2))
            grid.addWidget(value, at, 1, TOP)
            if key == "SHA-256":
                grid.addWidget(self._make_copy_button(exact), at, 2, TOP)
            grid.setRowMinimumHeight(at, px(24))
        return whole

    def _make_copy_button(self, digest: str) -> QWidget:
        def copy() -> None:
            QApplication.clipboard().setText(digest)
            self.copied.emit("Copied the SHA-256")

        button = icon_button(self._theme, "copy", "Copy SHA-256", copy, name="copy_hash", size=14)
        side = self._theme.px(20)  # no taller than its line
        button.setStyleSheet(f"QToolButton {{ min-height: {side}px; max-height: {side}px; }}")
        return button


class RevisionPanel(QWidget):
    """One row per revision. Hidden while there is only one and no newer one is known."""

    newer_wanted = Signal()

    def __init__(self, theme: Theme, models: ModelsController) -> None:
        super().__init__()
        self._theme = theme
        self._models = models
        self._newer = label("", wrap=True, name="newer_revision")
        view = small_button(
            theme, "View", self.newer_wanted, name="newer_view", spoken="View the newer revision"
        )
        self._newer_row = holding(row(theme, (self._newer, 1), view, gap=6))
        self._rows = QWidget()
        self._column = column(
            theme, label("Revisions", role="strong"), self._newer_row, self._rows, gap=8, on=self
        )
        self.hide()

    def show_revisions(self, model: str, revisions: tuple[Revision, ...], newer: str) -> None:
        """Show the revisions of a model here, and the newer one on the hub when one is known."""
        self.setVisible(len(revisions) > 1 or bool(newer))
        self._newer_row.setVisible(bool(newer))
        self._newer.setText(f"A newer revision is on the hub: {newer[:8]}")
        self._rows = replace(self._column, self._rows, self._make_rows(model, revisions))

    def _make_rows(self, model: str, revisions: tuple[Revision, ...]) -> QWidget:
        lines = column(self._theme, gap=4)
        current = next((one for one in revisions if one.current), None)
        now = formatting.local_now()
        for one in revisions if len(revisions) > 1 else ():
            name = one.revision[:8] or formatting.short_hash(one.sha256)
            added = formatting.moment_of(one.added_at)
            day = label(formatting.day(added, now) if added else "", ink="3")
            line = row(self._theme, label(name, role="code-small"), (day, 1), gap=6)
            if one is current:
                line.addWidget(Pill(self._theme, "In use", icon="check", tone="accent"))
            elif current is not None:
                add(self._theme, line, *self._make_buttons(model, one.revision, current.revision))
            lines.addLayout(line)
        return holding(lines)

    def _make_buttons(self, model: str, revision: str, current: str) -> tuple[QWidget, QWidget]:
        short = revision[:8]
        compare = small_button(
            self._theme,
            "Compare",
            lambda: self._models.compare_revisions(model, current, revision),
            name=f"compare_{short}",
            kind="quiet",
            spoken=f"Compare {short} with the revision in use",
        )
        use = small_button(
            self._theme,
            "Use",
            lambda: self._models.change_model(model, Models.use_revision, revision),
            name=f"use_{short}",
            spoken=f"Use {short}",
        )
        return compare, use
