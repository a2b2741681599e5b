"""The engine's process: a supervisor that outlives it by a moment, and the engine itself.

The supervisor is forked off before anything large is loaded. It waits, and writes down how the
engine ended, so that the next program that asks can be told the cause. When it dies itself, the
engine goes with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from lockhouse import processes, seal
from lockhouse.engine import protocol
from lockhouse.engine.protocol import EngineRecord, ExitRecord, StartOrder

_PR_SET_PDEATHSIG = 1
_LOG_TAIL_BYTES = 4000


def run_engine() -> int:
    """Read the order from stdin, listen, and serve until idle."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=StartOrder)
    folder = Path(order.folder)
    _quiet_signals()
    if not hasattr(os, "fork"):
        return _serve(order, folder, supervisor_pid=os.getpid())
    supervisor_pid = os.getpid()
    child = os.fork()
    if child == 0:
        _die_with_parent(supervisor_pid)
        code = 70
        try:
            code = _serve(order, folder, supervisor_pid=supervisor_pid)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)  # native destructors of a busy library are no way to end
    with contextlib.suppress(OSError):
        os.close(order.ready_fd)
    _, status = os.waitpid(child, 0)
    return_code = os.waitstatus_to_exitcode(status)
    _write_exit(order, folder, return_code)
    return 0


def _quiet_signals() -> None:
    """Ctrl-C in a terminal is for the command, not for the engine it started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(70)


def _serve(order: StartOrder, folder: Path, *, supervisor_pid: int) -> int:
    key = secrets.token_bytes(32)
    key_file = folder / f"{order.id}.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key)
    listener = protocol.listen(folder, order.id)
    record = EngineRecord(
        id=order.id,
        pid=processes.mine()[0],
        supervisor_pid=supervisor_pid,
        birth=processes.mine()[1],
        spec=order.spec,
        identity=protocol.identity_of(Path(order.spec.model_path)),
        log=order.log,
    )
    temporary = folder / f"{order.id}.new"
    temporary.write_bytes(msgspec.json.encode(record))
    temporary.replace(folder / f"{order.id}.json")
    if order.ready_fd >= 0:
        os.write(order.ready_fd, b"+")
        os.close(order.ready_fd)

    # Landlock binds the calling thread and what it starts: before any other thread exists.
    confined = _confine(order)

    from lockhouse.engine.process.service import Service

    try:
        return Service(order, listener, key, confined=confined).run()
    finally:
        clear(folder, order.id)


def _confine(order: StartOrder) -> bool:
    """Leave the engine its model, the program and the system; nothing of the user's."""
    seal.forbid_connections()  # the clients' come in by the socket that listens already
    return seal.confine_files(
        read=[
            *protocol.model_files(Path(order.spec.model_path)),
            Path("/proc"),
            Path("/sys"),
            Path("/etc"),
        ],
        run=seal.program_files(),
        write=[Path("/dev/null"), Path("/dev/urandom")],
    )


def clear(folder: Path, engine_id: str) -> None:
    """Remove what an engine that is gone has left for others to find it."""
    for ending in ("json", "sock", "key", "new"):
        with contextlib.suppress(OSError):
            (folder / f"{engine_id}.{ending}").unlink()


def _write_exit(order: StartOrder, folder: Path, return_code: int) -> None:
    """Leave word of a bad end, before the record that others look for disappears."""
    if return_code != 0:
        _leave_word(order, folder, return_code)
    clear(folder, order.id)


def _leave_word(order: StartOrder, folder: Path, return_code: int) -> None:
    try:
        with Path(order.log).open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            tail = log.read().decode("utf-8", "replace")
    except OSError:
        tail = ""
    record = ExitRecord(order.id, order.spec.model_path, return_code, time.time(), tail)
    temporary = folder / f"{order.id}.exit.new"
    with contextlib.suppress(OSError):
        temporary.write_bytes(msgspec.json.encode(record))
        temporary.replace(folder / f"{order.id}.exit")
