"""Who is writing an answer, and whether that process still lives.

A process is known by its number and its start time, since numbers are used again.
"""

from __future__ import annotations

import os
from functools import cache

# Start times are derived from the wall clock, which may be set while a process runs.
_TOLERANCE_S = 2.0


@cache
def _started(pid: int) -> float:
    import psutil  # takes a while, and most commands write no answer

    return float(psutil.Process(pid).create_time())


def this_process() -> tuple[int, float]:
    """Number and start time of the process that asks."""
    pid = os.getpid()
    return pid, _started(pid)


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that began at ``started`` still runs."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - started) <= _TOLERANCE_S
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # it exists; another user's, or a protected one
