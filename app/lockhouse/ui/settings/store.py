"""The settings in use, and the signal that they have changed.

Hides the file: a change holds at once and is written in the background.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.storage.settings import Settings
from lockhouse.ui.jobs import Jobs, ignore

if TYPE_CHECKING:
    from lockhouse.workspace import Workspace


class SettingsStore(QObject):
    """Where every part of the window reads settings."""

    changed = Signal(object)  # Settings
    failed = Signal(object)  # LockhouseError: the change could not be saved

    def __init__(self, workspace: Workspace, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._jobs = jobs
        self._current = workspace.settings
        self._unsaved = 0

    @property
    def current(self) -> Settings:
        """The settings in use."""
        return self._current

    def set(self, name: str, value: object) -> None:
        """Change and save one field."""
        if getattr(self._current, name) == value:
            return
        self._current = dataclasses.replace(self._current, **{name: value})  # type: ignore[arg-type]
        self.changed.emit(self._current)
        self._jobs.run_in_order(
            lambda: self._workspace.save_settings(**{name: value}),
            lambda _: self._saved(),
            self._revert,
        )
        self._unsaved += 1

    def reload(self) -> None:
        """Read the file again: another program has changed it."""
        self._jobs.run_in_order(self._workspace.reload_settings, self._take, ignore)

    def _take(self, settings: Settings) -> None:
        if not self._unsaved and settings != self._current:  # an unsaved change is newer
            self._current = settings
            self.changed.emit(settings)

    def _saved(self) -> None:
        self._unsaved -= 1

    def _revert(self, error: LockhouseError) -> None:
        self._unsaved -= 1
        self._current = self._workspace.settings
        self.changed.emit(self._current)
        self.failed.emit(error)
