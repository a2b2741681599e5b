"""The queue of downloads as the window sees it, and in words. Read often while one moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.ui import formatting
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.models import model_text
from lockhouse.ui.timers import Poll

if TYPE_CHECKING:
    from lockhouse.library.transfers import Transfer, Transfers

MOVING = frozenset({"waiting", "downloading", "checking"})
_OFTEN_MS = 400
_SELDOM_MS = 4000
_QUEUE = "downloads"


class TransferController(QObject):
    """Reads and changes the queue on threads."""

    listed = Signal(object)  # tuple[Transfer, ...]
    finished = Signal(object)  # Transfer that ended well since the last look
    limit_changed = Signal(int)  # bytes per second, 0 for no limit
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, transfers: Callable[[], Transfers], jobs: Jobs, parent: QObject | None = None
    ) -> None:
        """``transfers`` is called on a thread: what it needs is not loaded with the window."""
        super().__init__(parent)
        self._transfers = transfers
        self._jobs = jobs
        self._done: frozenset[str] | None = None
        self.transfers: tuple[Transfer, ...] = ()
        self.limit_bytes_per_s = 0
        self._poll = Poll(
            jobs,
            lambda: tuple(self._transfers().list()),
            self._tell,
            every_ms=_SELDOM_MS,
            parent=self,
        )

    def start(self, *, working: bool) -> None:
        """Begin to look, and to download when ``working``: the window can reach a host."""

        def begin() -> int:
            if working:
                self._transfers().start()
            return self._transfers().speed_limit_bytes_per_s

        self._jobs.run_in_order(begin, self._tell_limit, self.failed.emit, queue_name=_QUEUE)
        self._poll.start()

    def change(self, work: Callable[[Transfers], object]) -> None:
        """Do this with the queue, then look at it again."""

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self._poll.look()

        self._jobs.run_in_order(
            lambda: work(self._transfers()), lambda _: self._poll.look(), fail, queue_name=_QUEUE
        )

    def clear_done(self) -> None:
        """Remove the finished ones from the list."""
        done = [one.id for one in self.transfers if one.state == "done"]

        def work(queue: Transfers) -> None:
            for transfer_id in done:
                queue.cancel(transfer_id)

        self.change(work)

    def set_limit(self, bytes_per_s: int) -> None:
        """Limit the speed of all downloads together; 0 for no limit."""

        def work() -> int:
            self._transfers().speed_limit_bytes_per_s = bytes_per_s
            return self._transfers().speed_limit_bytes_per_s

        self._jobs.run_in_order(work, self._tell_limit, self.failed.emit, queue_name=_QUEUE)

    def _tell_limit(self, bytes_per_s: int) -> None:
        self.limit_bytes_per_s = bytes_per_s
        self.limit_changed.emit(bytes_per_s)

    def _tell(self, transfers: tuple[Transfer, ...]) -> None:
        done = frozenset(one.id for one in transfers if one.state == "done")
        if self._done is not None:
            for one in transfers:
                if one.id in done - self._done:
                    self.finished.emit(one)
        self._done = done
        if transfers != self.transfers:
            self.transfers = transfers
            self.listed.emit(transfers)
        moving = any(one.state in MOVING for one in transfers)
        self._poll.set_interval(_OFTEN_MS if moving else _SELDOM_MS)


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


def state_text(transfer: Transfer) -> str:
    """Its state, where there is no speed and no time left."""
    if transfer.state == "done":
        moment = formatting.moment_of(transfer.finished_at)
        day = formatting.day(moment, formatting.local_now()) if moment else ""
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
