"""A program with jobs that behave badly, beside the real ones: started instead of Lockhouse.

It seals itself as Lockhouse does, and everything from there on is Lockhouse's own.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "app"), str(ROOT)]  # its environment has no PYTHONPATH

import msgspec  # noqa: E402

from lockhouse import seal  # noqa: E402
from lockhouse.core.errors import NotFound  # noqa: E402


class Words(msgspec.Struct, frozen=True):
    """What a test asks, and what it is told."""

    text: str = ""


def count(request: bytes, report):
    """To three, far faster than anybody wants to hear of it; then so often as is asked."""
    for step in range(3000):
        report(step / 3000, f"step {step}")
    return Words(msgspec.json.decode(request, type=Words).text.upper())


def write(request: bytes, _report):
    Path(msgspec.json.decode(request, type=Words).text).write_text("made by a job")
    return Words("done")


def write_and_fail(request: bytes, report):
    write(request, report)
    raise NotFound("There is no such thing.", hint="Look elsewhere.")


def write_and_crash(request: bytes, report):
    write(request, report)
    return ctypes.string_at(0)


def write_and_wait(request: bytes, report):
    write(request, report)
    report(0.5, "half")
    return wait(request, report)


def wait(_request: bytes, _report):
    """For ever, in native code, which no signal of Python's interrupts."""
    ctypes.CDLL(None).pause()
    return Words()


def wait_with_a_child(_request: bytes, report):
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).pause()
    report(0.1, str(child))
    ctypes.CDLL(None).pause()


def grow(_request: bytes, _report):
    kept = []
    while True:
        kept.append(bytearray(1 << 24))


def map_a_file(request: bytes, _report):
    """A file far larger than the memory this process may have, as a model is read."""
    import mmap

    with Path(msgspec.json.decode(request, type=Words).text).open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
        return Words(f"{len(data)}")


def shout(_request: bytes, _report):
    while True:
        os.write(2, b"no end " * 1000)


def reply_without_end(_request: bytes, _report):
    return Words("x" * (8 << 20))


def reach_out(request: bytes, _report):
    """Everything this process must not do, and how it was refused."""
    path = Path(msgspec.json.decode(request, type=Words).text)
    told = []
    for attempt in (
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        path.read_text,
        lambda: path.write_text("changed"),
        path.with_name("new").touch,
    ):
        try:
            attempt()
        except OSError as error:
            told.append(type(error).__name__)
        else:
            told.append("done")
    return Words(" ".join(told))


_KINDS = (
    count, write, write_and_fail, write_and_crash, write_and_wait, wait, wait_with_a_child, grow,
    map_a_file, shout, reply_without_end, reach_out,
)  # fmt: skip

if __name__ == "__main__":
    seal.seal_network()
    from lockhouse.engine.process import jobs

    jobs.KINDS.update({kind.__name__: f"__main__:{kind.__name__}" for kind in _KINDS})
    assert sys.argv[1] == "--job"
    sys.exit(jobs.run_job(sys.argv[2:]))
