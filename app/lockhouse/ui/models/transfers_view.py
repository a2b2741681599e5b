"""The tab Transfers, and the strip of downloads at the foot of Discover."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button
from lockhouse.ui.models import words
from lockhouse.ui.models.empty import EmptyState
from lockhouse.ui.models.transfer_controller import MOVING
from lockhouse.ui.models.transfer_rows import TransferRow
from lockhouse.ui.theme import Theme

_LIMITS = ((0, "none"), (1_000_000, "1 MB/s"), (5_000_000, "5 MB/s"), (20_000_000, "20 MB/s"),
           (50_000_000, "50 MB/s"))  # fmt: skip
_STRIP_ROWS = 3


def under_way(transfers: tuple[Transfer, ...]) -> tuple[Transfer, ...]:
    """Those that are not done, in their order."""
    waiting = (one for one in transfers if one.state != "done")
    return tuple(sorted(waiting, key=lambda one: one.position))


def sealed_words(going: tuple[Transfer, ...]) -> str:
    """What becomes of those under way while nothing can move; one that is paused stays so."""
    waiting = sum(1 for one in going if one.state in MOVING)
    if not waiting:
        return ""
    who = "They go on" if waiting == len(going) else "Those that wait go on"
    return f"{who} when there is a door."


class _Rows(QWidget):
    """Rows that stay as long as their transfer is listed."""

    pause_wanted = Signal(str)
    resume_wanted = Signal(str)
    cancel_wanted = Signal(str)
    move_wanted = Signal(str, int)
    open_wanted = Signal(str)

    def __init__(self, theme: Theme, *, movable: bool) -> None:
        super().__init__()
        self._theme = theme
        self._movable = movable
        self._rows: dict[str, TransferRow] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """These, in this order."""
        queued = sum(1 for one in transfers if one.state != "done")
        for gone in set(self._rows) - {one.id for one in transfers}:
            row = self._rows.pop(gone)
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        for place, one in enumerate(transfers):
            row = self._rows.get(one.id) or self._make(one)
            row.show_transfer(one, queued=queued)
            if self._column.indexOf(row) != place:
                self._column.insertWidget(place, row)
                row.show()

    def _make(self, one: Transfer) -> TransferRow:
        row = self._rows[one.id] = TransferRow(self._theme, one, movable=self._movable)
        row.pause_wanted.connect(self.pause_wanted)
        row.resume_wanted.connect(self.resume_wanted)
        row.cancel_wanted.connect(self.cancel_wanted)
        row.move_wanted.connect(self.move_wanted)
        row.open_wanted.connect(self.open_wanted)
        return row


class LimitButton(ChoiceButton):
    """The speed limit of all downloads together."""

    limit_chosen = Signal(int)

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        options = [(str(limit), f"Limit: {shown}") for limit, shown in _LIMITS]
        super().__init__(theme, "Speed limit", options, parent, chip=True, height=28)
        self.setObjectName(name)
        self.picked.connect(lambda key: self.limit_chosen.emit(int(key)))

    def show_limit(self, bytes_per_s: int) -> None:
        """What is in force, chosen here or by a command."""
        self.set_key(str(bytes_per_s), f"Limit: {words.rate(bytes_per_s)}")


class TransfersView(QWidget):
    """All of them: under way in their order, then what is done."""

    limit_chosen = Signal(int)
    clear_wanted = Signal()
    discover_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_open = False
        self._shown: tuple[Transfer, ...] = ()
        self.setObjectName("transfers_view")
        self.rows = _Rows(theme, movable=True)
        self.done_rows = _Rows(theme, movable=True)
        self.limit = LimitButton(theme, "transfers_limit")
        self.limit.limit_chosen.connect(self.limit_chosen)
        self._sum = label("", ink="2", name="transfers_sum")
        self._done_head = label("Done", role="strong")
        self._clear = push_button(
            theme, "Clear the list", name="transfers_clear", kind="quiet", compact=True
        )
        self._clear.clicked.connect(self.clear_wanted)
        self._note = label(
            "Downloads go on in the background and survive a restart. Each file is checked"
            " against the publisher’s SHA-256 before it can be used.",
            role="caption",
            ink="3",
            wrap=True,
        )
        self._lay_out()

    def _lay_out(self) -> None:
        theme, px = self._theme, self._theme.px
        head = QHBoxLayout()
        head.addWidget(self._sum, 1)
        head.addWidget(self.limit)
        done_head = QHBoxLayout()
        done_head.addWidget(self._done_head, 1)
        done_head.addWidget(self._clear)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(12), px(16), px(16))
        column.setSpacing(px(8))
        column.addLayout(head)
        column.addWidget(self.rows)
        column.addWidget(self._note)
        column.addSpacing(px(8))
        column.addLayout(done_head)
        column.addWidget(self.done_rows)
        column.addStretch(1)
        self._nothing = EmptyState(
            theme,
            "download",
            "Nothing is being downloaded",
            "What you get under Discover shows here: how far it is, how fast, and what to do when "
            "something goes wrong.",
            (("discover", "Discover"),),
        )
        self._nothing.chosen.connect(lambda _: self.discover_wanted.emit())
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(scrolling(inside, "transfers_area"))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """All that are listed."""
        going = under_way(transfers)
        done = tuple(one for one in transfers if one.state == "done")
        self._stack.setCurrentIndex(1 if transfers else 0)
        self.rows.show_transfers(going)
        self.done_rows.show_transfers(done)
        self._done_head.setVisible(bool(done))
        self._clear.setVisible(bool(done))
        left = sum(one.size_bytes - one.done_bytes for one in going)
        speed = sum(one.speed_bytes_per_s for one in going if one.state == "downloading")
        parts = [formatting.counted(len(going), "download") if going else "Nothing under way"]
        if left:
            parts.append(f"{formatting.size(left)} to go")
        if speed:
            parts.append(words.rate(speed))
        sealed = "" if self._is_open else sealed_words(going)
        self._sum.setText(", ".join(parts) + (f". {sealed}" if sealed else ""))
        self._shown = transfers

    def show_open(self, *, is_open: bool) -> None:
        """Whether anything can move at all."""
        self._is_open = is_open
        self.show_transfers(self._shown)


class TransferStrip(QFrame):
    """The downloads under way at the foot of Discover; can be folded away."""

    limit_chosen = Signal(int)
    all_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self.setObjectName("transfer_strip")
        self.setAccessibleName("Transfers")
        self.setProperty("tone", "bg-1")
        self.rows = _Rows(theme, movable=False)
        self.limit = LimitButton(theme, "strip_limit")
        self.limit.limit_chosen.connect(self.limit_chosen)
        self._fold = icon_button(theme, "chevron-down", "Fold the transfers", name="strip_fold")
        self._fold.clicked.connect(self._toggle)
        self._more = push_button(theme, "", name="strip_more", kind="link", compact=True,
                                 spoken="All transfers")  # fmt: skip
        self._more.clicked.connect(self.all_wanted)
        head = QHBoxLayout()
        head.setSpacing(px(8))
        head.addWidget(label("Transfers", role="strong"))
        self._sealed = label("", ink="3", name="strip_sealed")
        head.addWidget(self._sealed)
        head.addWidget(self._more)
        head.addStretch(1)
        head.addWidget(self.limit)
        head.addWidget(self._fold)
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
        """Those under way; nothing is shown when there is none."""
        going = under_way(transfers)
        self._sealed.setText(sealed_words(going))
        self.setVisible(bool(going))
        self.rows.show_transfers(going[:_STRIP_ROWS])
        more = len(going) - _STRIP_ROWS
        self._more.setText(f"{more} more" if more > 0 else "")
        self._more.setVisible(more > 0)

    def show_open(self, *, is_open: bool) -> None:
        """Whether anything can move at all."""
        self._sealed.setVisible(not is_open)

    def _toggle(self) -> None:
        opened = not self.rows.isVisibleTo(self)
        self.rows.setVisible(opened)
        icon = "chevron-down" if opened else "chevron-up"
        self._fold.set_icon(icon, "Fold the transfers" if opened else "Show the transfers")
