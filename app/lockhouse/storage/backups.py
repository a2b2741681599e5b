"""Backups of the database, made before its tables change.

Hides how they are named and how many are kept.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse.core.errors import StorageError
from lockhouse.storage.storage_errors import disk_full, map_write_error

if TYPE_CHECKING:
    from sqlite3 import Connection

KEPT = 10


class Backups:
    """The folder with the backups."""

    def __init__(self, folder: Path, *, stem: str) -> None:
        self._folder = folder
        self._stem = stem

    def all(self) -> list[Path]:
        """Every backup, the oldest first."""
        try:
            return sorted(self._folder.glob(f"{self._stem}-*.db"))
        except OSError:
            return []

    def newest(self) -> Path | None:
        """The newest backup."""
        found = self.all()
        return found[-1] if found else None

    def age(self) -> timedelta | None:
        """The age of the newest backup."""
        newest = self.newest()
        if newest is None:
            return None
        made = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
        return datetime.now(UTC) - made

    def make(self, connection: Connection) -> Path:
        """Copy the whole database, consistent even while others write to it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise map_write_error(self._folder, error) from error
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        place = self._folder / f"{self._stem}-{stamp}.db"
        unfinished = place.with_suffix(".unfinished")
        try:
            connection.execute("VACUUM INTO ?", [str(unfinished)])
            _flush(unfinished)
            unfinished.replace(place)
        except StorageError as error:
            unfinished.unlink(missing_ok=True)
            if error.code in ("disk_full", "disk_failed"):
                raise disk_full(place) from error
            raise
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise map_write_error(place, error) from error
        self._delete_old()
        return place

    def _delete_old(self) -> None:
        for old in self.all()[:-KEPT]:
            old.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
