"""The tab Downloads, and the strip of active downloads at the foot of Discover."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import (
    EmptyState,
    IconLabel,
    hairline,
    icon_button,
    label,
    scrolling,
    small_button,
)
from lockhouse.ui.layouts import RIGHT, STRETCH, column, discard, holding, row, stack
from lockhouse.ui.models import model_text
from lockhouse.ui.models.transfer_controller import (
    MOVING,
    TransferController,
    amount_text,
    share_of,
    state_text,
)
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import ThinBar

_LIMITS = (1_000_000, 5_000_000, 20_000_000, 50_000_000)
_STRIP_ROWS = 3
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


def unfinished(transfers: tuple[Transfer, ...]) -> tuple[Transfer, ...]:
    """Those that are not done, in their order."""
    waiting = (one for one in transfers if one.state != "done")
    return tuple(sorted(waiting, key=lambda one: one.position))


def sealed_text(going: tuple[Transfer, ...]) -> str:
    """What happens to them while there is no network; a paused one stays paused."""
    waiting = sum(1 for one in going if one.state in MOVING)
    if not waiting:
        return ""
    which = "They" if waiting == len(going) else "Those waiting"
    return f"{which} continue when online."


class TransferRow(QFrame):
    """A row of 36 px; a problem adds a line below."""

    cancel_wanted = Signal(str)
    show_wanted = Signal(str)  # a finished one, among the models

    def __init__(
        self, transfers: TransferController, theme: Theme, transfer: Transfer, *, movable: bool
    ) -> None:
        """``movable``: with buttons that change the order, and a line for problems."""
        super().__init__()
        self._transfers = transfers
        self._theme = theme
        self._movable = movable
        self._full_title = ""
        self._shown: Transfer | None = None
        self.transfer = transfer
        px = theme.px
        self.setObjectName(f"transfer_{transfer.id}")
        self._icon = IconLabel(theme, _STYLES[transfer.state][0])
        self._icon.setFixedWidth(px(16))
        self._title = label("", role="medium")
        self._label = label("", ink="3")
        self._name = holding(row(theme, self._title, self._label, STRETCH, gap=6))
        self._name.setFixedWidth(px(240))
        self._bar = ThinBar(theme, "Download")
        self._amount = self._make_figure(128)
        self._speed = self._make_figure(96)
        self._left = self._make_figure(120)
        line = holding(
            row(
                theme,
                self._icon,
                self._name,
                (self._bar, 1),
                self._amount,
                self._speed,
                self._left,
                self._make_buttons(),
                gap=12,
            )
        )
        line.setFixedHeight(px(36))
        self._problem = label("", wrap=True, name="transfer_problem")
        self._problem.setContentsMargins(px(28), 0, 0, px(8))
        self._problem.hide()
        column(theme, line, self._problem, on=self)
        theme.changed.connect(self._fit_title)
        self.show_transfer(transfer)

    def _make_figure(self, width: int) -> QLabel:
        made = label("", ink="2")
        made.setFont(self._theme.font("body", tabular=True))
        made.setFixedWidth(self._theme.px(width))
        made.setAlignment(RIGHT)
        return made

    def _make_buttons(self) -> QHBoxLayout:
        theme, key = self._theme, self.transfer.id
        self._up = icon_button(
            theme, "arrow-up", "Move up", lambda: self._move(-1), name=f"up_{key}"
        )
        self._down = icon_button(
            theme, "arrow-down", "Move down", lambda: self._move(1), name=f"down_{key}"
        )
        self._go = icon_button(theme, "pause", "Pause", self._pause_or_resume, name=f"go_{key}")
        policy = self._go.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._go.setSizePolicy(policy)
        self._show = small_button(
            theme, "Show", lambda: self.show_wanted.emit(key), name=f"show_{key}"
        )
        self._cancel = icon_button(
            theme, "x", "Cancel", lambda: self.cancel_wanted.emit(key), name=f"cancel_{key}"
        )
        return row(theme, self._up, self._down, self._go, self._show, self._cancel, gap=4)

    def show_transfer(self, transfer: Transfer, *, queued: int = 0) -> None:
        """Show how it stands; ``queued`` is how many are not done in all."""
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
        self._icon.show_icon(icon, 16, ink)
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
        self._left.setText(left or state_text(transfer))
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


class TransferRows(QWidget):
    """One row per transfer; a row stays as long as its transfer is listed."""

    cancel_wanted = Signal(str)
    show_wanted = Signal(str)

    def __init__(self, transfers: TransferController, theme: Theme, *, movable: bool) -> None:
        super().__init__()
        self._transfers = transfers
        self._theme = theme
        self._movable = movable
        self._rows: dict[str, TransferRow] = {}
        self._column = column(theme, on=self)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Show these, in this order."""
        queued = sum(1 for one in transfers if one.state != "done")
        for gone in set(self._rows) - {one.id for one in transfers}:
            self._column.removeWidget(self._rows[gone])
            discard(self._rows.pop(gone))
        for place, one in enumerate(transfers):
            line = self._rows.get(one.id) or self._make_row(one)
            line.show_transfer(one, queued=queued)
            if self._column.indexOf(line) != place:
                self._column.insertWidget(place, line)
                line.show()

    def _make_row(self, one: Transfer) -> TransferRow:
        made = TransferRow(self._transfers, self._theme, one, movable=self._movable)
        made.cancel_wanted.connect(self.cancel_wanted)
        made.show_wanted.connect(self.show_wanted)
        self._rows[one.id] = made
        return made


class LimitButton(ChoiceButton):
    """The speed limit of all downloads together."""

    def __init__(self, transfers: TransferController, theme: Theme, name: str) -> None:
        options = [("0", "No speed limit")]
        options += [(str(limit), f"Limit: {model_text.rate(limit)}") for limit in _LIMITS]
        super().__init__(theme, "Speed limit", options, chip=True, height=28)
        self.setObjectName(name)
        self.picked.connect(lambda key: transfers.set_limit(int(key)))
        transfers.limit_changed.connect(self._show_limit)
        self._show_limit(transfers.limit_bytes_per_s)

    def _show_limit(self, bytes_per_s: int) -> None:
        self.set_key(str(bytes_per_s), f"Limit: {model_text.rate(bytes_per_s)}")


class TransfersView(QWidget):
    """All downloads: active ones in their order, then finished ones."""

    discover_wanted = Signal()

    def __init__(self, transfers: TransferController, theme: Theme) -> None:
        super().__init__()
        self._is_open = False
        self._shown: tuple[Transfer, ...] = ()
        self.setObjectName("transfers_view")
        self.rows = TransferRows(transfers, theme, movable=True)
        self.done_rows = TransferRows(transfers, theme, movable=True)
        self._sum = label("", ink="2", name="transfers_sum")
        clear = small_button(
            theme, "Clear list", transfers.clear_done, name="transfers_clear", kind="quiet"
        )
        self._done = holding(
            column(
                theme,
                row(theme, (label("Done", role="strong"), 1), clear, gap=8),
                self.done_rows,
                gap=8,
            )
        )
        note = (
            "Downloads continue in the background and after a restart. Each file is verified "
            "against the publisher’s SHA-256 before it can be used."
        )
        limit = LimitButton(transfers, theme, "transfers_limit")
        inside = column(
            theme,
            row(theme, (self._sum, 1), limit, gap=8),
            self.rows,
            label(note, role="caption", ink="3", wrap=True),
            8,
            self._done,
            STRETCH,
            gap=8,
            margins=(16, 12, 16, 16),
        )
        nothing = EmptyState(
            theme,
            "download",
            "No downloads",
            "Models that you download under Discover appear here.",
            (("discover", "Discover", self.discover_wanted),),
        )
        self._stack = stack(nothing, scrolling(holding(inside), "transfers_area"))
        column(theme, self._stack, on=self)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Show these downloads."""
        self._shown = transfers
        going = unfinished(transfers)
        done = tuple(one for one in transfers if one.state == "done")
        self._stack.setCurrentIndex(1 if transfers else 0)
        self.rows.show_transfers(going)
        self.done_rows.show_transfers(done)
        self._done.setVisible(bool(done))
        left = sum(one.size_bytes - one.done_bytes for one in going)
        speed = sum(one.speed_bytes_per_s for one in going if one.state == "downloading")
        parts = [formatting.counted(len(going), "download") if going else "No active downloads"]
        if left:
            parts.append(f"{formatting.size(left)} left")
        if speed:
            parts.append(model_text.rate(speed))
        sealed = "" if self._is_open else sealed_text(going)
        self._sum.setText(", ".join(parts) + (f". {sealed}" if sealed else ""))

    def show_open(self, *, is_open: bool) -> None:
        """Whether there is network access."""
        self._is_open = is_open
        self.show_transfers(self._shown)


class TransferStrip(QFrame):
    """The active downloads at the foot of Discover; it can be collapsed."""

    all_wanted = Signal()

    def __init__(self, transfers: TransferController, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("transfer_strip")
        self.setAccessibleName("Downloads")
        self.setProperty("tone", "bg-1")
        self.rows = TransferRows(transfers, theme, movable=False)
        self._collapse = icon_button(
            theme, "chevron-down", "Hide downloads", self._toggle, name="strip_fold"
        )
        self._more = small_button(
            theme, "", self.all_wanted, name="strip_more", kind="link", spoken="All downloads"
        )
        self._sealed = label("", ink="3", name="strip_sealed")
        head = row(
            theme,
            label("Downloads", role="strong"),
            self._sealed,
            self._more,
            STRETCH,
            LimitButton(transfers, theme, "strip_limit"),
            self._collapse,
            gap=8,
        )
        inside = column(theme, head, self.rows, margins=(16, 4, 16, 8))
        column(theme, hairline(), inside, on=self)
        self.hide()

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Show the unfinished ones; hidden when there is none."""
        going = unfinished(transfers)
        self._sealed.setText(sealed_text(going))
        self.setVisible(bool(going))
        self.rows.show_transfers(going[:_STRIP_ROWS])
        more = len(going) - _STRIP_ROWS
        self._more.setText(f"{more} more" if more > 0 else "")
        self._more.setVisible(more > 0)

    def show_open(self, *, is_open: bool) -> None:
        """Whether there is network access."""
        self._sealed.setVisible(not is_open)

    def _toggle(self) -> None:
        shown = not self.rows.isVisibleTo(self)
        self.rows.setVisible(shown)
        icon = "chevron-down" if shown else "chevron-up"
        self._collapse.set_icon(icon, "Hide downloads" if shown else "Show downloads")
