"""How many threads to compute with, while other programs want the processor too.

llama.cpp's threads wait for each other a thousand times a token. One that is not running holds
all others up, so with a busy competitor two threads on two cores are slower than one. The
governor looks at how much of the machine others use and keeps to the cores that are left.
"""

from __future__ import annotations

import math
import time

import psutil

_LOOK_EVERY_S = 0.2
_TOLERATED = 0.3  # of one core: desktop noise, not a competitor


def physical_cores() -> int:
    """Cores worth a thread each; hyper-threads slow matrix work down."""
    allowed = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, min(physical, allowed or physical))


class ThreadGovernor:
    """Ask :meth:`threads` before each decode; it costs a clock reading most of the time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._now = most
        self._cores = psutil.cpu_count() or 1
        self._process = psutil.Process()
        self._looked_at = 0.0
        self._busy_s, self._own_s = self._read()

    def threads(self) -> int:
        """Threads to use now."""
        now = time.monotonic()
        passed = now - self._looked_at
        if self.most > 1 and passed >= _LOOK_EVERY_S:
            busy_s, own_s = self._read()
            if passed < 10 * _LOOK_EVERY_S:  # an older look says nothing about now
                others = (busy_s - self._busy_s - (own_s - self._own_s)) / passed
                self._now = self._left_beside(others)
            self._looked_at, self._busy_s, self._own_s = now, busy_s, own_s
        return self._now

    def _left_beside(self, others: float) -> int:
        taken = math.ceil(max(0.0, others - _TOLERATED))
        spare = max(0, self._cores - self.most)  # cores that we do not use anyway
        return max(1, min(self.most, self.most - max(0, taken - spare)))

    def _read(self) -> tuple[float, float]:
        """Seconds of processor time spent since start: by the machine, by this process."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        own = self._process.cpu_times()
        return sum(times) - idle - guest, own.user + own.system
