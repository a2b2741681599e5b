"""Passes on to an engine that an answer was cancelled, or shall come now without more reasoning."""

from __future__ import annotations

import contextlib
import time
from multiprocessing.connection import Connection

from lockhouse.core.cancellation import CancelToken
from lockhouse.engine import protocol

_CANCEL_PATIENCE_S = 2.0


class CancelRequests:
    """Forwards a token's requests to the engine, in the thread that makes them."""

    def __init__(self, connection: Connection, cancel: CancelToken) -> None:
        self._connection = connection
        self._cancel = cancel
        self._told_cancel = self._told_answer = False
        self._give_up_at = 0.0

    def tell(self) -> None:
        """Say what was not yet said. An engine that is gone is noticed by the one who reads."""
        with contextlib.suppress(OSError):
            if self._cancel.cancelled and not self._told_cancel:
                self._told_cancel = True
                self._give_up_at = time.monotonic() + _CANCEL_PATIENCE_S
                protocol.send(self._connection, protocol.Cancel())
            if self._cancel.answer_now_wanted and not self._told_answer:
                self._told_answer = True
                protocol.send(self._connection, protocol.AnswerNow())

    @property
    def is_patience_over(self) -> bool:
        """Whether the engine has been told to stop long ago."""
        return bool(self._give_up_at) and time.monotonic() > self._give_up_at
