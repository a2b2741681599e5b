"""Downloads: a queue that survives restarts and kills.

The queue is in the database, so that every program of a home sees the same one; each transfer
is worked on by one thread of one process, and the others request a pause or an end in its row.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, StorageError, UsageMistake
from lockhouse.gate.client import CUT_OFF
from lockhouse.gate.hub import Hub, HubFile, HubRepo
from lockhouse.library.file_download import RetryPolicy
from lockhouse.library.models import Models
from lockhouse.library.transfer_rows import ACTIVE, Row, State, TransferRows
from lockhouse.library.transfer_worker import TransferWorker
from lockhouse.storage.database import Database

TransferState = State
_POLL_S: Final = 0.2
_IDLE_POLL_S: Final = 1.0  # another program may have put something into the queue
_WRITE_S: Final = 1.0  # how often the row is written during a download
_SPEED_WINDOW_S: Final = 3.0
_WAITS: Final = frozenset({"sealed", CUT_OFF, "moving"})  # tried again when that is over
_BUG: Final = LockhouseError("A bug in the program ended the download.", code="bug")


class Transfer(msgspec.Struct, frozen=True):
    """The download of one model. ``position`` is its place among those not done, from 0.

    ``checked_bytes`` counts what has been hashed, which is the progress while the state is
    "checking". ``left_s`` is 0 when it is not known.
    """

    id: str
    repo: str
    revision: str
    title: str
    label: str
    files: tuple[HubFile, ...]
    state: TransferState
    done_bytes: int = 0
    checked_bytes: int = 0
    size_bytes: int = 0
    speed_bytes_per_s: float = 0.0
    left_s: float = 0.0
    position: int = 0
    problem: str = ""
    hint: str = ""
    code: str = ""
    destination: Path | None = None
    added_at: str = ""
    finished_at: str = ""
    license: str = ""
    is_running: bool = False


_TransferList = list[Transfer]  # the class has a method named list
_RowList = list[Row]
_Reason = Literal["", "pause", "close", "cancel"]


@dataclass(slots=True)
class _Running:
    """A transfer that a thread of this process works on."""

    cancel: CancelToken = field(default_factory=CancelToken)
    reason: _Reason = ""
    thread: threading.Thread | None = None
    done_bytes: int = 0
    checked_bytes: int = 0
    checking: bool = False
    written_at: float = 0.0
    was_checking: bool = False
    marks: deque[tuple[float, int]] = field(default_factory=deque)

    def stop(self, reason: _Reason) -> None:
        """The first reason counts, unless the transfer is to be cancelled altogether."""
        if not self.reason or reason == "cancel":
            self.reason = reason
        self.cancel.cancel()

    def note(self, done: int, checked: int, *, checking: bool) -> None:
        """Keep the progress."""
        self.done_bytes, self.checked_bytes, self.checking = done, checked, checking
        now = time.monotonic()
        if checking:
            self.marks.clear()
            return
        if not self.marks or now - self.marks[-1][0] >= 0.1:
            self.marks.append((now, done))
        while self.marks and now - self.marks[0][0] > _SPEED_WINDOW_S:
            self.marks.popleft()

    @property
    def speed_bytes_per_s(self) -> float:
        """Over the last seconds."""
        if len(self.marks) < 2:
            return 0.0
        (then, before), (now, done) = self.marks[0], self.marks[-1]
        return max(0.0, (done - before) / max(0.001, now - then))


def _is_held_back(each: Row | Transfer) -> bool:
    """Whether it waits for the network or for a move of the folder, and not for its turn."""
    return each.state == "waiting" and each.code in _WAITS


class Transfers:
    """The downloads of one home, whichever process does the work. Usable from any thread."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        models: Models,
        *,
        simultaneous: int = 2,
        retry: RetryPolicy | None = None,
        reaches_hub: Callable[[], bool] | None = None,
    ) -> None:
        """``reaches_hub``: the network may be open for other hosts alone."""
        self.simultaneous = simultaneous
        self._hub = hub
        self._reaches_hub = reaches_hub or (lambda: hub.is_open)
        self._rows = TransferRows(database)
        self._worker = TransferWorker(self._rows, hub, models, retry or RetryPolicy())
        self._running: dict[str, _Running] = {}
        self._unwritten: dict[str, LockhouseError] = {}  # failures the database did not take
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closing = False
        self._pump: threading.Thread | None = None
        self._limit_sent = 0

    def add(self, repo: HubRepo, files: Sequence[HubFile], *, label: str = "") -> Transfer:
        """Put a model at the end of the queue; return the transfer that is there already."""
        if not files:
            raise UsageMistake("No file was chosen.")
        chosen = self._rows.add(repo, files, label or files[0].quantization)
        self._wake.set()
        return self.get(chosen)

    def list(self) -> _TransferList:
        """Those under way in their order, then the finished ones, newest first."""
        rows = self._rows.all()
        order = {row.id: place for place, row in enumerate(rows) if row.state != "done"}
        return [self._transfer(row, order.get(row.id, 0)) for row in rows]

    def get(self, id: str) -> Transfer:  # noqa: A002 - the field's own name
        """The transfer of that id, or whose id begins so."""
        return self._transfer(self._rows.get(id))

    # Requests

    def pause(self, id: str) -> Transfer:  # noqa: A002
        """Stop it for now; what was downloaded is kept."""
        row = self._rows.get(id)
        if self._rows.pause(row.id):
            self._stop_here(row.id, "pause")
        return self.get(row.id)

    def resume(self, id: str) -> Transfer:  # noqa: A002
        """Let it wait for its turn again, paused or failed."""
        row = self._rows.get(id)
        was_unwritten = self._unwritten.pop(row.id, None) is not None
        self._rows.resume(row.id, is_held=False if was_unwritten else None)
        self._wake.set()
        return self.get(row.id)

    def cancel(self, id: str) -> None:  # noqa: A002
        """Delete it with its parts; a finished one is only taken off the list."""
        row = self._rows.get(id)
        if self._rows.cancel(row.id):
            self._stop_here(row.id, "cancel")
        else:
            self._worker.delete_parts(row)

    def move(self, id: str, position: int) -> None:  # noqa: A002
        """Give it another place in the order."""
        self._rows.move(self._rows.get(id).id, position)
        self._wake.set()

    def _stop_here(self, id: str, reason: _Reason) -> None:  # noqa: A002
        with self._lock:
            running = self._running.get(id)
        if running is not None:
            running.stop(reason)

    @property
    def speed_limit_bytes_per_s(self) -> int:
        """The limit of all downloads together; 0 is no limit."""
        return self._rows.limit_bytes_per_s

    @speed_limit_bytes_per_s.setter
    def speed_limit_bytes_per_s(self, limit: int) -> None:
        self._rows.limit_bytes_per_s = limit
        self._wake.set()

    # Work

    def start(self) -> None:
        """Work on the queue in the background until :meth:`close`."""
        if self._pump is None:
            self._rows.join_workers()
            self._worker.delete_orphaned_parts()
            self._pump = threading.Thread(target=self._pump_all, name="transfers", daemon=True)
            self._pump.start()

    @property
    def is_worked_on_elsewhere(self) -> bool:
        """Whether another program works on the queue, usually an open window."""
        return self._rows.has_other_worker()

    def run(
        self,
        ids: Sequence[str],
        *,
        progress: Callable[[_TransferList], None] | None = None,
        cancel: CancelToken | None = None,
    ) -> _TransferList:
        """Work on these until each is done, paused, failed or held back; one may be cancelled.

        Cancelled, they are paused. What another program works on is only watched.
        """
        self._release_held_back(self._among(ids))
        while True:
            rows = self._among(ids)
            self._work_on(rows)
            transfers = [self._transfer(row) for row in rows]
            if progress is not None and transfers:
                progress(transfers)
            stopping = cancel is not None and cancel.cancelled
            if stopping or all(
                each.state in ("paused", "failed", "done") or _is_held_back(each)
                for each in transfers
            ):
                for row in rows if stopping else ():
                    if row.state not in ("failed", "done") and not self._is_elsewhere(row):
                        self.pause(row.id)
                self._join(ids)
                return [self._transfer(row) for row in self._among(ids)]
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def close(self) -> None:
        """Stop working; what was under way is resumed at the next start."""
        with self._lock:
            self._closing = True
            for running in self._running.values():
                running.stop("close")
        self._wake.set()
        self._join(None)
        if self._pump is not None:
            self._pump.join()
            self._rows.leave_workers()
            self._pump = None

    def _among(self, ids: Sequence[str]) -> _RowList:
        return [row for row in self._rows.all() if row.id in ids]

    def _is_elsewhere(self, row: Row) -> bool:
        with self._lock:
            return row.is_held and row.id not in self._running

    def _pump_all(self) -> None:
        while not self._closing:
            with suppress(LockhouseError):  # a busy database: another time
                if self._hub.is_open and self._reaches_hub():
                    self._release_held_back(self._rows.all())
                    self._work_on(self._rows.all())
            self._wake.wait(_POLL_S if self._running else _IDLE_POLL_S)
            self._wake.clear()

    def _release_held_back(self, rows: Sequence[Row]) -> None:
        """What was held back may be tried again."""
        for row in rows:
            if _is_held_back(row):
                self._rows.clear_problem(row.id)

    def _work_on(self, rows: Sequence[Row]) -> None:
        """Begin what waits, as much as may run at the same time."""
        for row in rows:
            if row.request == "cancel" and not row.is_held:  # its owner was killed before
                self.cancel(row.id)
                continue
            with self._lock:
                if self._closing or len(self._running) >= self.simultaneous:
                    break
                waits = row.state == "waiting" or (row.state in ACTIVE and not row.is_held)
                is_taken = row.id in self._running or row.id in self._unwritten
                if not waits or _is_held_back(row) or is_taken or not self._rows.claim(row.id):
                    continue
                running = _Running()
                self._running[row.id] = running
                running.thread = threading.Thread(
                    target=self._work, args=(row.id, running), name="transfer", daemon=True
                )
                running.thread.start()
        self._send_limit()

    def _send_limit(self) -> None:
        limit = self._rows.limit_bytes_per_s
        if self._running and limit != self._limit_sent:
            with suppress(LockhouseError):  # sealed meanwhile: the downloads themselves report it
                self._hub.limit_speed(limit)
                self._limit_sent = limit

    def _join(self, ids: Collection[str] | None) -> None:
        with self._lock:
            threads = [
                running.thread
                for id_, running in self._running.items()
                if running.thread is not None and (ids is None or id_ in ids)
            ]
        for thread in threads:
            thread.join()

    def _work(self, id: str, running: _Running) -> None:  # noqa: A002
        def report(done_bytes: int, checked_bytes: int, *, checking: bool) -> None:
            running.note(done_bytes, checked_bytes, checking=checking)
            self._exchange(id, running)

        error: LockhouseError = _BUG
        try:
            row = self._rows.get(id)
            try:
                self._worker.run(row, report, running.cancel)
                self._rows.release(id, "done", finished_at=datetime.now(UTC).isoformat())
            except Cancelled:
                self._stopped(row, running)
            except LockhouseError as failure:
                error = failure  # kept below if the database does not take it
                self._failed(row, running, failure)
        except StorageError as refusal:  # on a full disk, that is what the user needs to know
            self._unwritten[id] = refusal if error is _BUG else error
        except BaseException:
            self._unwritten[id] = _BUG
            raise
        finally:
            with self._lock:
                del self._running[id]
            self._wake.set()

    def _failed(self, row: Row, running: _Running, error: LockhouseError) -> None:
        columns = {"problem": error.message, "hint": error.hint, "code": error.code}
        if error.code in _WAITS:
            self._stopped(row, running, **columns)  # it waits; a pause stays a pause
        else:
            self._rows.release(row.id, "failed", **columns)

    def _stopped(self, row: Row, running: _Running, **columns: str) -> None:
        if running.reason == "cancel" or not self._rows.leave(row.id, **columns):
            self._worker.delete_parts(row)
            self._rows.delete(row.id)

    def _exchange(self, id: str, running: _Running) -> None:  # noqa: A002
        """Now and then: write the progress, and read what other processes request."""
        now = time.monotonic()
        if now - running.written_at < _WRITE_S and running.checking == running.was_checking:
            return
        running.written_at, running.was_checking = now, running.checking
        with suppress(StorageError):  # the download itself can do without it
            request = self._rows.request_of(id)
            if request != "":
                running.stop(request or "cancel")
                return
            self._rows.update(
                id,
                state="checking" if running.checking else "downloading",
                checked_bytes=running.checked_bytes,
                speed_bytes_per_s=running.speed_bytes_per_s,
            )

    def _transfer(self, row: Row, position: int | None = None) -> Transfer:
        with self._lock:
            running = self._running.get(row.id)
        state, held = row.state, row.is_held
        done, checked, speed = self._worker.done_bytes(row), row.checked_bytes, 0.0
        if running is not None:
            done, checked = running.done_bytes or done, running.checked_bytes
            state = "checking" if running.checking else "downloading"
            speed = running.speed_bytes_per_s
        elif held:
            speed = row.speed_bytes_per_s
        elif state in ACTIVE:
            state = "waiting"  # the process that worked on it is gone
        if row.request == "pause":  # also of a process that was killed before it read this
            state = "paused"
        problem, hint, code = row.problem, row.hint, row.code
        if (error := self._unwritten.get(row.id)) is not None:
            state, problem, hint, code = "failed", error.message, error.hint, error.code
        if state == "done":
            checked = row.size_bytes
        left = max(0, row.size_bytes - done)
        return Transfer(
            id=row.id,
            repo=row.repo.repo,
            revision=row.repo.revision,
            title=row.repo.repo.partition("/")[2],
            label=row.label,
            files=row.files,
            state=state,
            done_bytes=done,
            checked_bytes=checked,
            size_bytes=row.size_bytes,
            speed_bytes_per_s=speed if state == "downloading" else 0.0,
            left_s=left / speed if speed > 1 and state == "downloading" else 0.0,
            position=row.position if position is None else position,
            problem=problem,
            hint=hint,
            code=code,
            destination=row.destination / row.files[0].name if row.destination else None,
            added_at=row.added_at,
            finished_at=row.finished_at,
            license=row.repo.license,
            is_running=held,
        )
