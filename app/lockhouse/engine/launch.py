"""Starts the process of an engine, and waits until it can be connected to.

Hides the order on its standard input, the pipe on which it says that it listens, its log file,
and that a start which hangs or is no longer wanted is ended with everything it began.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, EngineCrashed
from lockhouse.engine.protocol import EngineSpec, StartOrder

_LOOK_S = 0.1
_KEEP_LOGS = 20
_children: set[int] = set()


def launch(
    spec: EngineSpec,
    *,
    folder: Path,
    logs: Path,
    idle_s: float,
    limit_s: float,
    cancel: CancelToken,
) -> tuple[str, bool]:
    """Start an engine; its id, and whether it listens. If not, it has ended.

    Raises Cancelled, and EngineCrashed when it does neither within the limit.
    """
    engine_id = secrets.token_hex(4)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"engine-{engine_id}.log"
    read_fd, write_fd = os.pipe()
    order = StartOrder(engine_id, str(folder), str(log), spec, idle_s, ready_fd=write_fd)
    try:
        with log.open("wb") as log_file:
            starter = subprocess.Popen(
                [*processes.own_command(), "--engine"],
                stdin=subprocess.PIPE,
                stdout=log_file,
                stderr=log_file,
                pass_fds=(write_fd,),
                env=processes.own_environment(),
                start_new_session=True,
            )
    finally:
        os.close(write_fd)
    try:
        assert starter.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            starter.stdin.write(msgspec.json.encode(order))
            starter.stdin.close()
        listens = _wait(read_fd, limit_s, cancel)
    except BaseException:
        _kill(starter)
        raise
    finally:
        os.close(read_fd)
    _children.add(starter.pid)
    starter.returncode = 0  # engines outlive who started them, and Popen would complain
    _prune(logs)
    return engine_id, listens


def _wait(ready_fd: int, limit_s: float, cancel: CancelToken) -> bool:
    """Whether it said that it listens; False when it ended."""
    deadline = time.monotonic() + limit_s
    while True:
        ready, _, _ = select.select([ready_fd], [], [], _LOOK_S)
        if ready:
            return os.read(ready_fd, 1) == b"+"
        if cancel.cancelled:
            raise Cancelled
        if time.monotonic() > deadline:
            raise EngineCrashed(
                f"The engine did not start within {limit_s:.0f} seconds.",
                hint="The machine may be too busy. Ask again.",
                code="engine_start_slow",
            )


def _kill(starter: subprocess.Popen[bytes]) -> None:
    """End the supervisor, the engine and whatever else they began."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(starter.pid, signal.SIGKILL)
    starter.kill()
    starter.wait()


def reap() -> None:
    """Engines that this process started and that have ended must not stay zombies."""
    for pid in list(_children):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                continue
        _children.discard(pid)


def _prune(logs: Path) -> None:
    """Forget old logs."""
    files = sorted(logs.glob("engine-*.log"), key=lambda path: path.name)
    with contextlib.suppress(OSError):
        files.sort(key=lambda path: path.stat().st_mtime)
    for path in files[:-_KEEP_LOGS]:
        with contextlib.suppress(OSError):
            path.unlink()
