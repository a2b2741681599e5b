"""Files that the user names."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget


def ask_path(over: QWidget, title: str, name: str, kinds: str = "") -> Path | None:
    """Where to save; ``name`` is suggested, in the home folder. None when it was cancelled."""
    chosen, _ = QFileDialog.getSaveFileName(over, title, str(Path.home() / name), kinds)
    return Path(chosen) if chosen else None
