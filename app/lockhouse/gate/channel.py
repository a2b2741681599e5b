"""The pair of local sockets between a door and its broker, and handing files across it.

Sockets of the AF_UNIX family only, which the seal leaves open. Hides ``SCM_RIGHTS``: with each
operation travel one end of its own connection and the files that the broker may write.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MOST_FILES = 16  # handed over with one operation, the state of the network included
_OPERATION = b"+"


class Channel:
    """One end of the pair. The door begins operations, the broker takes them up."""

    def __init__(self, sock: socket.socket, *, broker_pid: int = 0) -> None:
        self._socket = sock
        self.broker_pid = broker_pid
        self.ports: tuple[int, ...] | None = None  # the only ones that the broker may use

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """The door's end and the broker's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours), cls(theirs)

    def inherited_fd(self) -> int:
        """The number of this end for a process that is about to be started with it."""
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
        """The next operation that the door begins. Raises EOFError when the door is gone."""
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
        """Whether somebody is at the other end. Never waits."""
        try:
            return self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Let go; the broker at the other end then ends."""
        with contextlib.suppress(OSError):
            self._socket.close()


def hang_up(connection: Connection) -> None:
    """End a connection from another thread: whoever waits at either end reads its end."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as sock:
        sock.shutdown(socket.SHUT_RDWR)
