"""Work in a process of its own: sealed, confined to its files, bounded, cancelled at once.

For everything beside answering that native code or a stranger's file could bring down: planning,
the engine's self-test, later quantizing, converting and reading documents. What this hides: the
process, its channel and its log, its limits, and telling how it ended. The other end is
:mod:`lockhouse.engine.process.jobs`, which has the table of kinds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import TypeVar

import msgspec

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, EngineCrashed, InvalidInput, from_wire
from lockhouse.core.json_decoding import decoded
from lockhouse.engine import exit_status

_END_LIMIT_S = 2.0
_LOG_TAIL_BYTES = 4000
_LOG_CHUNK_BYTES = 1 << 16
_LARGEST_MESSAGE_BYTES = 8 << 20  # to the process

_NO_MEMORY = ("killed", "no_memory")
_ReplyT = TypeVar("_ReplyT")


class Limits(msgspec.Struct, frozen=True):
    """What a job may use before it is killed. 0 is no limit.

    ``memory_bytes`` is private memory (RLIMIT_DATA): files that are mapped to be read, such as a
    model, do not count. RLIMIT_AS would count them, and the resident size would too. The kernel
    refuses what goes beyond, on Linux; other systems do not know this limit.
    ``time_s`` is for one request, ``silence_s`` between two signs of life.
    """

    memory_bytes: int = 0
    time_s: float = 0.0
    silence_s: float = 0.0
    reply_bytes: int = 1 << 20
    log_bytes: int = 16 << 20


class JobSpec(msgspec.Struct, frozen=True):
    """What a process is started for.

    ``title`` is what errors call it ("Planning"). ``read`` and ``write`` are the files it may use;
    those it writes must exist. ``kept_s`` is how long it waits for another request.
    """

    kind: str
    title: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    limits: Limits = Limits()
    kept_s: float = 0.0


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far a job is, from 0 to 1, and in its own words."""

    fraction: float
    detail: str = ""


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """The end of a request that went well."""

    value: msgspec.Raw


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """The end of a request that met an expected error."""

    code: str
    exit_code: int
    message: str
    hint: str


Message = Progress | Reply | Failure
OnProgress = Callable[[Progress], None]


class JobProcess:
    """One process and the way to it, for one request after another. Not for two threads at once."""

    def __init__(self, spec: JobSpec, *, command: Sequence[str] = ()) -> None:
        """Starts the process; ``command`` replaces the program's own, up to the private argument.

        Raises EngineCrashed when the system cannot start it.
        """
        self._spec = spec
        self._channel, theirs = Pipe()
        self._log_fd, log_fd = os.pipe()
        os.set_blocking(self._log_fd, False)
        self._log_ended = False
        self._log_bytes = 0
        self._log_tail = b""
        try:
            self._process = subprocess.Popen(
                [*(command or processes.own_command()), "--job", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=(theirs.fileno(),),
                env=processes.own_environment(),
                start_new_session=True,
            )
        except OSError as error:
            self._channel.close()
            os.close(self._log_fd)
            raise EngineCrashed(
                f"{spec.title} could not be started: {error.strerror}.", hint="Try again."
            ) from error
        finally:
            theirs.close()
            os.close(log_fd)
        with contextlib.suppress(OSError):  # one that is gone already is noticed when it is asked
            self._send(spec)

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(
        self,
        request: msgspec.Struct,
        reply_type: type[_ReplyT],
        *,
        progress: OnProgress = lambda _progress: None,
        cancel: CancelToken | None = None,
    ) -> _ReplyT:
        """Its reply. Raises the expected error that it met.

        Also raises EngineCrashed when it died, kept silent or went over a limit, and Cancelled.
        After any of these the process is of no more use: call :meth:`end`.
        """
        try:
            with self._killed_by(cancel):
                self._send(request)
                value = self._reply(progress)
                return decoded(value, reply_type)
        except (OSError, EOFError, msgspec.DecodeError) as error:
            if cancel is not None and cancel.cancelled:
                raise Cancelled from error
            raise self._why_gone() from error

    def end(self) -> None:
        """Let it end, which it does when the channel closes, and leave nothing behind."""
        self._channel.close()
        try:
            self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        if self._log_fd >= 0:
            os.close(self._log_fd)
            self._log_fd = -1

    # -- inside ------------------------------------------------------------------------------

    def _send(self, message: msgspec.Struct) -> None:
        data = msgspec.json.encode(message)
        assert len(data) <= _LARGEST_MESSAGE_BYTES, "too much for one request"
        self._channel.send_bytes(data)

    @contextlib.contextmanager
    def _killed_by(self, cancel: CancelToken | None) -> Iterator[None]:
        if cancel is None:
            yield
            return

        def kill() -> None:
            if cancel.cancelled:
                self._kill()

        with cancel.watched(kill):
            yield

    def _kill(self) -> None:
        """End it and whatever it has started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _reply(self, progress: OnProgress) -> msgspec.Raw:
        limits = self._spec.limits
        started = heard = time.monotonic()
        self._log_bytes = 0
        while True:
            left_s = _until_first((started, limits.time_s), (heard, limits.silence_s))
            ready = wait(self._sources(), left_s)
            if not ready:
                raise self._stopped_at_limit(is_over=_until_first((started, limits.time_s)) == 0)
            if self._log_fd in ready:
                self._read_log()
            if self._channel not in ready:
                continue
            message: Message = decoded(self._channel.recv_bytes(limits.reply_bytes), Message)
            heard = time.monotonic()
            if isinstance(message, Reply):
                return message.value
            if isinstance(message, Failure):
                raise from_wire(message.code, message.exit_code, message.message, message.hint)
            progress(message)

    def _sources(self) -> list[Connection | int]:
        return [self._channel] if self._log_ended else [self._channel, self._log_fd]

    def _stopped_at_limit(self, *, is_over: bool) -> EngineCrashed:
        """Kill it, and tell which limit it was."""
        self._kill()
        limits = self._spec.limits
        if is_over:
            what = f"did not end within {limits.time_s:.0f} seconds"
        else:
            what = f"gave no sign of life for {limits.silence_s:.0f} seconds"
        return EngineCrashed(
            f"{self._spec.title} {what}, so it was stopped.",
            hint="Try again; close other programs if this machine is busy.",
            code="job_too_slow",
        )

    def _read_log(self) -> None:
        """Keep the end of what it writes; kill it when it writes without end."""
        try:
            part = os.read(self._log_fd, _LOG_CHUNK_BYTES)
        except BlockingIOError:
            return
        self._log_ended = not part
        self._log_bytes += len(part)
        self._log_tail = (self._log_tail + part)[-_LOG_TAIL_BYTES:]
        if self._log_bytes > self._spec.limits.log_bytes:
            self._kill()
            raise self._too_much_output()

    def _too_much_output(self) -> EngineCrashed:
        return EngineCrashed(
            f"{self._spec.title} wrote without end, so it was stopped.",
            hint="The file may be damaged or made to do this.",
            code="job_output",
        )

    def _why_gone(self) -> EngineCrashed:
        """What happened to a process that closed its channel, or sent what is no message."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT_S)
        if self._process.returncode is None:  # alive, so its message was the fault
            self._kill()
            return self._too_much_output()
        with contextlib.suppress(OSError):
            while not self._log_ended and self._log_bytes < self._spec.limits.log_bytes:
                self._read_log()
        tail = self._log_tail.decode("utf-8", "replace")
        cause = exit_status.explain(
            self._process.returncode, tail, name="its process", retry="Try again."
        )
        crash = EngineCrashed(
            f"{self._spec.title} ended early. {cause.message}",
            hint=cause.hint,
            code="job_no_memory" if cause.cause in _NO_MEMORY else "job_crashed",
        )
        crash.add_note(tail)
        return crash


def run(
    spec: JobSpec,
    request: msgspec.Struct,
    reply_type: type[_ReplyT],
    *,
    outputs: Sequence[Path] = (),
    progress: OnProgress = lambda _progress: None,
    cancel: CancelToken | None = None,
    command: Sequence[str] = (),
) -> _ReplyT:
    """One request in a process that ends with it: see :meth:`JobProcess.ask`.

    ``outputs`` are files that it makes, in folders that are there: nothing may be in their place,
    and nothing stays there when the request fails.
    """
    if cancel is not None and cancel.cancelled:
        raise Cancelled
    with _created(outputs):
        spec = msgspec.structs.replace(spec, write=(*spec.write, *map(str, outputs)))
        process = JobProcess(spec, command=command)
        try:
            return process.ask(request, reply_type, progress=progress, cancel=cancel)
        finally:
            process.end()


@contextlib.contextmanager
def _created(paths: Sequence[Path]) -> Iterator[None]:
    """Empty files meanwhile, which stay only when all goes well."""
    made: list[Path] = []
    try:
        for path in paths:
            try:
                path.touch(exist_ok=False)
            except OSError as error:
                raise InvalidInput(
                    f"{path} cannot be written: {error.strerror}.",
                    hint="Choose another place.",
                    code="not_writable",
                ) from error
            made.append(path)
        yield
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _until_first(*limits: tuple[float, float]) -> float | None:
    """Seconds until the first of these (start, length) limits; None when none is set."""
    now = time.monotonic()
    left = [max(0.0, started + length_s - now) for started, length_s in limits if length_s]
    return min(left, default=None)


def limit_memory(memory_bytes: int) -> None:
    """In the process itself: refuse private memory beyond this."""
    if sys.platform == "win32":
        return
    import resource

    if memory_bytes:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = memory_bytes if hard < 0 else min(hard, memory_bytes)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
