"""Downloads as the window sees them: looked at often while one moves, seldom else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.ui.jobs import Jobs

if TYPE_CHECKING:
    from lockhouse.gate.hub import HubFile, HubRepo
    from lockhouse.library.transfers import Transfer, Transfers

MOVING = frozenset({"waiting", "downloading", "checking"})
_OFTEN_MS = 400
_SELDOM_MS = 4000
_QUEUE = "downloads"


class TransferController(QObject):
    """The queue of downloads, and what can be done with each."""

    listed = Signal(object)  # tuple[Transfer, ...]
    finished = Signal(object)  # Transfer that was done since the last look
    limit_told = Signal(int)  # bytes a second, 0 for none
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, transfers: Callable[[], Transfers], jobs: Jobs, parent: QObject | None = None
    ) -> None:
        """``transfers`` is asked on a thread: what it needs is not loaded with the window."""
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
        """Look now; a look that is still going on is enough."""
        if not self._looking:
            self._looking = True
            self._jobs.run(lambda: tuple(self._transfers().list()), self._tell, self._not_read)

    # what can be done

    def add(self, repo: HubRepo, files: Sequence[HubFile], label: str) -> None:
        """Fetch these files."""
        self._do(lambda: self._transfers().add(repo, files, label=label))

    def pause(self, transfer_id: str) -> None:
        """Stop one for now."""
        self._do(lambda: self._transfers().pause(transfer_id))

    def resume(self, transfer_id: str) -> None:
        """Let one go on, paused or failed."""
        self._do(lambda: self._transfers().resume(transfer_id))

    def cancel(self, transfer_id: str) -> None:
        """Forget one, and what came of it."""
        self._do(lambda: self._transfers().cancel(transfer_id))

    def move(self, transfer_id: str, position: int) -> None:
        """Give one another place in the order."""
        self._do(lambda: self._transfers().move(transfer_id, position))

    def clear_done(self) -> None:
        """Take the finished ones off the list."""
        done = [one.id for one in self.transfers if one.state == "done"]

        def work() -> None:
            for transfer_id in done:
                self._transfers().cancel(transfer_id)

        self._do(work)

    def set_limit(self, bytes_per_s: int) -> None:
        """All together take no more; 0 lifts it."""

        def work() -> int:
            self._transfers().speed_limit_bytes_per_s = bytes_per_s
            return self._transfers().speed_limit_bytes_per_s

        self._jobs.run_in_order(work, self._tell_limit, self.failed.emit, queue_name=_QUEUE)

    # inside

    def _do(self, work: Callable[[], object]) -> None:
        self._jobs.run_in_order(work, lambda _: self.look(), self._refused, queue_name=_QUEUE)

    def _refused(self, error: LockhouseError) -> None:
        self.failed.emit(error)
        self.look()

    def _tell_limit(self, bytes_per_s: int) -> None:
        self.limit_bytes_per_s = bytes_per_s
        self.limit_told.emit(bytes_per_s)

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
