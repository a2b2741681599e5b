"""Maps errors of the disk to errors for the user, for every file of the home."""

from __future__ import annotations

import errno
from pathlib import Path

from lockhouse.core.errors import StorageError


def map_write_error(path: Path, error: OSError) -> StorageError:
    """The error for a file or folder that the system refuses to write."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return disk_full(path) if full else read_only(path)


def read_only(path: Path) -> StorageError:
    """The error for a file or folder that cannot be written."""
    return StorageError(
        f"Lockhouse cannot write to {path}.",
        hint="Make the file and its folder writable, or choose another folder with --home.",
        code="read_only",
    )


def disk_full(path: Path) -> StorageError:
    """The error for a disk without room."""
    return StorageError(
        f"There is no room left on the disk that holds {path}.",
        hint="Free some space and try again. What was saved before is intact.",
        code="disk_full",
    )
