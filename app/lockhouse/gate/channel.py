"""The pair of local sockets between a program and its broker, which also passes open files.

Sockets of the AF_UNIX family only, which the seal leaves open. Hides ``SCM_RIGHTS``: each
operation passes one end of its own connection and the files that the broker may write.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MOST_FILES = 16  # passed with one operation, including the state of the network
_OPERATION = b"+"


class Channel:
    """One end of the pair. The program begins operations, the broker accepts them."""

    def __init__(self, sock: socket.socket, *, broker_pid: int = 0) -> None:
        self._socket = sock
        self.broker_pid = broker_pid
        self.ports: tuple[int, ...] | None = None  # the only ones that the broker may use

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """The program's end and the broker's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours), cls(theirs)

    def inherited_fd(self) -> int:
        """The descriptor of this end, for a process about to be started with it."""
        self._socket.set_inheritable(True)
        return self._socket.fileno()

    @classmethod
    def of_fd(cls, fd: int) -> Channel:
        """The end that this process inherited as ``fd``."""
        return cls(socket.socket(fileno=fd))

    def begin(self, files: Sequence[int]) -> Connection:
        """A connection for one operation. Raises OSError when the broker is gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            from multiprocessing.connection import Connection  # not before the seal

            try:
                socket.send_fds(self._socket, [_OPERATION], [theirs.fileno(), *files])
            except OSError:
                ours.close()
                raise
        return Connection(ours.detach())

    def take(self) -> tuple[Connection, list[int]]:
        """The next operation of the program. Raises EOFError when the program is gone."""
        from multiprocessing.connection import Connection

        while True:
            message, fds, _, _ = socket.recv_fds(self._socket, 1, MOST_FILES + 1)
            if not message:
                raise EOFError
            for fd in fds:
                os.set_inheritable(fd, False)  # noqa: FBT003 - the call's own shape
            if fds:
                return Connection(fds[0]), fds[1:]

    @property
    def is_alive(self) -> bool:
        """Whether the process at the other end still runs. Never waits."""
        try:
            return self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close this end; the broker at the other end then ends."""
        with contextlib.suppress(OSError):
            self._socket.close()


def hang_up(connection: Connection) -> None:
    """End a connection from another thread: both ends then read the end of the stream."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)
