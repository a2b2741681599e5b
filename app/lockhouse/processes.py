"""Identifies processes by number and start time, because numbers are used again.

On Linux the start time counts from boot, as in the kernel: the wall clock may be set while a
process runs.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from pathlib import Path

_ON_LINUX = sys.platform.startswith("linux")
_TOLERANCE_S = 0.5 if _ON_LINUX else 2.0


def mine() -> tuple[int, float]:
    """Number and start time of this process."""
    pid = os.getpid()
    return pid, _own_birth(pid)


@cache
def _own_birth(pid: int) -> float:
    return _birth(pid) or 0.0


def is_alive(pid: int, birth: float) -> bool:
    """Whether the process started then still runs; one that only waits to be reaped does not."""
    found = _birth(pid)
    return found is not None and abs(found - birth) <= _TOLERANCE_S


def exists(pid: int) -> bool:
    """Whether any running process has this number."""
    return _birth(pid) is not None


def age_s() -> float:
    """Seconds since this process was created."""
    if _ON_LINUX:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - mine()[1]
    return time.time() - mine()[1]


def own_command() -> list[str]:
    """The command that starts this program. Frozen ones have no ``-m``."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-m", "lockhouse"]


def _birth(pid: int) -> float | None:
    """Seconds since boot on Linux, since the epoch elsewhere; None when there is no such
    process, or it only waits to be reaped."""
    if _ON_LINUX:
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = text[text.rindex(")") + 2 :].split()  # the name before it may contain anything
        if fields[0] in "ZX":
            return None
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return 0.0
