"""Which hosts may be connected to: checked before every request, every connection, and by a hook.

Three checks of the same list. The transport calls :meth:`Guard.check` for every request and every
redirect; :meth:`Guard.look_up` and :meth:`Guard.connect` make the connection; and the audit hook
refuses any other connection or look-up that Python code of this process tries, whoever wrote it.

:class:`PolicySource` reads the list again for each operation. The broker cannot read the home: the
kernel prevents it. So the program passes network.json, open, with each operation, and the broker
makes sure that it is that very file. A sealed network is refused at once; a host that was added
can be reached if the kernel lets this broker use its port.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lockhouse.core.errors import NetworkRefused
from lockhouse.core.labels import Label, Zone, require_label
from lockhouse.gate.network import (
    NetworkState,
    allows,
    is_near,
    is_this_machine,
    split_host,
    state_in,
)

_STARTS_A_PROCESS = ("os.exec", "os.fork", "os.posix_spawn", "os.system", "subprocess.Popen")
_LOOKS_UP = ("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_FAMILY = vars(socket.SocketType)["family"]  # as the system has it

Address = tuple[int, str, int]  # family, number, port
_Signature = tuple[int, int, int, int]  # device, inode, size and time of a file


class Guard:
    """The list that is in force. ``ports``: what the kernel lets this process connect to.

    ``label`` is that of what is sent, which keeps it from hosts that are too far away.
    """

    def __init__(
        self,
        state: NetworkState,
        ports: tuple[int, ...] | None = None,
        label: Label = "public",
    ) -> None:
        self.state = state
        self._ports = ports
        self._label = label
        self._going = threading.local()

    def narrowed(
        self, hosts: tuple[str, ...], lan_hosts: tuple[str, ...] = (), *, lan: bool
    ) -> Guard:
        """What both this broker and the program allow, in the nearer zone of the two."""
        both = [host for host in self.state.all_hosts if host in hosts or host in lan_hosts]
        near = tuple(host for host in both if host in self.state.lan_hosts or host in lan_hosts)
        far = tuple(host for host in both if host not in near)
        # A host that a pattern allows may be required to be near by itself.
        near += tuple(one for one in lan_hosts if one not in near and _is_among(far, one))
        state = replace(self.state, hosts=far, lan_hosts=near, lan=self.state.lan or lan)
        return self.changed(state)

    def changed(self, state: NetworkState) -> Guard:
        """The same, with another list."""
        return self._copy(state, self._label)

    def labelled(self, label: Label) -> Guard:
        """The same, for what has this label."""
        return self._copy(self.state, label)

    def _copy(self, state: NetworkState, label: Label) -> Guard:
        other = Guard(state, self._ports, label)
        other._going = self._going  # one hook watches all
        return other

    @property
    def proxy_address(self) -> tuple[str, int] | None:
        """Host and port of the proxy, where one is set."""
        return split_host(self.state.proxy.removeprefix("http://")) if self.state.proxy else None

    def check(self, scheme: str, host: str, port: int, *, has_key: bool) -> None:
        """Raise NetworkRefused or PolicyRefused for a request that is not allowed."""
        if scheme not in ("http", "https"):
            raise NetworkRefused("Only http and https are supported.", code="host_not_allowed")
        if not allows(self.state.all_hosts, host, port):
            raise self._not_listed(host, port)
        self.require_label(host, port)
        if scheme == "http" and has_key and not self._must_be_near(host, port):
            raise NetworkRefused(
                f"The key would be sent to {host} unencrypted, so nothing was sent.",
                hint="Use its https:// address.",
                code="key_unencrypted",
            )

    def require_label(self, host: str, port: int) -> None:
        """Raise PolicyRefused when the label does not allow this host."""
        require_label(self._label, self.zone_of(host, port), _named(host, port))

    def zone_of(self, host: str, port: int) -> Zone:
        """Where a host is, by what :meth:`look_up` requires of its addresses."""
        if self.state.proxy:  # which looks names up itself
            return "cloud"
        if is_this_machine(host):
            return "local"
        return "lan" if self._must_be_near(host, port) else "cloud"

    def look_up(self, host: str, port: int) -> list[Address]:
        """The addresses of a listed host, or of the proxy. Raises NetworkRefused, gaierror."""
        proxy = self.proxy_address
        if (host, port) != proxy and (proxy or not allows(self.state.all_hosts, host, port)):
            raise self._not_listed(host, port)
        if self._ports is not None and port not in self._ports and not proxy:
            raise NetworkRefused(
                f"{_named(host, port)} was allowed after this program started, which can use the "
                f"ports {', '.join(map(str, self._ports))} only.",
                hint="Restart this program.",
                code="start_anew",
            )
        with self._towards(host, port):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys((int(one[0]), str(one[4][0]), port) for one in found))
        if is_this_machine(host) and not all(is_this_machine(number) for _, number, _ in addresses):
            raise NetworkRefused(
                f"{host} does not resolve to this machine.",
                hint="Check the name in /etc/hosts.",
                code="host_not_allowed",
            )
        if self._must_be_near(host, port):
            require_near(host, addresses)
        return addresses

    def _must_be_near(self, host: str, port: int) -> bool:
        """Whether the list or its own name requires private addresses."""
        return self.state.must_be_near(host, port) or is_this_machine(host) or is_near(host)

    def connect(self, sock: socket.socket, address: Address) -> None:
        """Connect to an address that :meth:`look_up` gave. Raises OSError."""
        _, number, port = address
        with self._towards(number, port):
            sock.connect((number, port))

    def audit(self, event: str, args: tuple[object, ...]) -> None:
        """The hook: refuses what does not come through this guard."""
        if event == "socket.connect":
            self._audit_connect(args)
        elif event == "socket.getaddrinfo":
            if args[0] is not None and args[:1] != self._goal()[:1]:
                raise _refusal("only listed hosts are looked up")
        elif event in ("socket.bind", "socket.sendto", "socket.sendmsg"):
            if args[1] is not None and _is_internet(args[0]):
                raise _refusal("only connections to listed hosts are allowed")
        elif event in _LOOKS_UP:
            raise _refusal("only listed hosts are looked up")
        elif event in _STARTS_A_PROCESS:
            raise _refusal("the broker starts no programs")

    def _audit_connect(self, args: tuple[object, ...]) -> None:
        sock, address = args[0], args[1]
        if not _is_internet(sock):
            return
        if not isinstance(address, tuple) or tuple(address[:2]) != self._goal():
            raise _refusal("a connection to a host that is not listed")

    def _goal(self) -> tuple[str, int] | tuple[()]:
        goal: tuple[str, int] | tuple[()] = getattr(self._going, "goal", ())
        return goal

    @contextlib.contextmanager
    def _towards(self, host: str, port: int) -> Iterator[None]:
        self._going.goal = (host, port)
        try:
            yield
        finally:
            self._going.goal = ()

    def _not_listed(self, host: str, port: int) -> NetworkRefused:
        name = _named(host, port)
        hint = f"If you trust it, allow it: lockhouse unseal --add --host {name}"
        if is_near(host):  # which a name is not
            hint = (
                "It is an address of this machine or of its own network. A server of the internet "
                "has no reason to send you there."
            )
        return NetworkRefused(
            f"{name} is not on the list of allowed hosts, so nothing was sent to it.",
            hint=hint,
            code="host_not_allowed",
        )


def _is_among(patterns: tuple[str, ...], listed: str) -> bool:
    return not listed.startswith("*") and allows(patterns, *split_host(listed))


def _named(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_internet(sock: object) -> bool:
    """Whether it is no local socket, whatever class it has: the usual one has base classes."""
    return isinstance(sock, socket.SocketType) and _FAMILY.__get__(sock) != socket.AF_UNIX


def _refusal(what: str) -> PermissionError:
    return PermissionError(errno.EPERM, f"{os.strerror(errno.EPERM)}: {what}")


def require_near(host: str, addresses: Iterable[Address]) -> None:
    """Raise NetworkRefused when one of its addresses is not in a private network.

    One is enough: a name with both kinds could lead to either one at the next look-up.
    """
    for _, number, _ in addresses:
        if not is_near(number):
            raise NetworkRefused(
                f"{host} is {number}, which is outside the local network.",
                hint="It is allowed as a host of the local network (unseal --lan), so all its "
                "addresses must belong to this machine or a private network.",
                code="host_not_allowed",
            )


class PolicySource:
    """Reads the file of one home, whose state was ``started`` when the broker started."""

    def __init__(
        self, path: Path, started: NetworkState, *, ports: tuple[int, ...] | None = None
    ) -> None:
        """``ports``: the only ones that the kernel lets this process connect to."""
        self._path = path
        self._ports = ports
        self._started = started
        self._mirror = os.environ.get("HF_ENDPOINT", "")
        self.guard = Guard(replace(started, endpoint=started.endpoint or self._mirror), ports)
        self._read: _Signature | None = None

    def read(self, fd: int) -> Guard:
        """The guard for an operation that begins now. Raises NetworkRefused.

        The same one as long as nothing was changed. Called by one thread at a time.
        """
        try:
            passed, there = os.fstat(fd), self._path.stat()
        except OSError as error:
            raise _sealed() from error
        if not os.path.samestat(passed, there):
            raise NetworkRefused(
                "The list of allowed hosts was changed at this moment, so nothing was sent.",
                hint="Try again.",
            )
        signature = (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns)
        if signature != self._read:
            self._update(state_in(fd))
            self._read = signature
        if not self.guard.state.is_open or self.guard.state.has_ended:
            raise _sealed()
        return self.guard

    def _update(self, state: NetworkState) -> None:
        if state.is_open and state.proxy != self._started.proxy:
            raise NetworkRefused(
                "The proxy was changed since this program started.",
                hint="Restart this program.",
                code="start_anew",
            )
        state = replace(state, endpoint=state.endpoint or self._mirror)
        if state != self.guard.state:
            self.guard = self.guard.changed(state)


def _sealed() -> NetworkRefused:
    return NetworkRefused(
        "The network is sealed, so nothing was sent.",
        hint="Allow network access: lockhouse unseal",
    )
