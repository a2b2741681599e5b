"""The engines of one home: found or started, shared by every door, restarted when they die.

Engines are processes of their own. Any window or command with the same home finds them through
their records in one private folder, so a model is loaded once, whoever asked first, and a
second command answers at once. What this hides: the files, the locks, the sockets, and telling
a crash from an end.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError, NoRoom, from_wire
from lockhouse.core.events import Event, Failed, Finished, Notice, Text
from lockhouse.core.json_decoding import decoded
from lockhouse.core.request import AnswerRequest
from lockhouse.engine import exit_status, protocol
from lockhouse.engine.protocol import (
    EngineRecord,
    EngineSpec,
    EngineStatus,
    ExitRecord,
    StartOrder,
    TokenCount,
)
from lockhouse.seal import Probe

_START_LIMIT_S = 30.0
_POLL_S = 0.05
_LOOK_S = 0.5  # whether an engine that was told to stop has: nothing else is waited for in steps
_REACH_LIMIT_S = 5.0
_PROOF_S = 20.0
_CANCEL_PATIENCE_S = 2.0
_LOOP_CRASHES, _LOOP_WINDOW_S = 3, 120.0
_KEEP_EXITS_S = 24 * 3600.0
_KEEP_LOGS = 20
_UNREACHABLE = (OSError, EOFError, AuthenticationError, msgspec.DecodeError)


class EnginePool:
    """What the rest of the program knows of engines. Usable from any thread."""

    def __init__(
        self,
        folder: Path,
        logs: Path,
        *,
        idle_s: float = 300.0,
        plan: Callable[[EngineSpec], EngineSpec] = lambda spec: spec,
    ) -> None:
        """``folder`` is private to the home; ``idle_s`` is how long engines stay unused.

        ``plan`` checks a model before an engine is started for it and fills in what its
        settings leave open; what it raises ends the answer.
        """
        self._folder = folder
        self._logs = logs
        self._plan = plan
        self.idle_s = idle_s
        self.keep_loaded = False  # the model that answered last stays until this pool closes
        self._holds: dict[str, Connection] = {}

    # -- answering -----------------------------------------------------------------------------

    def answer(
        self, spec: EngineSpec, request: AnswerRequest, cancel: CancelToken
    ) -> Iterator[Event]:
        """Events of one answer; the last is Finished or Failed. Starts an engine if need be.

        An engine that dies before the first word is started again, once; after that, or when
        words have come, the answer ends in Failed with the cause.
        """
        attempts = 0
        while True:
            attempts += 1
            said_something = False
            try:
                for event in self._answer_once(spec, request, cancel):
                    said_something = said_something or isinstance(event, Text)
                    yield event
                return  # noqa: TRY300 - an else would hide the way out of the loop
            except EngineCrashed as crash:
                lost = crash.code == "engine_retired"
                if (
                    said_something
                    or cancel.cancelled
                    or (attempts > 1 and not lost)
                    or attempts > 4
                ):
                    yield self._failed(crash)
                    return
                if crash.code == "crash_loop":
                    yield self._failed(crash)
                    return
                if not lost:
                    yield Notice("engine_restarted", f"{crash.message} It was started again.")
            except LockhouseError as error:
                yield self._failed(error)
                return

    def _answer_once(
        self, spec: EngineSpec, request: AnswerRequest, cancel: CancelToken
    ) -> Iterator[Event]:
        engine_id, connection = self._connect(spec)
        with contextlib.closing(connection):
            try:
                protocol.send(connection, protocol.Answer(request))
                yield from self._events(connection, cancel)
                if self.keep_loaded:
                    self._keep(engine_id)
            except _UNREACHABLE as error:
                raise self._why_gone(engine_id, spec) from error

    def _events(self, connection: Connection, cancel: CancelToken) -> Iterator[Event]:
        wishes = _Wishes(connection, cancel)
        comes = protocol.readable(connection)
        with cancel.watched(wishes.tell):
            while True:
                if not comes(_LOOK_S):
                    if wishes.is_patience_over:
                        yield Finished("cancelled")  # an engine that hangs must not hang us
                        return
                    continue
                reply = protocol.receive_reply(connection)
                assert not isinstance(reply, TokenCount | EngineStatus)
                if isinstance(reply, Failed) and reply.code == "engine_retired":
                    raise EngineCrashed(reply.message, code=reply.code)
                yield reply
                if isinstance(reply, Finished | Failed):
                    return

    def count_tokens(self, spec: EngineSpec, request: AnswerRequest) -> int:
        """Prompt tokens of a request, template included. Loads the model if need be."""
        engine_id, connection = self._connect(spec)
        with contextlib.closing(connection):
            try:
                protocol.send(connection, protocol.CountTokens(request))
                reply = protocol.receive_reply(connection)
            except _UNREACHABLE as error:
                raise self._why_gone(engine_id, spec) from error
        if isinstance(reply, Failed):
            raise from_wire(reply.code, reply.exit_code, reply.message, reply.hint)
        assert isinstance(reply, TokenCount)
        return reply.tokens

    def _keep(self, engine_id: str) -> None:
        """Be a client of this engine, and of no other, until closed."""
        if engine_id in self._holds:
            return
        with contextlib.suppress(*_UNREACHABLE):
            connection = protocol.connect(self._folder, engine_id)
            protocol.send(connection, protocol.Hold())
            protocol.receive_reply(connection)  # from here on it counts
            self.close()
            self._holds[engine_id] = connection

    def close(self) -> None:
        """Let go of what is held. Engines stay for their idle time."""
        for connection in self._holds.values():
            connection.close()
        self._holds.clear()

    # -- looking and stopping --------------------------------------------------------------------

    def list(self) -> list[EngineStatus]:
        """The engines that run, oldest first."""
        found = []
        for record in self._records():
            status = self._inquire(record.id)
            if status is not None:
                found.append(status)
            elif not _alive(record):
                self._clear(record.id)
        return sorted(found, key=lambda status: status.started_at)

    def prove(self) -> dict[str, tuple[Probe, ...]]:
        """Have each running engine try to get out, by model; empty where one did not answer.

        Of several engines of one model, none stands in for another: the later ones have their id.
        """
        found: dict[str, tuple[Probe, ...]] = {}
        for record in filter(_alive, self._records()):
            name = record.spec.model_name
            name = f"{name} ({record.id})" if name in found else name
            found[name] = ()
            with (
                contextlib.suppress(*_UNREACHABLE),
                self._asking(record.id, protocol.Prove(), _PROOF_S) as connection,
            ):
                found[name] = protocol.receive_proof(connection).probes
        return found

    def find(self, spec: EngineSpec) -> EngineStatus | None:
        """The running engine that would answer for this spec."""
        record = self._matching(spec)
        return self._inquire(record.id) if record is not None else None

    def stop(self, name: str | None = None) -> int:
        """End the engines of a model (name, path or engine id), or all; how many there were."""
        stopped = 0
        for record in self._records():
            spec = record.spec
            if name is None or name in (spec.model_name, spec.model_path, record.id):
                held = self._holds.pop(record.id, None)
                if held is not None:
                    held.close()
                stopped += self._stop(record)
        return stopped

    # -- finding and starting --------------------------------------------------------------------

    def _connect(self, spec: EngineSpec) -> tuple[str, Connection]:
        """A connection to an engine for this spec, started if there is none."""
        give_up_at = time.monotonic() + _REACH_LIMIT_S
        while time.monotonic() < give_up_at:
            record = self._matching(spec)
            if record is None:
                with self._start_lock():
                    record = self._matching(spec) or self._start(spec)
            try:
                return record.id, protocol.connect(self._folder, record.id)
            except _UNREACHABLE as error:
                if _alive(record) and isinstance(error, AuthenticationError):
                    raise EngineCrashed(
                        "An engine runs but does not accept this program's key.",
                        hint="Stop it: lockhouse engines stop",
                    ) from error
                if _alive(record):
                    time.sleep(_POLL_S)  # it is dying: its socket goes before its process
                else:
                    self._clear(record.id)
        raise EngineCrashed(
            "The engine cannot be reached.", hint="Stop it and ask again: lockhouse engines stop"
        )

    def _matching(self, spec: EngineSpec) -> EngineRecord | None:
        """A live engine of the same unchanged file whose settings cover what is asked."""
        try:
            identity = protocol.identity_of(Path(spec.model_path))
        except OSError as error:
            raise InvalidInput(
                f"The model's file cannot be opened: {error.strerror}.",
                hint=f"Check that {spec.model_path} is there and readable.",
                code="model_unreadable",
            ) from error
        for record in self._records():
            if record.spec.model_path != spec.model_path:
                continue
            if not _alive(record):
                self._clear(record.id)
                continue
            if record.identity == identity and self._covers(record, spec):
                return record
            self._ask_to_retire(record)
        return None

    def _covers(self, record: EngineRecord, spec: EngineSpec) -> bool:
        have, want = record.spec.settings, spec.settings
        # Decided anew for every start, and no reason to load a model twice.
        left_open = {"context_length": 0, "threads": 0, "extra_buffers": True}
        same = msgspec.structs.replace(have, **left_open) == msgspec.structs.replace(
            want, **left_open
        )
        enough = have.context_length >= want.context_length
        return same and enough and want.threads in (0, have.threads)

    def _ask_to_retire(self, record: EngineRecord) -> None:
        """Other settings were asked for, or the file changed: end once nobody uses it."""
        held = self._holds.pop(record.id, None)
        if held is not None:
            held.close()
        self._tell(record.id, protocol.Stop(when_idle=True))
        deadline = time.monotonic() + 1.0
        while _alive(record) and time.monotonic() < deadline:
            time.sleep(0.02)
        with contextlib.suppress(OSError):  # nobody new shall find it
            (self._folder / f"{record.id}.json").unlink()

    def _start(self, spec: EngineSpec) -> EngineRecord:
        self._refuse_crash_loop(spec)
        spec = self._planned(spec)
        engine_id = secrets.token_hex(4)
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"engine-{engine_id}.log"
        read_fd, write_fd = os.pipe()
        order = StartOrder(
            engine_id, str(self._folder), str(log), spec, self.idle_s, ready_fd=write_fd
        )
        try:
            with log.open("wb") as log_file:
                starter = subprocess.Popen(
                    [*processes.own_command(), "--engine"],
                    stdin=subprocess.PIPE,
                    stdout=log_file,
                    stderr=log_file,
                    pass_fds=(write_fd,),
                    start_new_session=True,
                )
        finally:
            os.close(write_fd)
        try:
            assert starter.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                starter.stdin.write(msgspec.json.encode(order))
                starter.stdin.close()
            ready, _, _ = select.select([read_fd], [], [], _START_LIMIT_S)
            listening = bool(ready) and os.read(read_fd, 1) == b"+"
        finally:
            os.close(read_fd)
        _reap_later(starter)
        self._prune()
        record = self._record(engine_id)
        if not listening or record is None:
            if not ready:
                starter.kill()
            raise self._why_gone(engine_id, spec)
        return record

    def _planned(self, spec: EngineSpec) -> EngineSpec:
        """The plan for a start; models that nobody uses make room when there is too little."""
        while True:
            try:
                return self._plan(spec)
            except NoRoom:
                self.close()  # what this pool keeps loaded may go too
                idle = [status for status in self.list() if not status.clients]
                if not idle:
                    raise
                self.stop(max(idle, key=lambda status: status.idle_s).id)

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[None]:
        """One start at a time per home, so that two doors do not load the same model twice."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "start.lock").open("w") as lock:
            _lock(lock.fileno())
            yield

    # -- records ---------------------------------------------------------------------------------

    def _records(self) -> tuple[EngineRecord, ...]:
        paths = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        records = (self._record(path.stem) for path in paths)
        return tuple(record for record in records if record is not None)

    def _record(self, engine_id: str) -> EngineRecord | None:
        try:
            data = (self._folder / f"{engine_id}.json").read_bytes()
            record: EngineRecord = decoded(data, EngineRecord)
        except (OSError, msgspec.DecodeError):
            return None
        return record if record.version == protocol.VERSION else None

    def _inquire(self, engine_id: str) -> EngineStatus | None:
        try:
            with self._asking(engine_id, protocol.Inquire(), 2.0) as connection:
                reply = protocol.receive_reply(connection)
        except _UNREACHABLE:
            return None
        return reply if isinstance(reply, EngineStatus) else None

    @contextlib.contextmanager
    def _asking(
        self, engine_id: str, operation: protocol.Operation, limit_s: float
    ) -> Iterator[Connection]:
        """A connection on which the reply is there. Raises what is in _UNREACHABLE."""
        with contextlib.closing(protocol.connect(self._folder, engine_id)) as connection:
            protocol.send(connection, operation)
            if not connection.poll(limit_s):
                raise TimeoutError
            yield connection

    def _tell(self, engine_id: str, operation: protocol.Operation) -> None:
        with contextlib.suppress(*_UNREACHABLE):
            connection = protocol.connect(self._folder, engine_id)
            with contextlib.closing(connection):
                protocol.send(connection, operation)

    def _stop(self, record: EngineRecord) -> int:
        if not _alive(record):
            self._clear(record.id)
            return 0
        import psutil  # rarely needed here, and slow to import

        self._tell(record.id, protocol.Stop())
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(record.pid)
            try:
                process.wait(timeout=3)
            except psutil.TimeoutExpired:
                process.kill()
        self._clear(record.id)
        return 1

    def _clear(self, engine_id: str) -> None:
        for ending in ("json", "sock", "key", "new"):
            with contextlib.suppress(OSError):
                (self._folder / f"{engine_id}.{ending}").unlink()

    # -- crashes ---------------------------------------------------------------------------------

    def _why_gone(self, engine_id: str, spec: EngineSpec) -> EngineCrashed:
        """What happened to an engine that closed the connection."""
        record = self._exit_record(engine_id)
        if record is None and self._ended_well(engine_id):
            return EngineCrashed("The engine has ended.", code="engine_retired")
        return_code = record.return_code if record else None
        tail = record.log_tail if record else ""
        cause = exit_status.explain(return_code, tail)
        crash = EngineCrashed(cause.message, hint=cause.hint, code=f"engine_{cause.cause}")
        crash.add_note(tail)
        return crash

    def _exit_record(self, engine_id: str) -> ExitRecord | None:
        """The supervisor's word on it, which may come a moment later than the end."""
        path = self._folder / f"{engine_id}.exit"
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                return decoded(path.read_bytes(), ExitRecord)
            record = self._record(engine_id)
            if record is None or not processes.exists(record.supervisor_pid):
                break
            time.sleep(0.02)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return decoded(path.read_bytes(), ExitRecord)
        return None

    def _ended_well(self, engine_id: str) -> bool:
        """Gone with its record removed and no exit record: it ended by itself."""
        return self._record(engine_id) is None

    def _refuse_crash_loop(self, spec: EngineSpec) -> None:
        recent = []
        for path in self._folder.glob("*.exit"):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                record = decoded(path.read_bytes(), ExitRecord)
                age_s = time.time() - record.ended_at
                same = record.model_path == spec.model_path
                if same and age_s < _LOOP_WINDOW_S and record.return_code not in _OUTSIDE:
                    recent.append(record)
        if len(recent) >= _LOOP_CRASHES and spec.settings != spec.settings.safer():
            last = max(recent, key=lambda record: record.ended_at)
            cause = exit_status.explain(last.return_code, last.log_tail)
            raise EngineCrashed(
                f"This model's engine ended {len(recent)} times in two minutes. {cause.message}",
                hint="Try it with safer settings, or choose another model.",
                code="crash_loop",
            )

    def _failed(self, error: LockhouseError) -> Failed:
        details = "\n".join(getattr(error, "__notes__", ()))
        return Failed(error.code, error.message, error.hint, error.exit_code, details)

    def _prune(self) -> None:
        """Forget old exits and logs."""
        for path in self._folder.glob("*.exit"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEEP_EXITS_S:
                    path.unlink()
        logs = sorted(self._logs.glob("engine-*.log"), key=lambda path: path.name)
        with contextlib.suppress(OSError):
            logs.sort(key=lambda path: path.stat().st_mtime)
        for path in logs[:-_KEEP_LOGS]:
            with contextlib.suppress(OSError):
                path.unlink()


class _Wishes:
    """Hands a token's wishes on to the engine, in the thread that has them."""

    def __init__(self, connection: Connection, cancel: CancelToken) -> None:
        self._connection = connection
        self._cancel = cancel
        self._told_cancel = self._told_answer = False
        self._give_up_at = 0.0

    def tell(self) -> None:
        """Say what was not yet said. An engine that is gone is noticed by the one who reads."""
        with contextlib.suppress(OSError):
            if self._cancel.cancelled and not self._told_cancel:
                self._told_cancel = True
                self._give_up_at = time.monotonic() + _CANCEL_PATIENCE_S
                protocol.send(self._connection, protocol.Cancel())
            if self._cancel.answer_now_wanted and not self._told_answer:
                self._told_answer = True
                protocol.send(self._connection, protocol.AnswerNow())

    @property
    def is_patience_over(self) -> bool:
        """Whether the engine has been told to stop long ago."""
        return bool(self._give_up_at) and time.monotonic() > self._give_up_at


_OUTSIDE = (-9, -15)  # killed from outside: says nothing about the model or the settings
_children: set[int] = set()


def _reap_later(starter: subprocess.Popen[bytes]) -> None:
    """Let go of the handle: engines outlive their starter, and nobody waits for them."""
    _children.add(starter.pid)
    starter.returncode = 0  # or Popen complains when it is dropped


def _reap() -> None:
    """Engines that this process started and that have ended must not stay zombies."""
    for pid in list(_children):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                continue
        _children.discard(pid)


def _alive(record: EngineRecord) -> bool:
    """Whether the engine's process is still there."""
    _reap()
    return processes.is_alive(record.pid, record.birth)


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)
