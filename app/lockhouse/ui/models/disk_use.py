"""What the models take on each disk, and what is free there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from lockhouse.library.model_info import FolderUse, ModelInfo
from lockhouse.ui import formatting

_REMOVABLE_ROOTS = ("/media/", "/run/media/", "/mnt/", "/Volumes/")


@dataclass(frozen=True, slots=True)
class DiskUse:
    """One disk."""

    label: str
    model_count: int
    size_bytes: int
    free_bytes: int
    total_bytes: int
    is_removable: bool = False
    folders: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The figures, short."""
        return (
            f"{formatting.size(self.size_bytes)} in "
            f"{formatting.counted(self.model_count, 'model')}, "
            f"{formatting.size(self.free_bytes)} free"
        )

    @property
    def sentence(self) -> str:
        """The figures with the name of the disk."""
        return f"{self.label}: {self.summary}"

    @property
    def used(self) -> float:
        """The share of the disk that is used, by whatever."""
        return 1 - self.free_bytes / self.total_bytes if self.total_bytes else 0.0


def shown_free(free_bytes: int) -> int:
    """Free space as finely as it is shown: a log that grows by a line changes nothing."""
    step = 50_000_000 if free_bytes > 5_000_000_000 else 1_000_000
    return free_bytes // step * step


def disk_use(folders: Sequence[FolderUse], models: Sequence[ModelInfo]) -> tuple[DiskUse, ...]:
    """The disks that hold models, the one with the most bytes of models first. Asks the disks."""
    mounts = _mounts()
    on_mount: dict[str, list[ModelInfo]] = defaultdict(list)
    for model in models:
        if model.state != "missing":
            on_mount[_mount_of(model.path, mounts)].append(model)
    disks: list[DiskUse] = []
    for mount, here in on_mount.items():
        try:
            room = psutil.disk_usage(mount)
        except OSError:
            continue
        inside = tuple(
            f"{folder.label}: {formatting.size(folder.size_bytes)} in {folder.path}"
            for folder in folders
            if folder.model_count and _mount_of(folder.path, mounts) == mount
        )
        disks.append(
            DiskUse(
                Path(mount).name or "System",
                len(here),
                sum(model.size_bytes for model in here),
                shown_free(room.free),
                room.total,
                is_removable=mount.startswith(_REMOVABLE_ROOTS),
                folders=inside,
            )
        )
    return tuple(sorted(disks, key=lambda disk: -disk.size_bytes))


def removable_disk(path: Path) -> str:
    """The name of the removable disk that a file is on, "" for any other. Asks the system."""
    mount = _mount_of(path.resolve(), _mounts())
    return Path(mount).name if mount.startswith(_REMOVABLE_ROOTS) else ""


def _mounts() -> tuple[str, ...]:
    try:
        found = {part.mountpoint for part in psutil.disk_partitions(all=True)}
    except OSError:
        found = set()
    return tuple(sorted(found | {str(Path(Path.cwd().anchor or "/"))}, key=len, reverse=True))


def _mount_of(path: Path, mounts: Sequence[str]) -> str:
    """The longest mount point above a path. Compares names only: a stalled disk is not asked."""
    text = str(path)
    for mount in mounts:
        if text == mount or text.startswith(mount.rstrip("/\\") + path.anchor[-1:]):
            return mount
    return path.anchor
