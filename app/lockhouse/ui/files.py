"""Files that the user names: asked for, and written whole or with a reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from lockhouse.core.errors import StorageError


def ask_path(over: QWidget, title: str, name: str, kinds: str = "") -> Path | None:
    """Where to save; ``name`` is suggested, in the home folder. None when it was cancelled."""
    chosen, _ = QFileDialog.getSaveFileName(over, title, str(Path.home() / name), kinds)
    return Path(chosen) if chosen else None


@contextmanager
def writing(what: str, path: Path) -> Iterator[None]:
    """Raises StorageError in plain words when ``what`` cannot be written to that path."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{what} could not be written to {path}: {error.strerror}.",
            hint="Choose an existing, writable folder on a disk with free space.",
        ) from error
