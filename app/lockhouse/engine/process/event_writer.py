"""Writes an answer's events to its client.

An event goes out in the thread that has it, as long as the socket takes it at once: waking
another thread for each takes a core away from the computation. For a client that does not read,
a thread is started that waits for it, so that no one else does.
"""

from __future__ import annotations

import queue
import select
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from lockhouse.core.events import Failed, Finished
from lockhouse.engine import protocol

_AT_ONCE_BYTES = 8192  # what a socket that is ready for writing takes for certain


class EventWriter:
    """Events of one answer, in order, ending with Finished or Failed."""

    def __init__(self, connection: Connection, ended: Callable[[], None] = lambda: None) -> None:
        """``ended`` is called once the closing event went out, or nobody is there to take it."""
        self._connection = connection
        self._on_end = ended
        self._ready = select.poll() if hasattr(select, "poll") else None
        if self._ready is not None:
            self._ready.register(connection.fileno(), select.POLLOUT)
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[bytes, bool]] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._ended = threading.Event()

    def put(self, event: protocol.Reply) -> None:
        """Send an event, or let it wait behind others. A client that is gone gets nothing more."""
        data, closing = protocol.encode(event), isinstance(event, Finished | Failed)
        with self._lock:
            if self._ended.is_set():
                return
            if self._writer is None and self._takes(len(data)):
                self._write(data, closing=closing)
                return
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_waiting, daemon=True)
                self._writer.start()
            self._waiting.put((data, closing))

    def wait_for_end(self) -> None:
        """Until the closing event went out, or nobody is there to take it."""
        self._ended.wait()

    def _takes(self, size: int) -> bool:
        if self._ready is None or size > _AT_ONCE_BYTES:
            return False
        return bool(self._ready.poll(0))

    def _write(self, data: bytes, *, closing: bool) -> None:
        try:
            self._connection.send_bytes(data)
        except OSError:
            closing = True
        if closing:
            self._ended.set()
            self._on_end()

    def _write_waiting(self) -> None:
        while not self._ended.is_set():
            data, closing = self._waiting.get()
            self._write(data, closing=closing)
