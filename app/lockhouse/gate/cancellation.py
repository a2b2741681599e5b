"""Passes a cancellation on to the broker while another thread waits for its reply.

The thread that cancels sends it, so that the waiting thread does not have to poll. A broker that
does not react in time, because it waits for something that cannot be interrupted, is abandoned.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Final

from lockhouse.core.cancellation import CancelToken
from lockhouse.gate.channel import hang_up

_PATIENCE_S: Final = 1.0
_SHORT_PATIENCE_S: Final = 0.04


@contextlib.contextmanager
def cancel_with(
    connection: Connection,
    cancel: CancelToken | None,
    *,
    has_begun: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Within this block, cancel the operation of this connection as soon as ``cancel`` is set.

    The broker then ends it; the connection ends after a second at the latest, and at once where
    nothing has begun because the broker is still starting.
    """
    if cancel is None:
        yield
        return
    token, is_sent = cancel, threading.Lock()
    timers: list[threading.Timer] = []

    def send_cancel() -> None:
        if not token.cancelled or not is_sent.acquire(blocking=False):
            return
        patience_s = _PATIENCE_S if has_begun() else _SHORT_PATIENCE_S
        timers.append(threading.Timer(patience_s, hang_up, (connection,)))
        timers[0].daemon = True
        timers[0].start()
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.send_bytes(b"-")

    with cancel.watched(send_cancel):
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
