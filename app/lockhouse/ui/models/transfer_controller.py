"""The queue of downloads as the window sees it: read often while one moves, else seldom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.ui.jobs import Jobs

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
        self._looking = False
        self._done: frozenset[str] | None = None
        self.transfers: tuple[Transfer, ...] = ()
        self.limit_bytes_per_s = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)

    def start(self, *, working: bool) -> None:
        """Begin to look, and to download when ``working``: the window can reach a host."""

        def begin() -> int:
            if working:
                self._transfers().start()
            return self._transfers().speed_limit_bytes_per_s

        self._jobs.run_in_order(begin, self._tell_limit, self.failed.emit, queue_name=_QUEUE)
        self.look()
        self._timer.start(_SELDOM_MS)

    def look(self) -> None:
        """Look now, unless a look is under way."""
        if not self._looking:
            self._looking = True
            self._jobs.run(lambda: tuple(self._transfers().list()), self._tell, self._not_read)

    def change(self, work: Callable[[Transfers], object]) -> None:
        """Do this with the queue, then look at it again."""

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self.look()

        self._jobs.run_in_order(
            lambda: work(self._transfers()), lambda _: self.look(), fail, queue_name=_QUEUE
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
        self._looking = False
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
        self._timer.setInterval(_OFTEN_MS if moving else _SELDOM_MS)

    def _not_read(self, _error: LockhouseError) -> None:
        self._looking = False
