"""Taking an operation back while somebody waits for what the broker says about it.

The wish is passed on in the thread that has it, so that the one that waits need not wake up to
look for it. A broker that does not obey in time, because it waits for something that cannot be
called off, is left behind.
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
def taking_back(
    connection: Connection,
    cancel: CancelToken | None,
    *,
    has_begun: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Meanwhile, the operation of this connection is taken back as soon as ``cancel`` is called.

    What the broker then says is its end; the connection ends in a second at the latest. Before
    anything has begun, while a broker still gets ready, there is nothing to wait for.
    """
    if cancel is None:
        yield
        return
    token, is_told = cancel, threading.Lock()
    timers: list[threading.Timer] = []

    def tell() -> None:
        if not token.cancelled or not is_told.acquire(blocking=False):
            return
        patience_s = _PATIENCE_S if has_begun() else _SHORT_PATIENCE_S
        timers.append(threading.Timer(patience_s, hang_up, (connection,)))
        timers[0].daemon = True
        timers[0].start()
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.send_bytes(b"-")

    with cancel.watched(tell):
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
