"""Tests the broker's limits from inside: what it must not reach, read, write or start.

Each attempt is a real one that bypasses the code which would normally refuse it. Nothing is sent:
an attempt that is not stopped ends at a closed port of this machine.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lockhouse import seal
from lockhouse.core.errors import NetworkRefused
from lockhouse.gate.broker.context import BrokerContext
from lockhouse.gate.network import split_host
from lockhouse.gate.protocol import LimitsProved, ProveLimits
from lockhouse.seal import Probe, ProbeLevel

_NOBODY = "not-listed.invalid"
_CLOSED_PORTS = (9, 7, 19)
_AF_VSOCK = 40


def prove(request: ProveLimits, context: BrokerContext) -> LimitsProved:
    """Every attempt and its result."""
    listed = {split_host(host)[1] for host in context.guard.state.all_hosts}
    port = next(port for port in _CLOSED_PORTS if port not in listed)
    attempts: tuple[tuple[str, ProbeLevel, Callable[[], str]], ...] = (
        ("A request to a host that is not listed", "python", lambda: _ask(context)),
        ("A connection that bypasses the list", "python", lambda: _connect(port)),
        ("A port that is not listed, from native code", "sandbox", lambda: _connect_natively(port)),
        ("A look-up of a host that is not listed", "python", _look_up),
        ("A UDP packet", "python", lambda: _send_packet(port)),
        ("Starting a program", "python", _start_program),
        ("Reading your files", "sandbox", lambda: _read(Path(request.file))),
        ("Writing a file", "sandbox", lambda: _write(Path(request.file))),
        ("io_uring", "kernel", seal.try_io_uring),
        ("Sockets of other kinds", "kernel", lambda: seal.try_family(_AF_VSOCK)),
    )
    return LimitsProved(tuple(_tried(*attempt) for attempt in attempts))


def _tried(name: str, level: ProbeLevel, attempt: Callable[[], str]) -> Probe:
    try:
        reached = attempt()
    except PermissionError as error:
        return Probe(name, stopped=True, by=level, detail=error.strerror or str(error))
    except NetworkRefused as error:
        return Probe(name, stopped=True, by=level, detail=error.message)
    except OSError as error:
        reached = error.strerror or str(error)
    return Probe(name, stopped=False, by="none", detail=reached)


def _ask(context: BrokerContext) -> str:
    context.client.get(f"https://{_NOBODY}/")
    return "it was sent"


def _connect(port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        sock.connect(("127.0.0.1", port))
    return "connected"


def _connect_natively(port: int) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    family = int(socket.AF_INET).to_bytes(2, sys.byteorder)
    address = family + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    try:
        if fd < 0 or libc.connect(fd, address, len(address)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        if fd >= 0:
            os.close(fd)
    return "connected"


def _look_up() -> str:
    return str(socket.getaddrinfo(_NOBODY, 443))


def _send_packet(port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", ("127.0.0.1", port))
    return "a packet was sent"


def _start_program() -> str:
    subprocess.run([sys.executable, "-c", ""], check=False, timeout=10)
    return "it ran"


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        opened.read(1)
    return "it was read"


def _write(file: Path) -> str:
    """Create a new file beside it, and remove it where that was not refused."""
    place = file.with_name("self-test.new")
    with place.open("xb"):
        pass
    place.unlink()
    return "it was written"
