"""The loop that computes: what other threads order is carried out between batches, in one thread.

llama.cpp's contexts allow no other thread, so everyone else talks to the loop through a queue.
Jobs share a batch and nothing else: the cancel, end or failure of one changes nothing for the
others.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from lockhouse.core.errors import EngineCrashed, LockhouseError
from lockhouse.core.events import FinishReason
from lockhouse.engine.process.model import AbortFlag

ABORTED = 2  # llama_decode, llama_encode


class _Job(Protocol):
    """What the loop knows of a job. Its end, of either kind, happens once."""

    cancelled: bool

    def answer_now(self) -> None: ...

    def fail(self, error: LockhouseError) -> None: ...


_JobT = TypeVar("_JobT", bound=_Job)


class JobLoop(ABC, Generic[_JobT]):
    """Owns the jobs of a context; :meth:`run` is its thread's whole life."""

    def __init__(self, abort: AbortFlag) -> None:
        """``abort`` is the flag that the context's computation looks at."""
        self._abort = abort
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: list[_JobT] = []
        self._active: list[_JobT] = []
        self._lock = threading.Lock()  # for the next two, and for cancelling what they hold
        self._in_flight: Sequence[_JobT] = ()  # whose batch llama.cpp computes at this moment
        self._closing = False

    # -- from other threads ----------------------------------------------------------------

    def submit(self, job: _JobT) -> None:
        """Work on it as soon as there is room."""
        self._orders.put(lambda: self._waiting.append(job))

    def cancel(self, job: _JobT) -> None:
        """Stop it now; what came is kept. Does nothing to a job that has ended, or to others."""
        with self._lock:
            job.cancelled = True
            if self._in_flight and all(other.cancelled for other in self._in_flight):
                self._abort.set(wanted=True)
            elif job in self._in_flight:
                # The batch goes on for the others. Its client need not wait for that: while
                # llama.cpp computes, nobody else touches the job.
                self._finish(job, "cancelled")
        self._orders.put(lambda: None)

    def answer_now(self, job: _JobT) -> None:
        """End its reasoning trace, where it has one."""
        self._orders.put(job.answer_now)

    def close(self) -> None:
        """End the loop; jobs that are not complete fail with ``engine_stopped``."""
        with self._lock:
            self._closing = True
            self._abort.set(wanted=True)
        self._orders.put(None)

    @property
    def running(self) -> int:
        """Jobs that wait or are being worked on."""
        return len(self._waiting) + len(self._active)

    # -- the loop ----------------------------------------------------------------------------

    def run(self) -> None:
        """Compute until closed."""
        while self._take_orders():
            self._drop_cancelled()
            self._round()
        self._drop_cancelled()
        for job in [*self._active, *self._waiting]:
            self._fail(job, stopped())

    @abstractmethod
    def _round(self) -> None:
        """Take up what waits, and compute one batch."""

    @abstractmethod
    def _finish(self, job: _JobT, reason: FinishReason) -> None:
        """Send the last word of a job, unless it had that already."""

    def _take_orders(self) -> bool:
        """Carry out what was ordered; wait when there is nothing else to do."""
        idle = not self._active and not self._waiting
        while idle or not self._orders.empty():
            order = self._orders.get()
            if order is None:
                return False
            order()
            idle = False
        return True

    def _drop_cancelled(self) -> None:
        for job in [job for job in (*self._active, *self._waiting) if job.cancelled]:
            self._end(job, "cancelled")

    def _guarded(self, group: Sequence[_JobT], compute: Callable[[], int]) -> int:
        """llama.cpp's code for a batch; aborted only when nobody in the group wants it."""
        with self._lock:
            if self._closing or all(job.cancelled for job in group):
                return ABORTED
            self._abort.set(wanted=False)
            self._in_flight = group
        code = compute()
        with self._lock:
            self._in_flight = ()
        return code

    # -- the end of a job ------------------------------------------------------------------------

    def _release(self, job: _JobT) -> None:
        for jobs in (self._waiting, self._active):
            if job in jobs:
                jobs.remove(job)

    def _end(self, job: _JobT, reason: FinishReason) -> None:
        self._release(job)
        self._finish(job, reason)

    def _fail(self, job: _JobT, error: LockhouseError) -> None:
        self._release(job)
        job.fail(error)


def stopped() -> EngineCrashed:
    """The error of a job whose engine was told to end."""
    return EngineCrashed(
        "The model was unloaded while it answered.",
        hint="Ask again, or continue the answer.",
        code="engine_stopped",
    )
