"""One download as a row, and how downloads are put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.models import model_text
from lockhouse.ui.models.transfer_controller import MOVING, TransferController
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import ThinBar

if TYPE_CHECKING:
    from lockhouse.library.transfers import Transfer

_STYLES: Final[dict[str, tuple[str, str, str]]] = {
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
    """The part of its current phase that is done."""
    if transfer.state == "done":
        return 1.0
    done = transfer.checked_bytes if transfer.state == "checking" else transfer.done_bytes
    return done / transfer.size_bytes if transfer.size_bytes else 0.0


def amount_text(transfer: Transfer) -> str:
    """How far its current phase is."""
    if transfer.state == "checking":
        return f"Verifying, {formatting.percent(share_of(transfer))}"
    if transfer.state == "done":
        return formatting.size(transfer.size_bytes)
    return model_text.progress_text(transfer.done_bytes, transfer.size_bytes)


def _state_text(transfer: Transfer) -> str:
    """Its state, where there is no speed and no time left."""
    if transfer.state == "done":
        moment = model_text.parse_time(transfer.finished_at)
        day = model_text.day(moment, formatting.local_now()) if moment else ""
        return f"Done {day.lower() if day in ('Today', 'Yesterday') else day}".strip()
    return "" if transfer.state in ("downloading", "checking") else transfer.state.capitalize()


def downloads_summary(transfers: tuple[Transfer, ...]) -> str:
    """All downloads for the status bar: speed and share, or why none moves."""
    active = [one for one in transfers if one.state in ("downloading", "checking")]
    waiting = [one for one in transfers if one.state == "waiting"]
    stopped = [one for one in transfers if one.state in ("paused", "failed")]
    shown = active or waiting or stopped
    if not shown:
        return ""
    size_bytes = sum(one.size_bytes for one in shown)
    done_bytes = sum(one.done_bytes for one in shown)
    share = formatting.percent(done_bytes / size_bytes if size_bytes else 0.0)
    if active:
        speed = sum(one.speed_bytes_per_s for one in active if one.state == "downloading")
        return f"{model_text.rate(speed) if speed else 'Verifying'}, {share}"
    failed = any(one.state == "failed" for one in shown)
    state = "waiting" if waiting else "failed" if failed else "paused"
    return f"{formatting.counted(len(shown), 'download')} {state}, {share}"


class TransferRow(QFrame):
    """A row of 36 px; a problem adds a line below."""

    cancel_wanted = Signal(str)
    show_wanted = Signal(str)  # a finished one, among the models

    def __init__(
        self,
        transfers: TransferController,
        theme: Theme,
        transfer: Transfer,
        *,
        movable: bool,
        parent: QWidget | None = None,
    ) -> None:
        """``movable``: with buttons that change the order, and a line for problems."""
        super().__init__(parent)
        self._transfers = transfers
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
        self._label = label("", ink="3")
        self._name = QWidget()
        self._name.setFixedWidth(px(240))
        name = QHBoxLayout(self._name)
        name.setContentsMargins(0, 0, 0, 0)
        name.setSpacing(px(6))
        name.addWidget(self._title)
        name.addWidget(self._label)
        name.addStretch(1)
        self._bar = ThinBar(theme, "Download")
        self._amount = self._make_figure(128)
        self._speed = self._make_figure(96)
        self._left = self._make_figure(120)
        row_box = QWidget()
        row_box.setFixedHeight(px(36))
        row = QHBoxLayout(row_box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(12))
        row.addWidget(self._icon)
        row.addWidget(self._name)
        row.addWidget(self._bar, 1)
        for figure in (self._amount, self._speed, self._left):
            row.addWidget(figure)
        row.addLayout(self._make_buttons())
        self._problem = label("", wrap=True, name="transfer_problem")
        self._problem.setContentsMargins(px(28), 0, 0, px(8))
        self._problem.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(row_box)
        column.addWidget(self._problem)
        theme.changed.connect(self._redraw)
        self.show_transfer(transfer)

    def _make_figure(self, width: int) -> QLabel:
        made = label("", ink="2")
        made.setFont(self._theme.font("body", tabular=True))
        made.setFixedWidth(self._theme.px(width))
        made.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return made

    def _make_buttons(self) -> QHBoxLayout:
        theme, key = self._theme, self.transfer.id
        self._go = icon_button(theme, "pause", "Pause", name=f"go_{key}")
        self._go.clicked.connect(self._pause_or_resume)
        self._show = push_button(theme, "Show", name=f"show_{key}", compact=True)
        self._show.clicked.connect(lambda: self.show_wanted.emit(key))
        self._cancel = icon_button(theme, "x", "Cancel", name=f"cancel_{key}")
        self._cancel.clicked.connect(lambda: self.cancel_wanted.emit(key))
        self._up = icon_button(theme, "arrow-up", "Move up", name=f"up_{key}")
        self._up.clicked.connect(lambda: self._move(-1))
        self._down = icon_button(theme, "arrow-down", "Move down", name=f"down_{key}")
        self._down.clicked.connect(lambda: self._move(1))
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(4))
        for button in (self._up, self._down, self._go, self._show, self._cancel):
            policy = button.sizePolicy()
            policy.setRetainSizeWhenHidden(button is self._go)
            button.setSizePolicy(policy)
            buttons.addWidget(button)
        return buttons

    def show_transfer(self, transfer: Transfer, *, queued: int = 0) -> None:
        """Show how it stands; ``queued`` is how many are not done in all."""
        self._queued = queued
        if transfer != self._shown:
            self._shown = self.transfer = transfer
            self._show_state(transfer)
        position = transfer.position
        shown = self._movable and queued > 1 and transfer.state != "done"
        self._up.setVisible(shown)
        self._down.setVisible(shown)
        self._up.setEnabled(position > 0)
        self._down.setEnabled(position < queued - 1)

    def _show_state(self, transfer: Transfer) -> None:
        icon, ink, bar = _STYLES[transfer.state]
        self._icon.setPixmap(self._theme.pixmap(icon, 16, ink))
        title = self._full_title = model_text.plain_title(transfer.repo, transfer.title)
        self._title.setToolTip(transfer.repo)
        self._label.setText(transfer.label)
        self._fit_title()
        self._bar.set_ink(bar)
        self._bar.set_fraction(share_of(transfer))
        self._amount.setText(amount_text(transfer))
        active = transfer.state in ("downloading", "checking")
        moves = active and transfer.speed_bytes_per_s
        speed = model_text.rate(transfer.speed_bytes_per_s) if moves else ""
        self._speed.setText(speed)
        left = model_text.time_left(transfer.left_s) if transfer.left_s and active else ""
        self._left.setText(left or _state_text(transfer))
        problem = f"{transfer.problem} {transfer.hint}".strip()
        self._left.setToolTip(problem)
        self._problem.setText(problem)
        self._problem.setProperty("ink", "danger" if transfer.state == "failed" else "2")
        repolish(self._problem)
        self._problem.setVisible(bool(problem) and self._movable)
        self._show_buttons(transfer, title)
        spoken = (title, transfer.label, amount_text(transfer), speed, self._left.text(), problem)
        self.setAccessibleName(", ".join(part for part in spoken if part))

    def _show_buttons(self, transfer: Transfer, title: str) -> None:
        icon, verb = {"paused": ("play", "Resume"), "failed": ("rotate-ccw", "Try again")}.get(
            transfer.state, ("pause", "Pause")
        )
        self._go.set_icon(icon, f"{verb}: {title}")
        self._go.setVisible(transfer.state not in ("checking", "done"))
        self._show.setVisible(transfer.state == "done" and self._movable)
        self._show.setAccessibleName(f"Show {title}")
        verb = "Remove from list" if transfer.state == "done" else "Cancel"
        self._cancel.set_icon("x", f"{verb}: {title}")

    def _pause_or_resume(self) -> None:
        key, moving = self.transfer.id, self.transfer.state in MOVING
        self._transfers.change(lambda queue: queue.pause(key) if moving else queue.resume(key))

    def _move(self, step: int) -> None:
        key, position = self.transfer.id, self.transfer.position + step
        self._transfers.change(lambda queue: queue.move(key, position))

    def resizeEvent(self, _event: object) -> None:
        drawn = self.width() / self._theme.scale - (72 if self._movable else 0)
        self._speed.setVisible(drawn >= _NARROW)
        self._name.setFixedWidth(self._theme.px(240 if drawn >= _NARROW else 208))
        self._fit_title()

    def _fit_title(self) -> None:
        code = self._label.fontMetrics().horizontalAdvance(self._label.text())
        room = max(self._name.width() - code - self._theme.px(10), 40)
        mode = Qt.TextElideMode.ElideRight
        self._title.setText(self._title.fontMetrics().elidedText(self._full_title, mode, room))

    def _redraw(self) -> None:
        self._shown = None
        self.show_transfer(self.transfer, queued=self._queued)
