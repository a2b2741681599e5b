"""The paths of a home. Separate from the services, so that importing it is cheap."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files of a home. Nothing is written anywhere else."""

    home: Path
    database: Path
    settings: Path
    models: Path
    cache: Path
    logs: Path
    run: Path
    backups: Path
    network: Path


def paths_for(home: Path | None) -> Paths:
    """The paths of ``home``, of LOCKHOUSE_HOME, or in the folders of the system."""
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
        network=data / "network.json",
    )
