"""Hashes a file while it is written, in a thread of its own.

Hashes what the disk returns, not what passed through memory. The state at the end of every block
is kept, so that after a block was repaired only the rest is hashed again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK_BYTES: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 20


class IncrementalHash:
    """The hash of a growing file. Announce only what has been written; close it at the end."""

    def __init__(self, descriptor: int, start: Callable[[], _Hash] = hashlib.sha256) -> None:
        self._descriptor = descriptor
        self._states = [start()]  # at the beginning of each block
        self._digest = start()
        self._position = 0
        self._written = 0
        self._failure: OSError | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="hashing", daemon=True)
        self._thread.start()

    @property
    def position(self) -> int:
        """How many bytes are hashed."""
        return self._position

    def advance(self, written: int) -> None:
        """Announce how many bytes are written, from the beginning."""
        with self._changed:
            self._written = max(self._written, written)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Whether all that was written is hashed. Raises OSError when it could not be read."""
        with self._changed:
            self._changed.wait_for(self._is_caught_up, timeout_s)
            if self._failure is not None:
                raise self._failure
            return self._position >= self._written

    def rewind(self, position: int) -> None:
        """Forget the hash of everything after ``position``; nothing may be running."""
        with self._changed:
            self._changed.wait_for(self._is_caught_up)
            block = min(position // BLOCK_BYTES, len(self._states) - 1)
            if block * BLOCK_BYTES < self._position:
                del self._states[block + 1 :]
                self._digest = self._states[block].copy()
                self._position = block * BLOCK_BYTES
            self._written = self._position

    def hexdigest(self) -> str:
        """The hash of everything hashed so far."""
        with self._changed:
            return self._digest.hexdigest()

    def close(self) -> None:
        """Stop the thread, wherever it is."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _is_caught_up(self) -> bool:
        return self._position >= self._written or self._failure is not None or self._closed

    def _has_work(self) -> bool:
        return self._closed or (self._position < self._written and self._failure is None)

    def _run(self) -> None:
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._closed:
                    return
                position = self._position
                block_end = (position // BLOCK_BYTES + 1) * BLOCK_BYTES
                count = min(_CHUNK_BYTES, self._written - position, block_end - position)
            try:
                read = _read(self._descriptor, buffer[:count], position)
            except OSError as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                continue
            self._digest.update(buffer[:read])
            with self._changed:
                self._position = position + read
                if self._position == block_end:
                    self._states.append(self._digest.copy())
                    _write_out(self._descriptor, block_end - BLOCK_BYTES)
                if self._position >= self._written:
                    self._changed.notify_all()


def _read(descriptor: int, buffer: memoryview, position: int) -> int:
    count = os.preadv(descriptor, [buffer], position)
    if not count:
        raise OSError(errno.EIO, "the file became shorter while it was read")
    return count


def _write_out(descriptor: int, position: int) -> None:
    """Let the system begin to write the block, so that little is left for the end."""
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, position, BLOCK_BYTES, os.POSIX_FADV_DONTNEED)
