"""Runs everything that may take time away from the GUI thread.

Work runs on daemon threads, callbacks come back on the GUI thread. Events of a stream are
collected and delivered on a timer, so a fast model costs one repaint a tick instead of one a
token. Hides threads, locks and the delivery; no other part of the window has any.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import Cancelled, LockhouseError

FLUSH_INTERVAL_MS = 16
_MOST_THREADS = 32  # more than anybody starts; a bound against mistakes

T = TypeVar("T")
E = TypeVar("E")

Failure = Callable[[LockhouseError], None]


def ignore(_error: LockhouseError) -> None:
    """A ``failed`` for work whose failure changes nothing on the screen."""


class JobHandle:
    """A running or waiting job. Cancelling drops its callbacks; the work itself may go on."""

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        """No callback will be called any more."""
        self._cancelled.set()
        if self._on_cancel is not None:
            self._on_cancel()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    @property
    def ended(self) -> bool:
        """Whether the work is over, whatever its outcome."""
        return self._ended.is_set()

    def mark_ended(self) -> None:
        """Called by the thread that did the work."""
        self._ended.set()

    def wait_ended(self, timeout_s: float) -> bool:
        """Whether the work ended within the time."""
        return self._ended.wait(timeout_s)


class _Threads:
    """Daemon threads over one queue. A single thread keeps the order of what is added."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._started = 0
        self._free = threading.Semaphore(0)  # threads that wait for work
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def add(self, work: Callable[[], None]) -> None:
        """Queue the work; one more thread is started when all are busy."""
        self._waiting.put(work)
        if self._started < self._most and not self._free.acquire(blocking=False):
            self._started += 1
            _start(self._loop, f"{self._name}-{self._started}")

    def close(self) -> None:
        """End the threads after what is queued."""
        for _ in range(self._started):
            self._waiting.put(None)

    def _loop(self) -> None:
        while (work := self._next()) is not None:
            work()
            work = None  # it may hold a key: not kept until the next one comes

    def _next(self) -> Callable[[], None] | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            self._free.release()
            return self._waiting.get()


def _start(work: Callable[[], None], name: str) -> None:
    threading.Thread(target=work, name=name, daemon=True).start()


class _Stream(Generic[E]):
    """Passes the events of one thread to the GUI thread."""

    def __init__(
        self,
        handle: JobHandle,
        on_events: Callable[[list[E]], None],
        done: Callable[[], None],
        failed: Failure,
    ) -> None:
        self.handle = handle
        self._on_events = on_events
        self._done = done
        self._failed = failed
        self._lock = threading.Lock()
        self._events: list[E] = []
        self._outcome: Callable[[], None] | None = None

    def fill(self, factory: Callable[[], Iterator[E]]) -> None:
        """Runs on the stream's own thread until the iterator ends."""

        def drain() -> None:
            for event in factory():
                with self._lock:
                    self._events.append(event)

        outcome = _attempt(drain, self._done, self._failed)
        with self._lock:
            self._outcome = outcome or self._done
        self.handle.mark_ended()

    @property
    def over(self) -> bool:
        """Whether the thread has ended; its last events are still to be delivered."""
        with self._lock:
            return self._outcome is not None

    def flush(self) -> None:
        """Deliver what arrived, on the GUI thread."""
        with self._lock:
            events, self._events = self._events, []
            outcome = self._outcome
        if self.handle.cancelled:
            return
        if events:
            self._on_events(events)
        if outcome is not None:
            outcome()


def _attempt(
    work: Callable[[], None], done: Callable[[], None], failed: Failure
) -> Callable[[], None] | None:
    """Do the work and return what to call on the GUI thread; None when it was cancelled."""
    try:
        work()
    except LockhouseError as error:
        expected = error
        return lambda: failed(expected)
    except Cancelled:
        return None
    except Exception as error:  # noqa: BLE001 - a bug: the excepthook tells it, on the GUI thread
        bug = error
        return lambda: sys.excepthook(type(bug), bug, bug.__traceback__)
    return done


class Jobs(QObject):
    """Runs work on other threads and delivers its outcome on the GUI thread."""

    _posted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = _Threads("job", _MOST_THREADS)
        self._ordered: dict[str, _Threads] = {}
        self._outcomes: deque[Callable[[], None]] = deque()
        self._streams: list[_Stream[object]] = []
        self._closed = False
        self._posted.connect(self._deliver)
        self._timer = QTimer(self)
        self._timer.setInterval(FLUSH_INTERVAL_MS)
        self._timer.timeout.connect(self._flush)

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Failure,
    ) -> JobHandle:
        """Do ``work`` on another thread. It does not wait for other work to end."""
        return self._submit(self._pool.add, work, done, failed)

    def run_now(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Failure,
    ) -> JobHandle:
        """Like :meth:`run`, on a thread of its own however many others are busy."""
        return self._submit(lambda whole: _start(whole, "now"), work, done, failed)

    def run_in_order(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Failure,
        *,
        queue_name: str = "chats",
    ) -> JobHandle:
        """Like :meth:`run`, one after the other in the order of the calls: for stored data.

        ``queue_name`` names what the order is of. Chats wait for chats, never for models.
        """
        ordered = self._ordered.setdefault(queue_name, _Threads(queue_name, 1))
        return self._submit(ordered.add, work, done, failed)

    def stream(
        self,
        factory: Callable[[], Iterator[E]],
        on_events: Callable[[list[E]], None],
        done: Callable[[], None],
        failed: Failure,
        *,
        on_cancel: Callable[[], None] | None = None,
    ) -> JobHandle:
        """Read a blocking iterator on a thread of its own; its events arrive on a timer."""
        handle = JobHandle(on_cancel)
        stream: _Stream[E] = _Stream(handle, on_events, done, failed)
        self._streams.append(stream)  # type: ignore[arg-type]  # only flushed, never filled here
        _start(lambda: stream.fill(factory), "stream")
        if not self._timer.isActive():
            self._timer.start()
        return handle

    def close(self, *, grace_s: float = 0.0) -> None:
        """Cancel everything. Queued ordered work and streams get ``grace_s`` to end, no more."""
        if self._closed:
            return
        self._closed = True
        self._timer.stop()
        for stream in self._streams:
            stream.handle.cancel()
        handles = [stream.handle for stream in self._streams]
        for ordered in self._ordered.values():
            last = JobHandle()
            ordered.add(last.mark_ended)
            ordered.close()
            handles.append(last)
        self._pool.close()
        deadline = time.monotonic() + grace_s
        for handle in handles:
            handle.wait_ended(max(0.0, deadline - time.monotonic()))
        self._outcomes.clear()

    def _submit(
        self,
        start: Callable[[Callable[[], None]], None],
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Failure,
    ) -> JobHandle:
        handle = JobHandle()

        def whole() -> None:
            results: list[T] = []
            outcome = _attempt(lambda: results.append(work()), lambda: done(results[0]), failed)
            handle.mark_ended()
            if outcome is not None and not handle.cancelled and not self._closed:
                self._outcomes.append(_unless_cancelled(handle, outcome))
                self._posted.emit()

        if self._closed:
            handle.cancel()
        elif not handle.cancelled:
            start(whole)
        return handle

    def _deliver(self) -> None:
        while self._outcomes:
            outcome = self._outcomes.popleft()
            if not self._closed:
                outcome()

    def _flush(self) -> None:
        for stream in list(self._streams):
            if stream.over:  # removed first: a callback that raises must not be called again
                self._streams.remove(stream)
            stream.flush()
        if not self._streams:
            self._timer.stop()


def _unless_cancelled(handle: JobHandle, outcome: Callable[[], None]) -> Callable[[], None]:
    def deliver() -> None:
        if not handle.cancelled:
            outcome()

    return deliver
