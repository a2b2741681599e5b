"""Taking an operation back while somebody waits for what the broker says about it.

The wish is passed on in the thread that has it, so that the one that waits need not wake up to
look for it. A broker that does not obey in time, because it waits for something that cannot be
called off, is left behind.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Final

from lockhouse.core.cancelling import CancelToken
from lockhouse.gate.channel import hang_up

_PATIENCE_S: Final = 1.0


@contextlib.contextmanager
def taking_back(connection: Connection, cancel: CancelToken | None) -> Iterator[None]:
    """Meanwhile, the operation of this connection is taken back as soon as ``cancel`` is called.

    What the broker then says is its end; the connection ends in a second at the latest.
    """
    if cancel is None:
        yield
        return
    token, is_told = cancel, threading.Lock()
    patience = threading.Timer(_PATIENCE_S, hang_up, (connection,))
    patience.daemon = True

    def tell() -> None:
        if not token.cancelled or not is_told.acquire(blocking=False):
            return
        patience.start()
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.send_bytes(b"-")

    with cancel.watched(tell):
        try:
            yield
        finally:
            patience.cancel()
