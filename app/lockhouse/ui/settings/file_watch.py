"""Notices when a JSON file was written, by this program or another.

Hides that a file which is replaced as a whole has to be watched again each time, and that one which
is being written in place is not complete yet.
"""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Signal

from lockhouse.ui.timers import once

_SETTLED_MS = 150


class FileWatch(QObject):
    """Watches one file, which need not exist yet."""

    written = Signal()

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._seen = self._stamp()
        self._delay = once(self, _SETTLED_MS, self._compare)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.addPath(str(path.parent))
        self._watcher.fileChanged.connect(lambda _: self._delay.start())
        self._watcher.directoryChanged.connect(lambda _: self._delay.start())
        self._watch_file()

    def _watch_file(self) -> None:
        name = str(self._path)
        if name not in self._watcher.files() and self._path.is_file():
            self._watcher.addPath(name)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def _compare(self) -> None:
        self._watch_file()
        seen = self._stamp()
        if seen != self._seen and self._is_complete():
            self._seen = seen
            self.written.emit()

    def _is_complete(self) -> bool:
        """Whether it can be read: a half-written one would be set aside as damaged."""
        if not self._path.is_file():
            return True  # deleted: the defaults apply
        try:
            return isinstance(json.loads(self._path.read_bytes().decode("utf-8-sig")), dict)
        except (OSError, ValueError, RecursionError):
            return False
