"""The paths of a home. Separate from the services, so that importing it is cheap."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from lockhouse.core.file_names import as_text

_PROBE_BYTES = 65_536  # more than an engine's record, key and the beginning of its log


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
    """The paths of ``home``, of LOCKHOUSE_HOME, or in the folders of the system.

    Raises InvalidInput where the home could not be named to the other processes.
    """
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
    as_text(root, "The home", "Choose another one with --home DIR.")
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


def close_to_others(paths: Paths) -> None:
    """Take away the rights that other users of the machine have on what lies in a home.

    For homes of older versions, and for folders that were made before. The home itself is left
    where other things lie in it.
    """
    if os.name == "nt":
        return
    private = [paths.settings, paths.network, paths.cache, paths.logs, paths.run, paths.backups]
    with contextlib.suppress(OSError):
        entries = list(paths.home.iterdir())
        kept_data = [entry for entry in entries if entry.name.startswith(paths.database.name)]
        private += kept_data
        own = {path.name for path in (*private, paths.models)}
        if kept_data and all(entry.name in own or entry.name.startswith(".") for entry in entries):
            private.append(paths.home)
    for path in private:
        with contextlib.suppress(OSError):  # not there, or not ours
            rights = path.stat().st_mode & 0o777
            if rights & 0o077:
                path.chmod(rights & 0o700)


def with_writable_run(paths: Paths) -> Paths:
    """The same paths, with ``run`` and ``logs`` in a private temporary folder where the disk of the
    home cannot be written: models can be loaded all the same.
    """
    if _can_write(paths.run) and _can_write(paths.logs):
        return paths
    import hashlib
    import tempfile

    name = hashlib.sha256(os.fsencode(paths.home)).hexdigest()[:12]
    user = os.getuid() if hasattr(os, "getuid") else 0
    outside = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(outside, f"lockhouse-{user}-{name}")
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == user
        if is_ours and not found.st_mode & 0o077 and _can_write(folder):
            return replace(paths, run=folder, logs=folder / "log")
    return paths


def _can_write(folder: Path) -> bool:
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
        finally:
            probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True
