"""Geometry, columns and the open conversation, restored at the next start.

Kept in the home's own folder, beside the database, because nothing is ever written elsewhere.
A file that cannot be read or written costs the position of the window and nothing more.
"""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path

import msgspec
from PySide6.QtCore import QSaveFile

from lockhouse.core.json_decoding import decoded


class WindowState(msgspec.Struct, frozen=True):
    """The saved state of a window."""

    geometry: str = ""  # Qt's own bytes in base64
    page: str = "chat"
    conversation_id: str = ""
    columns: dict[str, object] = {}
    was_used: bool = False
    draft: str = ""  # typed in a chat that does not exist yet

    @property
    def geometry_bytes(self) -> bytes:
        """For ``restoreGeometry``; empty when invalid."""
        with contextlib.suppress(ValueError):
            return base64.b64decode(self.geometry, validate=True)
        return b""


def load_state(path: Path) -> WindowState:
    """The saved state, or that of a first start."""
    try:
        return decoded(path.read_bytes(), WindowState)
    except (OSError, msgspec.DecodeError):
        return WindowState()


def save_state(path: Path, state: WindowState) -> None:
    """Write the whole file or nothing."""
    file = QSaveFile(str(path))
    if file.open(QSaveFile.OpenModeFlag.WriteOnly):
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=1))
        file.commit()
