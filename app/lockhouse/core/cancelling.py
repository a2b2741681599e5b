"""A wish to stop, or to stop thinking, that a waiting thread can look at."""

from __future__ import annotations

import threading


class CancelToken:
    """Set from any thread, read by the one that answers. Cannot be unset."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._answer_now = threading.Event()
        self._left = threading.Event()

    def cancel(self) -> None:
        """Stop as soon as possible; what came is kept."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def leave(self) -> None:
        """Stop because the program ends, not because somebody wanted the answer to."""
        self._left.set()
        self._cancelled.set()

    @property
    def left(self) -> bool:
        """Whether it was :meth:`leave` that stopped it."""
        return self._left.is_set()

    def answer_now(self) -> None:
        """End the reasoning trace and answer."""
        self._answer_now.set()

    @property
    def answer_now_wanted(self) -> bool:
        """Whether :meth:`answer_now` was called."""
        return self._answer_now.is_set()
