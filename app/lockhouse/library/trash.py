"""The trash of the desktop, as the freedesktop.org Trash specification describes it (1.0).

A file goes into the trash of its own disk, so that nothing is copied, and the desktop's file
manager shows it there and can put it back. Where the user has no trash, such as on a server,
there is none here either: files would pile up where nobody looks.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

_MOST_NAMES = 10_000


class Trash:
    """Puts files into the trash of the user, and back."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    def takes(self, path: Path) -> bool:
        """Whether this file can go into a trash."""
        return self._place_for(path) is not None

    def put(self, path: Path) -> Path:
        """Move a file into the trash; where it is now. Raises OSError."""
        place = self._place_for(path)
        if place is None:
            raise FileNotFoundError(f"there is no trash for {path}")
        folder, told = place
        files, infos = folder / "files", folder / "info"
        for each in (files, infos):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in _names(path.name):
            info = infos / f"{name}.trashinfo"
            try:
                descriptor = os.open(info, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor
                now = datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S")
                file.write(f"[Trash Info]\nPath={quote(os.fsencode(told))}\nDeletionDate={now}\n")
            try:
                os.rename(path, files / name)  # noqa: PTH104 - never to another disk
            except OSError:
                info.unlink(missing_ok=True)
                raise
            return files / name
        raise FileExistsError(f"the trash is full of files named {path.name}")

    def restore(self, trashed: Path, path: Path) -> None:
        """Move a file from the trash back. Raises OSError, also where another is there by now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        os.rename(trashed, path)  # noqa: PTH104 - never to another disk
        info = trashed.parent.parent / "info" / f"{trashed.name}.trashinfo"
        info.unlink(missing_ok=True)

    def _place_for(self, path: Path) -> tuple[Path, Path | str] | None:
        """The trash of the disk of this file, and the path that is noted there."""
        home = self._home_trash()
        if home is None:
            return None
        absolute = path.parent.resolve() / path.name
        try:
            device = absolute.parent.stat().st_dev
            if home.parent.stat().st_dev == device:
                return home, absolute
            top = absolute.parent
            while top != top.parent and top.parent.stat().st_dev == device:
                top = top.parent
        except OSError:
            return None
        relative = absolute.relative_to(top)
        common, own = top / ".Trash", top / f".Trash-{os.getuid()}"
        with suppress(OSError):
            status = common.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
                return common / str(os.getuid()), relative
        if _is_private(own) or (not os.path.lexists(own) and os.access(top, os.W_OK)):
            return own, relative
        return None

    def _home_trash(self) -> Path | None:
        """The trash of the home folder, where the user has one or a desktop that makes one."""
        if not sys.platform.startswith("linux"):
            return None
        home = self._environment.get("HOME", "")
        data = self._environment.get("XDG_DATA_HOME") or (f"{home}/.local/share" if home else "")
        if not data:
            return None
        trash = Path(data, "Trash")
        has_desktop = bool(self._environment.get("XDG_CURRENT_DESKTOP"))
        return trash if trash.is_dir() or (has_desktop and trash.parent.is_dir()) else None


def _names(name: str) -> Iterator[str]:
    """The name, then others that are not taken."""
    yield name
    stem, dot, ending = name.rpartition(".")
    for number in range(2, _MOST_NAMES):
        yield f"{stem} {number}{dot}{ending}" if dot and stem else f"{name} {number}"


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
