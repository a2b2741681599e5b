"""One operation: what it may use, how many bytes it has moved, and how it is cancelled.

An operation is carried out by one thread. Every socket that the thread waits on is known here
while it waits, so that cancelling ends the wait at once: the socket is shut down.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lockhouse.core.errors import Cancelled, NetworkRefused, PolicyRefused
from lockhouse.core.labels import Label
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.network import split_host
from lockhouse.gate.protocol import Record, RecordKind, RemoteFailure

_current = threading.local()
_MOST_HEAD_BYTES = 1 << 20  # of statuses and headers before an answer


@dataclass(slots=True)
class Limits:
    """Bounds of one request."""

    body_bytes: int = 64 << 20
    total_s: float = 120.0
    idle_s: float = 30.0
    connect_s: float = 15.0
    head_s: float = math.inf  # until the status and the headers of the answer are there


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as the records will show them."""

    host: str
    began: float
    out_before: int
    in_before: int
    ends_at: float = 0.0  # at the latest, once its headers are there
    is_over: bool = False


class Operation:
    """Cancelled from any thread, used by one."""

    def __init__(self, guard: Guard, purpose: str, record: Callable[[Record], None]) -> None:
        self.guard = guard
        self.purpose = purpose
        self.limits = Limits()
        self.bytes_out = 0
        self.bytes_in = 0
        self._record = record
        self.before_waiting: Callable[[], None] = lambda: None  # called in its own thread
        self._cancelled = threading.Event()
        self._waiting: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._ends_at = 0.0
        self._most_in = math.inf  # of ``bytes_in``, while a head is read
        self._has_carried = False
        self._carried: dict[str, set[str]] = {}  # keys, and the hosts that each may go to

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """End it now, whatever it waits for."""
        with self._lock:
            self._cancelled.set()
            for sock in self._waiting:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raises Cancelled when it was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Do nothing for a while. Raises Cancelled as soon as it is cancelled."""
        self.before_waiting()
        if self._cancelled.wait(seconds):
            raise Cancelled

    @contextlib.contextmanager
    def waiting_for(self, sock: socket.socket) -> Iterator[None]:
        """Within, this thread waits for ``sock``: cancelling shuts it down. Raises Cancelled."""
        self.before_waiting()
        with self._lock:
            self.check()
            self._waiting.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(sock)
            self.check()

    def patience_s(self, wanted: float) -> float:
        """How long the next step may take. Raises RemoteFailure when no time is left."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise RemoteFailure(
                f"It took longer than {self.limits.total_s:g} seconds.",
                hint="The host or the network is slow. Try again later.",
                code="timed_out",
            )
        return min(wanted, left)

    def hold_to(self, label: Label, host: str) -> None:
        """Refuse every request from now on that this label forbids.

        Raises PolicyRefused when it forbids ``host:port``.
        """
        self.guard = self.guard.labelled(label)
        try:
            self.guard.require_label(*split_host(host))
        except PolicyRefused as error:
            self.add_record("refused", host, outcome=error.code)
            raise

    # -- keys ------------------------------------------------------------------------------------

    @property
    def has_carried_keys(self) -> bool:
        """Whether it was given a key."""
        return self._has_carried

    def carry(self, key: str, host: str) -> None:
        """From now on this key may go to ``host:port``, and to no host that was not named."""
        self._carried.setdefault(key, set()).add(host)
        self._has_carried = True

    def hosts_of_keys_in(self, texts: Iterable[str]) -> list[set[str]]:
        """For each key that is found in these texts: the hosts that it may go to."""
        joined = "\n".join(texts)
        return [hosts for key, hosts in self._carried.items() if key in joined]

    def drop_keys(self) -> None:
        """Forget the keys: the operation is over."""
        self._carried.clear()

    # -- records ---------------------------------------------------------------------------------

    def begin(self, host: str) -> Exchange:
        """A request is about to be sent."""
        now = time.monotonic()
        ends_at = now + self.limits.total_s
        self._ends_at = min(ends_at, now + self.limits.head_s)
        self._most_in = self.bytes_in + _MOST_HEAD_BYTES
        if host not in self._told:
            self._told.add(host)
            self.add_record("allowed", host)
        return Exchange(host, now, self.bytes_out, self.bytes_in, ends_at)

    def head_came(self, exchange: Exchange) -> None:
        """The status and the headers are there: what follows is the body."""
        self._ends_at, self._most_in = exchange.ends_at, math.inf

    def came(self, size_bytes: int) -> None:
        """Count what was received. Raises RemoteFailure for headers without end."""
        self.bytes_in += size_bytes
        if self.bytes_in > self._most_in:
            raise RemoteFailure(
                "The answer begins with headers without end, so reading was ended.",
                hint="Check that this is the right server.",
                code="bad_stream",
            )

    def end(self, exchange: Exchange, outcome: str) -> None:
        """The answer is complete, or will not come. Safe to call twice."""
        if exchange.is_over:
            return
        exchange.is_over = True
        self.add_record(
            "transfer",
            exchange.host,
            outcome=outcome,
            bytes_out=self.bytes_out - exchange.out_before,
            bytes_in=self.bytes_in - exchange.in_before,
            duration_s=round(time.monotonic() - exchange.began, 4),
        )

    def add_record(
        self,
        kind: RecordKind,
        host: str,
        *,
        outcome: str = "",
        bytes_out: int = 0,
        bytes_in: int = 0,
        duration_s: float = 0.0,
    ) -> None:
        """Send the client something to keep in its records."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._record(Record(at, kind, host, self.purpose, bytes_out, bytes_in, outcome, duration_s))


def current() -> Operation:
    """The operation that this thread carries out. Raises NetworkRefused where there is none."""
    operation: Operation | None = getattr(_current, "operation", None)
    if operation is None:
        raise NetworkRefused("No operation asked for this connection.", code="host_not_allowed")
    return operation


@contextlib.contextmanager
def carrying_out(operation: Operation) -> Iterator[None]:
    """Make it this thread's operation."""
    _current.operation = operation
    try:
        yield
    finally:
        operation.drop_keys()
        _current.operation = None
