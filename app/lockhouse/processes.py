"""How this program starts its own processes, and how it knows one of them again.

A process is identified by its number and its start time, because numbers are used again. On Linux
the start time counts from boot, as in the kernel: the wall clock may be set while a process runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_ON_LINUX = sys.platform.startswith("linux")
_TOLERANCE_S = 0.5 if _ON_LINUX else 2.0
# What a process needs to find its libraries, its devices and the user's language and time.
_VARIABLES = frozenset({
    "APPDATA", "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOCALAPPDATA", "LOGNAME", "PATH",
    "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USER", "USERPROFILE",
    "VIRTUAL_ENV", "WINDIR",
})  # fmt: skip
_PR_SET_DUMPABLE = 4
_PREFIXES = ("CUDA_", "GGML_", "HIP_", "HSA_", "LC_", "NVIDIA_", "OMP_", "ROCR_", "VK_", "XDG_")


_users_umask = [0o022]


def be_private() -> None:
    """What this process writes is for this user alone, and it leaves no core file.

    A core file would hold what was said. Its limit is one byte, not none, which is no limit where
    the system hands core files to a program (core(5)). Inherited by all that the process starts.
    """
    if sys.platform == "win32":
        return
    import resource

    _users_umask[0] = os.umask(0o077)
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


def users_file_mode() -> int:
    """The rights that files of this user usually get: for files that are the user's own."""
    return 0o666 & ~_users_umask[0]


def give_to_user(descriptor: int) -> None:
    """Give an open file these rights: a model's, which others may well share."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # some disks have no rights
            os.fchmod(descriptor, users_file_mode())


_restarter: list[tuple[int, int]] = []  # the pipe to it, and its number


def stay_to_restart(command: Sequence[str]) -> None:
    """Leave a process behind that starts this program again, should that be asked for.

    What is sealed cannot start anything unsealed, so it has to be there before the seal. It waits
    for the end of this one, reads nothing from it but one byte, and cannot be traced. Once
    restarted it is the program itself, with the same number. Linux only.
    """
    if not _ON_LINUX:
        return
    reader, writer = os.pipe()  # closed in whatever else is started
    pid = os.fork()
    if pid:
        os.close(reader)
        _restarter[:] = [(writer, pid)]
        return
    os.close(writer)
    os.setsid()  # a terminal that closes takes the window with it, not what comes after
    _forbid_tracing()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wanted = os.read(reader, 1)
    while os.read(reader, 1):  # until the other end is gone
        pass
    if not wanted:
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command[0], list(command))  # noqa: S606 - our own program, named by its path


def _forbid_tracing() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def can_restart() -> bool:
    """Whether somebody waits to start this program again."""
    return bool(_restarter) and exists(_restarter[0][1])


def restart_after_end() -> None:
    """Have this program started again as soon as it has ended."""
    if _restarter:
        os.write(_restarter[0][0], b"r")


def lasting() -> tuple[int, float]:
    """Number and start time of a process that lives as long as this program does, and goes on
    as the program itself where it is restarted."""
    if can_restart():
        pid = _restarter[0][1]
        return pid, _birth(pid) or 0.0
    return mine()


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
    """The command that starts this program, isolated: it imports nothing from the current folder,
    ``PYTHONPATH`` or the user's own packages. A frozen program is that by itself.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-I", str(Path(__file__).with_name("__main__.py"))]


def own_environment(*more: str) -> dict[str, str]:
    """The variables for such a process: no keys, no proxies, nothing but what it needs.

    ``more`` are names, or beginnings of names where they end with ``_``.
    """
    names = _VARIABLES.union(more)
    prefixes = (*_PREFIXES, *(name for name in more if name.endswith("_")))
    return {
        name: value
        for name, value in os.environ.items()
        if name in names or name.startswith(prefixes)
    }


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
