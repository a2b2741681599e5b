"""The settings in force, and the one signal that tells of a change.

Hides the file: a change is in force at once and written behind the window's back.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.storage.settings import Settings, SettingsFile
from lockhouse.ui.jobs import Jobs, ignore


class SettingsKeeper(Protocol):
    """Whoever holds the settings for all services: the workspace."""

    settings: Settings
    settings_file: SettingsFile

    def save_settings(self, **changes: object) -> Settings:
        """Change and keep. Raises a LockhouseError when that is not possible."""
        ...

    def reload_settings(self) -> Settings:
        """Read the file again. Raises a LockhouseError when that is not possible."""
        ...


class SettingsStore(QObject):
    """What every part of the window reads settings from."""

    changed = Signal(object)  # Settings
    failed = Signal(object)  # LockhouseError: the change could not be kept

    def __init__(self, keeper: SettingsKeeper, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keeper = keeper
        self._jobs = jobs
        self._current = keeper.settings
        self._unsaved = 0

    @property
    def current(self) -> Settings:
        """The settings in force."""
        return self._current

    def set(self, name: str, value: object) -> None:
        """Change one field and keep it."""
        if getattr(self._current, name) == value:
            return
        self._current = dataclasses.replace(self._current, **{name: value})  # type: ignore[arg-type]
        self.changed.emit(self._current)
        self._jobs.run_in_order(
            lambda: self._keeper.save_settings(**{name: value}),
            lambda _: self._saved(),
            self._revert,
        )
        self._unsaved += 1

    def reload(self) -> None:
        """Somebody else wrote the file: what it says now is in force."""
        self._jobs.run_in_order(self._keeper.reload_settings, self._take, ignore)

    def _take(self, settings: Settings) -> None:
        if not self._unsaved and settings != self._current:  # what waits to be saved is newer
            self._current = settings
            self.changed.emit(settings)

    def _saved(self) -> None:
        self._unsaved -= 1

    def _revert(self, error: LockhouseError) -> None:
        self._unsaved -= 1
        self._current = self._keeper.settings
        self.changed.emit(self._current)
        self.failed.emit(error)
