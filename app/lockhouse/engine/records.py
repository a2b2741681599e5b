"""The private folder by which the programs of one home know of each other's engines.

One record for each engine that runs, one for each that ended badly, and a lock that lets one
program at a time start an engine. Hides the files, and telling a process that is alive from one
that is gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, EngineCrashed
from lockhouse.core.events import EngineBuild
from lockhouse.core.json_decoding import decoded
from lockhouse.engine import protocol
from lockhouse.engine.launch import reap
from lockhouse.engine.protocol import EngineRecord, EngineStatus, ExitRecord

_POLL_S = 0.05
_BUSY_LIMIT_S = 60.0  # for an engine that does not respond and yet computes
_EXIT_LIMIT_S = 2.0
_STOP_LIMIT_S, _KILL_LIMIT_S = 3.0, 5.0
_KEEP_EXITS_S = 24 * 3600.0
_CLOCK_S = 60.0  # how far clocks of disks and of this machine may be apart
_NATIVE = (-4, -6, -7, -8, -11)  # SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV
_OUTSIDE = (-9, -15)  # killed from outside: says nothing about the model or the settings


class EngineRecords:
    """The records of one home. Usable from any thread and several programs at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> tuple[EngineRecord, ...]:
        """Of all engines, those included that have ended without a chance to clear up."""
        paths = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        records = (self.get(path.stem) for path in paths)
        return tuple(record for record in records if record is not None)

    def alive(self) -> tuple[EngineRecord, ...]:
        """Of the engines that run. Clears up after those that do not."""
        found = []
        for record in self.list():
            if is_alive(record):
                found.append(record)
            else:
                self.clear(record.id)
        return tuple(found)

    def get(self, engine_id: str) -> EngineRecord | None:
        """Of one engine; None when there is none, or one of another version."""
        try:
            data = (self.folder / f"{engine_id}.json").read_bytes()
            record: EngineRecord = decoded(data, EngineRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return record if record.version == protocol.VERSION else None

    def mark_retiring(self, record: EngineRecord) -> None:
        """Nobody new shall use it; it stays on record as long as it runs."""
        retiring = msgspec.structs.replace(record, retiring=True)
        temporary = self.folder / f"{record.id}.new"
        with contextlib.suppress(OSError):
            temporary.write_bytes(msgspec.json.encode(retiring))
            temporary.replace(self.folder / f"{record.id}.json")

    def clear(self, engine_id: str) -> None:
        """Remove what an engine that is gone has left."""
        for ending in ("json", "sock", "key", "new"):
            with contextlib.suppress(OSError):
                (self.folder / f"{engine_id}.{ending}").unlink()

    # -- how engines ended -----------------------------------------------------------------------

    def exit_of(self, engine_id: str) -> ExitRecord | None:
        """Its supervisor's word on a bad end, which may come a moment later than the end."""
        path = self.folder / f"{engine_id}.exit"
        deadline = time.monotonic() + _EXIT_LIMIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                return decoded(path.read_bytes(), ExitRecord)
            record = self.get(engine_id)
            if record is None or not processes.exists(record.supervisor_pid):
                break
            time.sleep(_POLL_S)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return decoded(path.read_bytes(), ExitRecord)
        return None

    def exits(self, model_path: str) -> Iterator[ExitRecord]:
        """The bad ends of a model in the last day, those that were made from outside left out.

        Older ones are forgotten, and those of a clock that was set back.
        """
        for path in self.folder.glob("*.exit"):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                if not -_CLOCK_S < time.time() - path.stat().st_mtime < _KEEP_EXITS_S:
                    path.unlink()
                    continue
                record: ExitRecord = decoded(path.read_bytes(), ExitRecord)
                if record.model_path == model_path and record.return_code not in _OUTSIDE:
                    yield record

    def died_in_native_code(self, model_path: str) -> bool:
        """Whether an engine of this model was ended by llama.cpp in the last day.

        What repacks weights for a processor (AMX, for example) does not take all shapes of all
        architectures, and llama.cpp notices only when it computes, or not even then.
        """
        return any(record.return_code in _NATIVE for record in self.exits(model_path))

    # -- starting --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def start_lock(self, cancel: CancelToken, limit_s: float) -> Iterator[None]:
        """One start at a time, so that no model is loaded twice and no memory promised twice.

        Raises Cancelled, and EngineCrashed when another program does not come to an end with its
        start.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        deadline = time.monotonic() + limit_s
        with (self.folder / "start.lock").open("a+") as lock:
            while not _lock(lock.fileno()):
                if cancel.cancelled:
                    raise Cancelled
                if time.monotonic() > deadline:
                    lock.seek(0)
                    raise EngineCrashed(
                        "Another Lockhouse program has begun to load a model and does not get "
                        "on with it.",
                        hint=f"End that program (process {lock.read().strip() or 'unknown'}) "
                        "and ask again.",
                        code="start_blocked",
                    )
                time.sleep(_POLL_S)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield


def is_alive(record: EngineRecord) -> bool:
    """Whether the engine's process is still there."""
    reap()
    return processes.is_alive(record.pid, record.birth)


def see_ended(record: EngineRecord) -> None:
    """Wait until an engine that was told to stop has ended, and kill it when it does not.

    Afterwards its memory is free, unless the system itself cannot end it.
    """
    if _ends_within(record, _STOP_LIMIT_S):
        return
    import psutil  # rarely needed here, and slow to import

    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(record.pid).kill()
    _ends_within(record, _KILL_LIMIT_S)


def _ends_within(record: EngineRecord, seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while is_alive(record):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(_POLL_S)
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def not_responding(record: EngineRecord) -> EngineStatus:
    """What can be told of an engine that does not tell it itself."""
    import psutil

    memory_bytes, started_at = 0, time.time()
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(record.pid)
        memory_bytes, started_at = process.memory_info().rss, process.create_time()
    return EngineStatus(
        id=record.id,
        pid=record.pid,
        model_path=record.spec.model_path,
        model_name=record.spec.model_name,
        state="not responding",
        context_length=record.spec.settings.context_length,
        threads=record.spec.settings.threads,
        clients=0,
        active=0,
        idle_s=0.0,
        idle_limit_s=0.0,
        memory_bytes=memory_bytes,
        started_at=datetime.fromtimestamp(started_at, UTC).isoformat(timespec="seconds"),
        build=EngineBuild(),
        settings=record.spec.settings,
        confined=False,
    )


class Patience:
    """How long an engine is waited for that does not respond: longer while it computes.

    On a machine that is very busy an engine may come to nothing but its next token.
    """

    def __init__(self, record: EngineRecord) -> None:
        self._pid = record.pid
        self._until = time.monotonic() + _BUSY_LIMIT_S
        self._used_s = self._used()

    @property
    def is_over(self) -> bool:
        """Whether it has done nothing since this was asked last, or for too long."""
        before_s, self._used_s = self._used_s, self._used()
        return self._used_s <= before_s or time.monotonic() > self._until

    def _used(self) -> float:
        import psutil

        try:
            return sum(psutil.Process(self._pid).cpu_times()[:2])
        except psutil.Error:
            return 0.0


def silent() -> EngineCrashed:
    """The error for one that hangs."""
    return EngineCrashed(
        "The engine does not respond, so it was ended.",
        hint="Ask again: the model is loaded anew.",
        code="engine_silent",
    )
