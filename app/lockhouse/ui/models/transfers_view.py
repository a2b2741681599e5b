"""The tab Downloads, and the strip of active downloads at the foot of Discover."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button, scrolling
from lockhouse.ui.models import model_text
from lockhouse.ui.models.empty_state import EmptyState
from lockhouse.ui.models.transfer_controller import MOVING, TransferController
from lockhouse.ui.models.transfer_row import TransferRow
from lockhouse.ui.theme import Theme

_LIMITS = (1_000_000, 5_000_000, 20_000_000, 50_000_000)
_STRIP_ROWS = 3


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
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Show these, in this order."""
        queued = sum(1 for one in transfers if one.state != "done")
        for gone in set(self._rows) - {one.id for one in transfers}:
            row = self._rows.pop(gone)
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        for place, one in enumerate(transfers):
            row = self._rows.get(one.id) or self._make_row(one)
            row.show_transfer(one, queued=queued)
            if self._column.indexOf(row) != place:
                self._column.insertWidget(place, row)
                row.show()

    def _make_row(self, one: Transfer) -> TransferRow:
        row = TransferRow(self._transfers, self._theme, one, movable=self._movable)
        row.cancel_wanted.connect(self.cancel_wanted)
        row.show_wanted.connect(self.show_wanted)
        self._rows[one.id] = row
        return row


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

    def __init__(
        self, transfers: TransferController, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_open = False
        self._shown: tuple[Transfer, ...] = ()
        self.setObjectName("transfers_view")
        self.rows = TransferRows(transfers, theme, movable=True)
        self.done_rows = TransferRows(transfers, theme, movable=True)
        self._limit = LimitButton(transfers, theme, "transfers_limit")
        self._sum = label("", ink="2", name="transfers_sum")
        self._done_head = label("Done", role="strong")
        self._clear = push_button(
            theme, "Clear list", name="transfers_clear", kind="quiet", compact=True
        )
        self._clear.clicked.connect(transfers.clear_done)
        self._lay_out()

    def _lay_out(self) -> None:
        theme, px = self._theme, self._theme.px
        head = QHBoxLayout()
        head.addWidget(self._sum, 1)
        head.addWidget(self._limit)
        done_head = QHBoxLayout()
        done_head.addWidget(self._done_head, 1)
        done_head.addWidget(self._clear)
        note = (
            "Downloads continue in the background and after a restart. Each file is verified "
            "against the publisher’s SHA-256 before it can be used."
        )
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(12), px(16), px(16))
        column.setSpacing(px(8))
        column.addLayout(head)
        column.addWidget(self.rows)
        column.addWidget(label(note, role="caption", ink="3", wrap=True))
        column.addSpacing(px(8))
        column.addLayout(done_head)
        column.addWidget(self.done_rows)
        column.addStretch(1)
        nothing = EmptyState(
            theme,
            "download",
            "No downloads",
            "Models that you download under Discover appear here.",
            (("discover", "Discover"),),
        )
        nothing.chosen.connect(lambda _: self.discover_wanted.emit())
        self._stack = QStackedWidget()
        self._stack.addWidget(nothing)
        self._stack.addWidget(scrolling(inside, "transfers_area"))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Show these downloads."""
        self._shown = transfers
        going = unfinished(transfers)
        done = tuple(one for one in transfers if one.state == "done")
        self._stack.setCurrentIndex(1 if transfers else 0)
        self.rows.show_transfers(going)
        self.done_rows.show_transfers(done)
        self._done_head.setVisible(bool(done))
        self._clear.setVisible(bool(done))
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

    def __init__(
        self, transfers: TransferController, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("transfer_strip")
        self.setAccessibleName("Downloads")
        self.setProperty("tone", "bg-1")
        self.rows = TransferRows(transfers, theme, movable=False)
        self._collapse = icon_button(theme, "chevron-down", "Hide downloads", name="strip_fold")
        self._collapse.clicked.connect(self._toggle)
        self._more = push_button(
            theme, "", name="strip_more", kind="link", compact=True, spoken="All downloads"
        )
        self._more.clicked.connect(self.all_wanted)
        self._sealed = label("", ink="3", name="strip_sealed")
        head = QHBoxLayout()
        head.setSpacing(px(8))
        head.addWidget(label("Downloads", role="strong"))
        head.addWidget(self._sealed)
        head.addWidget(self._more)
        head.addStretch(1)
        head.addWidget(LimitButton(transfers, theme, "strip_limit"))
        head.addWidget(self._collapse)
        inside = QVBoxLayout()
        inside.setContentsMargins(px(16), px(4), px(16), px(8))
        inside.setSpacing(0)
        inside.addLayout(head)
        inside.addWidget(self.rows)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(hairline())
        column.addLayout(inside)
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
