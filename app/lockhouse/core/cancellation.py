"""A request to stop, or to stop reasoning, that a waiting thread can check."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class CancelToken:
    """Set from any thread, read by the one that answers. Cannot be unset."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._answer_now = threading.Event()
        self._left = threading.Event()
        self._watchers: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Meanwhile, call ``tell`` at each request, in the thread that makes it.

        At once for what was requested before; perhaps twice for one request. For a thread that
        waits for something else and should not have to wake up only to look here.
        """
        self._watchers.append(tell)
        try:
            if self.cancelled or self.answer_now_wanted:
                tell()
            yield
        finally:
            self._watchers.remove(tell)

    def _tell(self) -> None:
        for tell in tuple(self._watchers):
            tell()

    def cancel(self) -> None:
        """Stop as soon as possible; what came is kept."""
        self._cancelled.set()
        self._tell()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def leave(self) -> None:
        """Stop because the program ends, not because somebody wanted the answer to."""
        self._left.set()
        self.cancel()

    @property
    def left(self) -> bool:
        """Whether it was :meth:`leave` that stopped it."""
        return self._left.is_set()

    def answer_now(self) -> None:
        """End the reasoning trace and answer."""
        self._answer_now.set()
        self._tell()

    @property
    def answer_now_wanted(self) -> bool:
        """Whether :meth:`answer_now` was called."""
        return self._answer_now.is_set()
