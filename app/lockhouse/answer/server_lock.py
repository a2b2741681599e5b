"""Servers that answer one question at a time, as all programs of a home know them.

Some give an answer up as soon as the next question comes. Once that was seen, questions to such
a server pass one by one, whichever program asks. Hides the files by which programs know.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_HOLDS_S = 3600.0  # it may have been started in another way since


class ServerLock:
    """A folder with a file for each such server. Where it cannot be used, nobody waits."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def is_known(self, url: str) -> bool:
        """Whether some program saw it give an answer up, not long ago."""
        if self._folder is None:
            return False
        try:
            return time.time() - self._path(url).stat().st_mtime < _HOLDS_S
        except OSError:
            return False

    def note(self, url: str) -> None:
        """It gave an answer up."""
        if self._folder is not None:
            with contextlib.suppress(OSError):  # this program knows all the same
                self._folder.mkdir(parents=True, exist_ok=True)
                self._path(url).touch(mode=0o600)

    def take(self, url: str) -> int | None:
        """Pass; what :meth:`give` wants back. None while another program is inside."""
        if self._folder is None or sys.platform == "win32":
            return -1
        try:
            file = os.open(self._path(url), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return -1
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError:  # a file system without locks
            os.close(file)
            return -1
        return file

    def give(self, file: int) -> None:
        """The question is over."""
        if file >= 0:
            os.close(file)

    def _path(self, url: str) -> Path:
        assert self._folder is not None
        return self._folder / hashlib.sha256(url.encode()).hexdigest()[:16]
