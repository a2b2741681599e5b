"""The process of a job: confines itself, then does what its kind does, request by request.

A kind is one line of :data:`KINDS`. Its function takes the request's JSON and a report of
progress, and returns the reply; what it keeps between requests is its own affair. Expected errors
go back as such, anything else ends the process and is told by whoever waits for it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from lockhouse import seal
from lockhouse.core.errors import LockhouseError, NoRoom
from lockhouse.core.json_decoding import decoded
from lockhouse.engine.jobs import Failure, JobSpec, Progress, Reply, limit_memory

_LARGEST_REQUEST_BYTES = 8 << 20
_BETWEEN_REPORTS_S = 0.1

# Named, not imported: a process loads what its own kind needs, after it has confined itself.
KINDS: dict[str, str] = {
    "answer_form": "lockhouse.engine.process.answer_form:answer",
    "devices": "lockhouse.engine.process.devices:answer",
    "plan": "lockhouse.engine.process.planner:answer",
    "prove": "lockhouse.engine.process.self_test:prove",
    "read_document": "lockhouse.engine.process.documents:answer",
    "self_test": "lockhouse.engine.process.self_test:answer",
}


class Report:
    """Tells how far the work is, about ten times a second however often it is called."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._sent_at = 0.0

    def __call__(self, fraction: float, detail: str = "") -> None:
        now = time.monotonic()
        if now - self._sent_at >= _BETWEEN_REPORTS_S:
            self._sent_at = now
            _send(self._channel, Progress(fraction, detail))


Work = Callable[[bytes, Report], msgspec.Struct]


def run_job(arguments: list[str]) -> int:
    """``FD``: read there what is to be done, and do it until nobody asks any more."""
    channel = Connection(int(arguments[0]))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        spec = decoded(channel.recv_bytes(_LARGEST_REQUEST_BYTES), JobSpec)
        limit_memory(spec.limits.memory_bytes)
        _confine(spec)
        threading.Thread(target=_end_with_asker, args=(channel.fileno(),), daemon=True).start()
        work = _work_of(spec.kind)
        request = channel.recv_bytes(_LARGEST_REQUEST_BYTES)
        while True:
            _send(channel, _done(work, request, Report(channel)))
            if not channel.poll(spec.kept_s):
                break
            request = channel.recv_bytes(_LARGEST_REQUEST_BYTES)
    sys.stdout.flush()
    os._exit(0)  # native destructors are no way to end


def _confine(spec: JobSpec) -> None:
    """Leave it its files, the program and the system, as an engine has them."""
    seal.forbid_connections()
    seal.confine_files(
        read=[*map(Path, spec.read), Path("/proc"), Path("/sys"), Path("/etc")],
        run=seal.program_files(),
        write=[Path("/dev/null"), Path("/dev/urandom"), *map(Path, spec.write)],
    )


def _end_with_asker(channel_fd: int) -> None:
    """End when the other end of the channel is closed or gone, whatever is being computed."""
    hung_up = select.poll()
    hung_up.register(channel_fd, 0)  # a hang-up is told unasked
    hung_up.poll()
    os._exit(0)


def _work_of(kind: str) -> Work:
    module, _, name = KINDS[kind].partition(":")
    work: Work = getattr(importlib.import_module(module), name)
    return work


def _done(work: Work, request: bytes, report: Report) -> Reply | Failure:
    try:
        return Reply(msgspec.Raw(msgspec.json.encode(work(request, report))))
    except LockhouseError as error:
        failure = error
    except MemoryError:
        failure = NoRoom(
            "It needs more memory than it may have.",
            hint="Choose a smaller file, or one that is not damaged.",
            code="job_memory",
        )
    return Failure(failure.code, failure.exit_code, failure.message, failure.hint)


def _send(channel: Connection, message: Progress | Reply | Failure) -> None:
    channel.send_bytes(msgspec.json.encode(message))
