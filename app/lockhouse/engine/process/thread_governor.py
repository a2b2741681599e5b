"""How many threads to compute with, while other programs want the processor too.

llama.cpp's threads wait for each other a thousand times a token. One that is not running holds
all others up, so with a busy competitor two threads on two cores are slower than one. The
governor looks at how much of the machine others use and keeps to the cores that are left.
"""

from __future__ import annotations

import math
import time
from functools import cache
from pathlib import Path

import psutil

_LOOK_EVERY_S = 0.2
_TOLERATED = 0.3  # of one core: desktop noise, not a competitor


@cache
def usable_processors() -> int:
    """Threads that can run at the same time here, hyper-threads included."""
    allowed = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    return allowed or psutil.cpu_count() or 1


def physical_cores() -> int:
    """Cores worth a thread each; hyper-threads slow matrix work down."""
    allowed = usable_processors()
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, min(physical, allowed))


class ThreadGovernor:
    """Ask :meth:`threads` before each decode; it costs a clock reading most of the time."""

    def __init__(self, chosen: int = 0) -> None:
        """``chosen`` threads, whatever else runs; 0 adapts to what others leave."""
        self.most = chosen or physical_cores()
        self._adapts = not chosen
        self._now = self.most
        self._cores = psutil.cpu_count() or 1
        self._process = psutil.Process()
        self._looked_at = time.monotonic()
        self._busy_s, self._own_s = self._read()

    def threads(self) -> int:
        """Threads to use now."""
        now = time.monotonic()
        passed = now - self._looked_at
        if self._adapts and self.most > 1 and passed >= _LOOK_EVERY_S:
            busy_s, own_s = self._read()
            if passed < 10 * _LOOK_EVERY_S:
                others = (busy_s - self._busy_s - (own_s - self._own_s)) / passed
            else:  # the engine was idle: what was measured then says nothing about now
                others = _runnable_now()
            self._now = self._left_beside(others)
            self._looked_at, self._busy_s, self._own_s = now, busy_s, own_s
        return self._now

    @property
    def fixed(self) -> int:
        """Threads for an answer that must be the same again whatever else runs."""
        return max(1, self.most - 1) if self._adapts else self.most

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


def _runnable_now() -> float:
    """How many threads want a processor this moment, without this one and whoever just asked."""
    try:
        return max(0.0, float(Path("/proc/loadavg").read_text().split()[3].split("/")[0]) - 2)
    except (OSError, ValueError, IndexError):
        return 0.0
