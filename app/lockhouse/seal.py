"""The seal: no network for this process and everything it starts, enforced by the kernel.

On Linux a seccomp filter refuses every socket that is not AF_UNIX, io_uring, which could make one
without the socket call, and the calls that reach into another program of the user, which is not
sealed. It needs no privilege, covers native code and children, and cannot be taken back. Elsewhere
a Python audit hook is all there is, and :func:`state` says so. Engines are confined further: with
Landlock they see their model and the program, nothing else, and a second filter leaves them the
connections they have and no new ones, not even to a program of this machine.

Standard library only: this runs before any other code is loaded.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

SealLevel = Literal["kernel", "python", "none"]
ProbeLevel = Literal["kernel", "sandbox", "python", "none"]


class _Calls(NamedTuple):
    """Numbers of one architecture: linux/audit.h, asm/unistd.h."""

    architecture: int
    socket: int
    connect: int
    ptrace: int
    process_vm_writev: int
    seccomp: int
    io_uring_setup: int = 425
    io_uring_enter: int = 426
    pidfd_getfd: int = 438


_CALLS = {
    "x86_64": _Calls(0xC000003E, 41, 42, 101, 311, 317),
    "aarch64": _Calls(0xC00000B7, 198, 203, 117, 271, 277),
}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_PR_SET_NO_NEW_PRIVS = 38
_AF_UNIX = 1
# Local ones, the two of the internet, and netlink, by which name look-up sorts its answers.
_FAMILIES_OF_THE_BROKER = (_AF_UNIX, 2, 10, 16)
_in_force: list[SealLevel] = ["none"]
_connections_forbidden: list[bool] = [False]


def seal_network() -> SealLevel:
    """Refuse the network from now on, for good. Safe to call twice.

    Raises OSError where the kernel knows seccomp and still refuses the filter: a program that
    promises silence must not start without it.
    """
    if _in_force[0] != "none":
        return _in_force[0]
    if _calls() is not None:
        _install_filter((_AF_UNIX,))
        _in_force[0] = "kernel"
    else:
        sys.addaudithook(_refuse_in_python)
        _in_force[0] = "python"
    return _in_force[0]


def state() -> SealLevel:
    """How this process has sealed itself."""
    return _in_force[0]


def limit_broker() -> bool:
    """For the one process that connects: no io_uring, no sockets but of the usual families.

    Cannot be taken back. False where this system has no seccomp; raises OSError where it refuses.
    """
    if _calls() is None:
        return False
    _install_filter(_FAMILIES_OF_THE_BROKER)
    return True


def forbid_connections() -> bool:
    """No new socket and no new connection from now on, not even to a program of this machine.

    For processes that hold the one connection they need, or the socket where they are asked.
    Cannot be taken back. False where this system has no seccomp; raises OSError where it refuses.
    """
    if _calls() is None:
        return False
    _install_filter(())
    _connections_forbidden[0] = True
    return True


def _calls() -> _Calls | None:
    """None where there is no filter for this system."""
    return _CALLS.get(platform.machine()) if sys.platform == "linux" else None


def _filter_program(calls: _Calls, families: Sequence[int]) -> bytes:
    """Classic BPF over ``struct seccomp_data``: number at 0, architecture 4, argument 0 at 16."""
    load, equal, at_least, ret = 0x20, 0x15, 0x35, 0x06
    allow, refuse, kill = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
    program = [
        (load, 0, 0, 4), (equal, 1, 0, calls.architecture), (ret, 0, 0, kill), (load, 0, 0, 0),
    ]  # fmt: skip
    if calls is _CALLS["x86_64"]:  # the x32 numbers would bypass the filter
        program += [(at_least, 0, 1, 0x40000000), (ret, 0, 0, refuse)]
    refused = [
        calls.io_uring_setup, calls.io_uring_enter, calls.pidfd_getfd, calls.ptrace,
        calls.process_vm_writev,
    ]  # fmt: skip
    for number in refused if families else (*refused, calls.connect):
        program += [(equal, 0, 1, number), (ret, 0, 0, refuse)]
    program += [
        (equal, 1, 0, calls.socket),
        (ret, 0, 0, allow),
        (load, 0, 0, 16),
    ]
    for family in families:
        program += [(equal, 0, 1, family), (ret, 0, 0, allow)]
    program += [(ret, 0, 0, refuse)]
    return b"".join(struct.pack("HBBI", *step) for step in program)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _forbid_new_privileges(libc: ctypes.CDLL) -> None:
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused no_new_privs")


def _install_filter(families: Sequence[int]) -> None:
    """Sockets of these families only; of none, and no connection, where there are none."""
    calls, libc = _calls(), _libc()
    assert calls is not None
    _forbid_new_privileges(libc)
    code = _filter_program(calls, families)
    program = _Program(len(code) // 8, code)
    set_filter, all_threads = 1, 1
    if libc.syscall(calls.seccomp, set_filter, all_threads, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "the kernel refused the network filter")


def _refuse_in_python(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.__new__" and len(args) > 1 and args[1] != _AF_UNIX:
        raise PermissionError(errno.EPERM, "sealed: Lockhouse does not use the network")
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        raise PermissionError(errno.EPERM, "sealed: Lockhouse does not look up names")


# --- what was there before -------------------------------------------------------------------


def close_inherited(expected: Iterable[int] = ()) -> list[int]:
    """Close sockets and io_urings that whoever started this process left open in it.

    Standard input, output and error stay, and those that are ``expected``. Gives those of the
    three that are connections of the network: what goes there is not held back by any seal.
    """
    kept = {*expected}
    if (wayland := os.environ.get("WAYLAND_SOCKET", "")).isdecimal():
        kept.add(int(wayland))
    connected = []
    for fd in _open_descriptors():
        if fd in kept or not _can_send(fd):
            continue
        if fd > 2:
            os.close(fd)
        elif _is_network(fd):
            connected.append(fd)
    return connected


def _open_descriptors() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return sorted(int(entry.name) for entry in Path(folder).iterdir())
        except OSError:
            continue
    return list(range(3, 256))


def _can_send(fd: int) -> bool:
    """Whether it is a socket, or an io_uring, which could use one that it was given."""
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            return True
        return str(Path(f"/proc/self/fd/{fd}").readlink()) == "anon_inode:[io_uring]"
    except OSError:
        return False


def _is_network(fd: int) -> bool:
    import socket

    try:
        with socket.socket(fileno=os.dup(fd)) as found:
            return found.family != _AF_UNIX
    except OSError:
        return False


# --- files ---------------------------------------------------------------------------------

_READ_FILE, _READ_DIR, _EXECUTE, _WRITE_FILE, _REMOVE_FILE = 1 << 2, 1 << 3, 1, 1 << 1, 1 << 5
_TRUNCATE = 1 << 14  # from the third version on; before it, who may write may truncate
_CONNECT_TCP, _BIND_TCP = 1 << 1, 1 << 0
_NO_ABSTRACT_SOCKETS, _NO_SIGNALS = 1 << 0, 1 << 1
_BENEATH_PATH, _AT_PORT = 1, 2  # kinds of rules
LANDLOCK_WITH_PORTS = 4  # the version that knows TCP ports
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}  # how many of the fs rights each version knows


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def landlock_version() -> int:
    """The Landlock ABI of this kernel; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_LANDLOCK_CREATE, None, 0, 1)))


def confine_files(
    *,
    read: Iterable[Path],
    run: Iterable[Path] = (),
    write: Iterable[Path] = (),
    remove: Iterable[Path] = (),
    connect_ports: Sequence[int] = (),
) -> bool:
    """Restrict this process to these files and folders, and forbid TCP. False without Landlock.

    ``read`` may be read, ``run`` read and executed, ``write`` read and written (existing files
    only), from ``remove`` files may be removed. Paths that do not exist are ignored.
    ``connect_ports`` is for the broker: TCP to these ports, and local sockets without a file,
    which some desktops use for the keyring. Cannot be taken back.
    """
    version = landlock_version()
    if not version:
        return False
    libc = _libc()
    handled = (1 << _RIGHTS_BY_ABI.get(version, 16)) - 1
    scoped = _NO_SIGNALS if connect_ports else _NO_SIGNALS | _NO_ABSTRACT_SOCKETS
    tcp = _BIND_TCP | _CONNECT_TCP
    ruleset = _Ruleset(
        handled, tcp if version >= LANDLOCK_WITH_PORTS else 0, scoped if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset_fd = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(ruleset), size, 0)
    if ruleset_fd < 0:
        return False
    try:
        for paths, rights in (
            (read, _READ_FILE | _READ_DIR),
            (run, _READ_FILE | _READ_DIR | _EXECUTE),
            (write, _READ_FILE | _WRITE_FILE | _TRUNCATE),
            (remove, _REMOVE_FILE),
        ):
            for path in paths:
                _allow(libc, ruleset_fd, path, rights & handled)
        for port in connect_ports if version >= LANDLOCK_WITH_PORTS else ():
            at_port = _NetPort(_CONNECT_TCP, port)
            libc.syscall(_LANDLOCK_ADD, ruleset_fd, _AT_PORT, ctypes.byref(at_port), 0)
        _forbid_new_privileges(libc)
        return int(libc.syscall(_LANDLOCK_RESTRICT, ruleset_fd, 0)) == 0
    finally:
        os.close(ruleset_fd)


def program_files() -> list[Path]:
    """What every process of this program must be able to run: the program, Python, the system."""
    system = [Path(path) for path in ("/usr", "/lib", "/lib64", "/bin", "/opt", "/nix")]
    prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent}
    return [*system, *prefixes, *map(Path, filter(None, sys.path))]


def _allow(libc: ctypes.CDLL, ruleset_fd: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= ~_READ_DIR
        rule = _PathBeneath(rights, fd)
        libc.syscall(_LANDLOCK_ADD, ruleset_fd, _BENEATH_PATH, ctypes.byref(rule), 0)
    finally:
        os.close(fd)


# --- self-test -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """One attempt to reach the network, and how it ended."""

    attempt: str
    stopped: bool
    by: ProbeLevel  # the kernel for all code, the sandbox (Landlock), or Python code only
    detail: str


_CHILD_LIMIT_S = 30.0
_NATIVE = (
    "import ctypes,os,sys;c=ctypes.CDLL(None,use_errno=True);"
    "f=c.socket(2,1,0);e=ctypes.get_errno();print(f,e)"
)


def self_test() -> list[Probe]:
    """Try every way to use the network from this process, and report each attempt.

    Nothing is sent: an attempt that is not stopped ends at a closed port of this machine.
    """
    import socket
    import subprocess

    def by_family(family: int) -> str:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(1)
            sock.connect(("127.0.0.1" if family == socket.AF_INET else "::1", 9))
        return "connected"

    def by_packet() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", ("127.0.0.1", 9))
        return "a packet was sent"

    def by_name() -> str:
        return str(socket.getaddrinfo("lockhouse.invalid", 443))

    def natively() -> str:
        libc = _libc()
        fd = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.close(fd)
        return "a native socket was opened"

    def in_child() -> str:
        fd, code = (
            int(part)
            for part in subprocess.run(
                [sys.executable, "-IS", "-c", _NATIVE],
                capture_output=True,
                text=True,
                check=True,
                timeout=_CHILD_LIMIT_S,
            ).stdout.split()
        )
        if fd < 0:
            raise OSError(code, os.strerror(code))
        return "a child opened a socket"

    attempts: tuple[tuple[str, object], ...] = (
        ("IPv4 connection", lambda: by_family(socket.AF_INET)),
        ("IPv6 connection", lambda: by_family(socket.AF_INET6)),
        ("UDP packet", by_packet),
        ("Name look-up", by_name),
        ("Connection from native code", natively),
        ("Connection from a child process", in_child),
        ("io_uring", try_io_uring),
        ("Netlink, the kernel's own channel", lambda: try_family(16)),
        ("Code put into another program", _try_ptrace),
        ("A connection left open by whoever started this", _find_inherited),
    )
    if _connections_forbidden[0]:
        attempts += (("Another program of this machine", lambda: try_family(_AF_UNIX)),)
    return [_probe(name, attempt, _in_force[0]) for name, attempt in attempts]


def try_io_uring() -> str:
    """Set up an io_uring, which makes connections without the socket call. Raises OSError."""
    calls = _calls()
    if calls is None:
        raise OSError(errno.ENOSYS, "no such call on this system")
    parameters = (ctypes.c_uint8 * 120)()
    fd = _libc().syscall(calls.io_uring_setup, 4, parameters)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(fd)
    return "an io_uring was set up"


def try_family(family: int) -> str:
    """Open a socket of that family from native code. Raises OSError."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "no such sockets on this system")
    fd = _libc().socket(family, 2, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(fd)
    return "a socket was opened"


def _try_ptrace() -> str:
    """Trace a process that cannot be there: a kernel that would allow it says that it is not."""
    calls = _calls()
    if calls is None:
        raise OSError(errno.ENOSYS, "no such call on this system")
    attach, nobody = 16, 0
    _libc().syscall(calls.ptrace, attach, nobody, None, None)
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


def _find_inherited() -> str:
    found = [fd for fd in _open_descriptors() if _can_send(fd) and _is_network(fd)]
    if found:
        return "there is one: descriptor " + ", ".join(map(str, found))
    raise PermissionError(errno.EPERM, "there is none")


def _probe(name: str, attempt: object, level: SealLevel) -> Probe:
    import socket

    assert callable(attempt)
    by: SealLevel = "none"
    try:
        detail = str(attempt())
    except PermissionError as error:
        by, detail = level, error.strerror or str(error)
    except socket.gaierror as error:
        # Without a socket no name server answers. "Unknown name" is an answer: some systems
        # ask a resolver of their own over a local socket, which the seal leaves open.
        by = "none" if error.errno == socket.EAI_NONAME else level
        detail = error.strerror or str(error)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            by, detail = "kernel", "not available on this system"
        else:
            detail = error.strerror or str(error)
    return Probe(name, stopped=by != "none", by=by, detail=detail)
