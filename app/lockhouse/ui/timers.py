"""Timers, and what must not run twice at the same time."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


def once(parent: QObject, after_ms: int, act: Callable[[], object]) -> QTimer:
    """A timer that acts once, that long after it was last started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(after_ms)
    timer.timeout.connect(act)
    return timer


def repetition(parent: QObject, every_ms: int, act: Callable[[], object]) -> QTimer:
    """A timer that acts again and again between ``start`` and ``stop``."""
    timer = QTimer(parent)
    timer.setInterval(every_ms)
    timer.timeout.connect(act)
    return timer


class OneAtATime:
    """Starts something that takes a while; wanted again meanwhile, it follows once more."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start
        self._is_wanted_again = False
        self.is_running = False

    def want(self) -> None:
        """Start it now, or again when it has ended."""
        if self.is_running:
            self._is_wanted_again = True
            return
        self.is_running, self._is_wanted_again = True, False
        self._start()

    def end(self, *, has_failed: bool = False) -> None:
        """It has ended. After a failure it is not started again by itself."""
        self.is_running = False
        if self._is_wanted_again and not has_failed:
            self.want()
