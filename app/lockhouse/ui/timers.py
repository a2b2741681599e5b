"""Timers, what must not run twice at the same time, and what is read again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer

from lockhouse.core.errors import LockhouseError
from lockhouse.ui.jobs import Failure, Jobs, ignore

T = TypeVar("T")


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


class Poll(QObject):
    """Reads something on a thread now and then, and when asked; never twice at the same time."""

    def __init__(
        self,
        jobs: Jobs,
        read: Callable[[], T],
        found: Callable[[T], None],
        failed: Failure = ignore,
        *,
        every_ms: int,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._looking = False
        self._timer = repetition(self, every_ms, self.look)

        def take(value: T) -> None:
            self._looking = False
            found(value)

        def fail(error: LockhouseError) -> None:
            self._looking = False
            failed(error)

        self._begin: Callable[[], object] = lambda: jobs.run(read, take, fail)

    def start(self) -> None:
        """Read now, and again and again."""
        self.look()
        self._timer.start()

    def look(self) -> None:
        """Read now, unless it is being read."""
        if not self._looking:
            self._looking = True
            self._begin()

    def set_interval(self, every_ms: int) -> None:
        """Read more or less often from now on."""
        self._timer.setInterval(every_ms)
