"""The pair of local sockets between a program and its broker, which also passes open files.

Sockets of the AF_UNIX family only, which the seal leaves open. Hides ``SCM_RIGHTS``: each
operation passes one end of its own connection and the files that the broker may write.

:func:`cancel_with` passes a cancellation on while another thread waits for the reply. The thread
that cancels sends it, so that the waiting thread does not have to poll. A broker that does not
react in time, because it waits for something that cannot be interrupted, is abandoned.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from lockhouse.core.cancellation import CancelToken

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MOST_FILES = 16  # passed with one operation, including the state of the network
_OPERATION = b"+"
_PATIENCE_S: Final = 1.0
_SHORT_PATIENCE_S: Final = 0.04


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


@contextlib.contextmanager
def cancel_with(
    connection: Connection,
    cancel: CancelToken | None,
    *,
    has_begun: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Within this block, cancel the operation of this connection as soon as ``cancel`` is set.

    The broker then ends it; the connection ends after a second at the latest, and at once where
    nothing has begun because the broker is still starting.
    """
    if cancel is None:
        yield
        return
    token, is_sent = cancel, threading.Lock()
    timers: list[threading.Timer] = []

    def send_cancel() -> None:
        if not token.cancelled or not is_sent.acquire(blocking=False):
            return
        patience_s = _PATIENCE_S if has_begun() else _SHORT_PATIENCE_S
        timers.append(threading.Timer(patience_s, hang_up, (connection,)))
        timers[0].daemon = True
        timers[0].start()
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.send_bytes(b"-")

    with cancel.watched(send_cancel):
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
