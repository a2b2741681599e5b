"""Connections for the HTTP library: looked up, made, limited and counted under the guard.

Implements httpcore's public interface for networks. Every byte that is sent or received passes
through :class:`Stream`, so its counts are what the records say.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore2

from lockhouse.gate.broker import operation as operations

_CONNECT_S = 15.0
_IDLE_S = 30.0
# After this long without an acknowledgement a connection is lost: one kept while the machine was
# suspended, for example, which would otherwise be waited on for as long as for an answer.
_UNHEARD_MS = 20_000


class Stream(httpcore2.NetworkStream):
    """One connection. ``handle`` is a duplicate of its socket that TLS does not take over."""

    def __init__(self, sock: socket.socket, handle: socket.socket) -> None:
        self._sock = sock
        self._handle = handle

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come; empty at the end."""
        operation = operations.current()
        # The limit may have changed since the request was made.
        patience_s = operation.patience_s(operation.limits.idle_s)
        operation.check()
        try:
            data = self._at_hand(max_bytes)
            if data is None:
                self._sock.settimeout(patience_s)
                with operation.waiting_for(self._handle):
                    data = self._sock.recv(max_bytes)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:  # ours, not the system's
                raise httpcore2.ReadTimeout(str(error)) from error
            raise httpcore2.ReadError(str(error)) from error
        operation.came(len(data))
        return data

    def _at_hand(self, max_bytes: int) -> bytes | None:
        """What has come already; None when there is nothing yet."""
        self._sock.settimeout(0)
        try:
            return self._sock.recv(max_bytes)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def receive(self, buffer: memoryview, *, idle_s: float) -> int:
        """Read straight into ``buffer``; how much, 0 at the end. For bodies without an encoding.

        Raises TimeoutError, OSError, Cancelled.
        """
        operation = operations.current()
        self._sock.settimeout(operation.patience_s(idle_s))
        with operation.waiting_for(self._handle):
            count = self._sock.recv_into(buffer)
        operation.bytes_in += count
        return count

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send it all."""
        operation = operations.current()
        view = memoryview(buffer)
        while view:
            self._sock.settimeout(operation.patience_s(timeout or _IDLE_S))
            try:
                with operation.waiting_for(self._handle):
                    sent = self._sock.send(view)
            except TimeoutError as error:
                raise httpcore2.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore2.WriteError(str(error)) from error
            operation.bytes_out += sent
            view = view[sent:]

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """The same connection, encrypted."""
        operation = operations.current()
        with _connecting():
            self._sock.settimeout(operation.patience_s(timeout or _CONNECT_S))
            with operation.waiting_for(self._handle):
                try:
                    wrapped = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
                except BaseException:
                    self.close()
                    raise
        return Stream(wrapped, self._handle)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._sock.close()
        self._handle.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a connection."""
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "socket":
            return self._sock
        if info == "is_readable":
            return self._sock.fileno() < 0 or bool(select.select([self._sock], [], [], 0)[0])
        return None


class Network(httpcore2.NetworkBackend):
    """Makes connections, to listed hosts only."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Look the host up and connect to the first of its addresses that answers."""
        operation = operations.current()
        with _connecting():
            addresses = operation.guard.look_up(host, port)
            operation.check()
            for number, address in enumerate(addresses, start=1):
                try:
                    return self._connect(operation, address, timeout or _CONNECT_S)
                except OSError:
                    if number == len(addresses):
                        raise
        raise httpcore2.ConnectError(f"{host} has no address")

    def _connect(
        self, operation: operations.Operation, address: tuple[int, str, int], timeout: float
    ) -> Stream:
        sock = socket.socket(address[0], socket.SOCK_STREAM)
        handle = sock.dup()
        try:
            sock.settimeout(operation.patience_s(timeout))
            with operation.waiting_for(handle):
                operation.guard.connect(sock, address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sys.platform == "linux":
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
        except BaseException:
            sock.close()
            handle.close()
            raise
        return Stream(sock, handle)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Never."""
        raise httpcore2.ConnectError("local sockets are not for requests")


@contextlib.contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(str(error)) from error
    except OSError as error:  # ssl's and the resolver's errors are of this kind
        raise httpcore2.ConnectError(str(error)) from error
