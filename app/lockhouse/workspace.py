"""Every service of one home, built once for whichever door was used.

The only place that knows how the parts fit together; nothing here does work of its own.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockhouse.answer.local import LoadPlanner, LocalTargets
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.turns import Turns
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.pool import EnginePool
from lockhouse.library.models import Models
from lockhouse.library.starter import starter_model
from lockhouse.storage.database import Database
from lockhouse.storage.settings import Settings, SettingsFile


@dataclass(frozen=True, slots=True)
class Paths:
    """Where this home keeps its things. Nothing is written anywhere else."""

    home: Path
    database: Path
    settings: Path
    models: Path
    cache: Path
    logs: Path
    run: Path
    backups: Path


def paths_for(home: Path | None) -> Paths:
    """The places of ``home``, of LOCKHOUSE_HOME, or of the system's own folders."""
    chosen = home or (Path(value) if (value := os.environ.get("LOCKHOUSE_HOME")) else None)
    if chosen is not None:
        root = chosen.expanduser().absolute()
        data = cache = logs = run = root
        cache, logs, run = root / "cache", root / "logs", root / "run"
    else:
        import platformdirs

        folders = platformdirs.PlatformDirs("lockhouse", appauthor=False)
        root = data = folders.user_data_path
        cache, logs, run = folders.user_cache_path, folders.user_log_path, root / "run"
    return Paths(
        home=root,
        database=data / "lockhouse.db",
        settings=data / "settings.json",
        models=data / "models",
        cache=cache,
        logs=logs,
        run=run,
        backups=data / "backups",
    )


class Workspace:
    """The services of one home. Close it at the end; engines stay for their idle time."""

    def __init__(self, paths: Paths, overrides: Mapping[str, str | int | float | bool]) -> None:
        """Raises StorageError when the database cannot be used."""
        self.paths = paths
        self.settings_file = SettingsFile(paths.settings)
        self.settings: Settings = self.settings_file.load(overrides=overrides)
        self.database = Database(paths.database, backups=paths.backups)
        starter = starter_model()
        self.models = Models(self.database, paths.models, starter)
        self.checkup = EngineCheckup(paths.cache)
        self.engines = EnginePool(
            paths.run,
            paths.logs,
            idle_s=self.settings.engine_idle_s,
            plan=LoadPlanner(self.checkup, starter),
        )
        self.targets = LocalTargets(self.models, self.engines, lambda: self.settings)
        self.conversations = Conversations(self.database)
        self.turns = Turns(self.conversations, self.targets)

    def save_settings(self, **changes: object) -> Settings:
        """Change settings, for this program and the next start."""
        settings = dataclasses.replace(self.settings, **changes)  # type: ignore[arg-type] # checked by save
        self.settings_file.save(settings)
        self.settings = settings
        self.engines.idle_s = settings.engine_idle_s
        return settings

    def close(self) -> None:
        """Let go of engines and the database."""
        self.engines.close()
        self.database.close()


def open_workspace(
    home: Path | None = None, *, overrides: Mapping[str, str | int | float | bool] | None = None
) -> Workspace:
    """Open the home that was asked for."""
    return Workspace(paths_for(home), overrides or {})
