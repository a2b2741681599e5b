"""One download as a row: what it is, how far it has come, what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.models import words
from lockhouse.ui.models.transfer_controller import MOVING
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import ThinBar

if TYPE_CHECKING:
    from lockhouse.library.transfers import Transfer

_LOOK: Final[dict[str, tuple[str, str, str]]] = {
    # state: icon, its ink, ink of the bar
    "waiting": ("clock", "text-3", "text-3"),
    "downloading": ("download", "text-2", "accent"),
    "checking": ("fingerprint", "text-2", "text-2"),
    "paused": ("pause", "text-2", "text-3"),
    "failed": ("triangle-alert", "danger", "danger"),
    "done": ("circle-check", "success", "success"),
}
_NARROW = 800


def share_of(transfer: Transfer) -> float:
    """How far the phase it is in has come."""
    if transfer.state == "done":
        return 1.0
    of = transfer.checked_bytes if transfer.state == "checking" else transfer.done_bytes
    return of / transfer.size_bytes if transfer.size_bytes else 0.0


def amount_words(transfer: Transfer) -> str:
    """How far it is, in the terms of its phase."""
    if transfer.state == "checking":
        return f"Checking, {formatting.percent(share_of(transfer))}"
    if transfer.state == "done":
        return formatting.size(transfer.size_bytes)
    return words.progress_words(transfer.done_bytes, transfer.size_bytes)


def state_words(transfer: Transfer) -> str:
    """What is going on with it, where there is no speed and no time to tell."""
    if transfer.state == "done":
        moment = words.moment_of(transfer.finished_at)
        return f"Done, {words.day(moment, formatting.local_now())}" if moment else "Done"
    return {"waiting": "Waiting", "paused": "Paused", "failed": "Stopped"}.get(transfer.state, "")


class TransferRow(QFrame):
    """36 px; a problem adds a line with what to do."""

    pause_wanted = Signal(str)
    resume_wanted = Signal(str)
    cancel_wanted = Signal(str)
    move_wanted = Signal(str, int)
    open_wanted = Signal(str)  # a finished one: show it among the models

    def __init__(
        self, theme: Theme, transfer: Transfer, *, movable: bool, parent: QWidget | None = None
    ) -> None:
        """``movable``: with buttons that change the order, and a line for problems."""
        super().__init__(parent)
        self._theme = theme
        self._movable = movable
        self._full_title = ""
        self._queued = 0
        self._shown: Transfer | None = None
        self.transfer = transfer
        px = theme.px
        self.setObjectName(f"transfer_{transfer.id}")
        self._icon = label("")
        self._icon.setFixedWidth(px(16))
        self._title = label("", role="medium")
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._code = label("", ink="3")
        self._name = QWidget()
        self._name.setFixedWidth(px(240))
        name = QHBoxLayout(self._name)
        name.setContentsMargins(0, 0, 0, 0)
        name.setSpacing(px(6))
        name.addWidget(self._title)
        name.addWidget(self._code)
        name.addStretch(1)
        self._bar = ThinBar(theme, "Download")
        self._amount = self._figure(128)
        self._speed = self._figure(96)
        self._left = self._figure(120)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(12))
        row.addWidget(self._icon)
        row.addWidget(self._name)
        row.addWidget(self._bar, 1)
        for figure in (self._amount, self._speed, self._left):
            row.addWidget(figure)
        row.addLayout(self._make_buttons())
        self._problem = label("", wrap=True)
        self._problem.setObjectName("transfer_problem")
        self._problem.setContentsMargins(px(28), 0, 0, px(8))
        self._problem.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row_box = QWidget()
        row_box.setLayout(row)
        row_box.setFixedHeight(px(36))
        column.addWidget(row_box)
        column.addWidget(self._problem)
        theme.changed.connect(self._again)
        self.show_transfer(transfer)

    def _figure(self, width: int) -> QLabel:
        made = label("", ink="2")
        made.setFont(self._theme.font("body", tabular=True))
        made.setFixedWidth(self._theme.px(width))
        made.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return made

    def _make_buttons(self) -> QHBoxLayout:
        theme, key = self._theme, self.transfer.id
        self._go = icon_button(theme, "pause", "Pause", name=f"go_{key}")
        self._go.clicked.connect(self._pause_or_resume)
        self._open = push_button(theme, "Show", name=f"open_{key}", compact=True)
        self._open.clicked.connect(lambda: self.open_wanted.emit(key))
        self._cancel = icon_button(theme, "x", "Cancel", name=f"cancel_{key}")
        self._cancel.clicked.connect(lambda: self.cancel_wanted.emit(key))
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(4))
        self._up = icon_button(theme, "arrow-up", "Earlier", name=f"up_{key}")
        self._down = icon_button(theme, "arrow-down", "Later", name=f"down_{key}")
        self._up.clicked.connect(lambda: self.move_wanted.emit(key, self.transfer.position - 1))
        self._down.clicked.connect(lambda: self.move_wanted.emit(key, self.transfer.position + 1))
        for button in (self._up, self._down, self._go, self._open, self._cancel):
            policy = button.sizePolicy()
            policy.setRetainSizeWhenHidden(button is self._go)
            button.setSizePolicy(policy)
            buttons.addWidget(button)
        return buttons

    def show_transfer(self, transfer: Transfer, *, queued: int = 0) -> None:
        """How it stands; ``queued`` is how many are under way in all."""
        self._queued = queued
        if transfer == self._shown:
            self._show_moves(queued)
            return
        self._shown = self.transfer = transfer
        icon, ink, bar = _LOOK[transfer.state]
        self._icon.setPixmap(self._theme.pixmap(icon, 16, ink))
        title = words.plain_title(transfer.repo, transfer.title)
        self._full_title = title
        self._title.setToolTip(transfer.repo)
        self._code.setText(transfer.label)
        self._fit_title()
        self._bar.set_ink(bar)
        self._bar.set_fraction(share_of(transfer))
        self._amount.setText(amount_words(transfer))
        speed = words.rate(transfer.speed_bytes_per_s) if transfer.speed_bytes_per_s else ""
        going = transfer.state in ("downloading", "checking")
        self._speed.setText(speed if going else "")
        left = words.time_left(transfer.left_s) if transfer.left_s and going else ""
        self._left.setText(left or state_words(transfer))
        problem = f"{transfer.problem} {transfer.hint}".strip()
        self._problem.setText(problem if self._movable else "")
        self._problem.setProperty("ink", "danger" if transfer.state == "failed" else "2")
        repolish(self._problem)
        self._problem.setVisible(bool(problem) and self._movable)
        self._left.setToolTip(problem)
        self._show_buttons(transfer, title)
        self._show_moves(queued)
        spoken = (title, transfer.label, amount_words(transfer), speed, self._left.text(), problem)
        self.setAccessibleName(", ".join(part for part in spoken if part))

    def _show_buttons(self, transfer: Transfer, title: str) -> None:
        if transfer.state in ("paused", "failed"):
            verb = "Resume" if transfer.state == "paused" else "Try again"
            self._go.set_icon("play" if verb == "Resume" else "rotate-ccw", f"{verb}: {title}")
        else:
            self._go.set_icon("pause", f"Pause: {title}")
        self._go.setVisible(transfer.state not in ("checking", "done"))
        self._open.setVisible(transfer.state == "done" and self._movable)
        self._open.setAccessibleName(f"Show {title}")
        verb = "Take off the list" if transfer.state == "done" else "Cancel"
        self._cancel.set_icon("x", f"{verb}: {title}")

    def _show_moves(self, queued: int) -> None:
        place = self.transfer.position
        shown = self._movable and queued > 1 and self.transfer.state != "done"
        self._up.setVisible(shown)
        self._down.setVisible(shown)
        self._up.setEnabled(place > 0)
        self._down.setEnabled(place < queued - 1)

    def _pause_or_resume(self) -> None:
        if self.transfer.state in MOVING:
            self.pause_wanted.emit(self.transfer.id)
        else:
            self.resume_wanted.emit(self.transfer.id)

    def resizeEvent(self, _event: object) -> None:
        drawn = self.width() / self._theme.scale
        buttons = 72 if self._movable else 0
        self._speed.setVisible(drawn - buttons >= _NARROW)
        self._name.setFixedWidth(self._theme.px(240 if drawn - buttons >= _NARROW else 208))
        self._fit_title()

    def _fit_title(self) -> None:
        metrics = self._title.fontMetrics()
        code = self._code.fontMetrics().horizontalAdvance(self._code.text())
        room = self._name.width() - code - self._theme.px(10)
        self._title.setText(
            metrics.elidedText(self._full_title, Qt.TextElideMode.ElideRight, max(room, 40))
        )

    def _again(self) -> None:
        shown, self._shown = self.transfer, None
        self.show_transfer(shown, queued=self._queued)


def downloads_words(transfers: tuple[Transfer, ...]) -> str:
    """All downloads in a few words for the status bar: speed and share, or why none moves."""
    going = [one for one in transfers if one.state in ("downloading", "checking")]
    stopped = [one for one in transfers if one.state in ("paused", "failed")]
    waiting = [one for one in transfers if one.state == "waiting"]
    shown = going or waiting or stopped
    if not shown:
        return ""
    whole = sum(one.size_bytes for one in shown)
    share = formatting.percent(sum(one.done_bytes for one in shown) / whole if whole else 0.0)
    if going:
        speed = sum(one.speed_bytes_per_s for one in going if one.state == "downloading")
        return f"{words.rate(speed)}, {share}" if speed else f"Checking, {share}"
    what = "waiting" if waiting else "paused"
    if not waiting and any(one.state == "failed" for one in stopped):
        what = "stopped"
    return f"{formatting.counted(len(shown), 'download')} {what}, {share}"
