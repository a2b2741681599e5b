"""Files that the user asked for, in a place of the user's choice.

Hides that a file is written whole or not at all, and that it gets the rights of the user's other
files, while everything the program keeps for itself is for the user alone.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from lockhouse import processes
from lockhouse.core.errors import StorageError


@contextlib.contextmanager
def exported_file(path: Path) -> Iterator[TextIO]:
    """A text file to write to, in UTF-8; in its place once all is written.

    Raises StorageError, and leaves what was there, when that cannot be done.
    """
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():  # a device or a pipe
            with path.open("w", encoding="utf-8") as file:
                yield file
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}-")
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a handle
                yield file
                file.flush()
                os.fsync(handle)
            mode = path.stat().st_mode & 0o777 if path.exists() else processes.users_file_mode()
            with contextlib.suppress(OSError):  # some disks have no rights
                Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:  # the latter for links that lead in a circle
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(
            f"{path} could not be written: {reason}.",
            hint="Choose an existing, writable folder on a disk with free space.",
            code="export_not_written",
        ) from error


def export_text(path: Path, text: str) -> None:
    """Write one text as such a file. Raises StorageError."""
    with exported_file(path) as file:
        file.write(text)
