"""Moving a whole folder of models, so that nothing is lost whenever it is interrupted.

The move is written down before the first file goes. Each file is moved by itself: renamed on
the same disk; otherwise copied, forced to the disk, read back, compared by hash and only then
removed from its old place. Called again, the move goes on with what is still there: a file
that is at both places is compared, one that is at the new place alone is done.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError, UsageMistake
from lockhouse.library.file_copy import (
    Meter,
    Progress,
    check_room,
    move_in,
    same_content,
    sweep,
    told,
)
from lockhouse.library.folders import Folders
from lockhouse.library.inventory import Inventory, Stamp
from lockhouse.library.model_info import Relocation

if sys.platform != "win32":
    import fcntl


class Relocator:
    """Carries out moves of folders, one at a time for a home."""

    def __init__(self, inventory: Inventory, folders: Folders, lock: Path) -> None:
        self._inventory = inventory
        self._folders = folders
        self._lock = lock

    def run(
        self, folder: Path, to: Path, *, progress: Progress | None, cancel: CancelToken | None
    ) -> Relocation:
        """Begin or go on. Raises Cancelled between two pieces; the next call goes on."""
        with _only_one(self._lock):
            _refuse_during_downloads(folder)
            source, target = self._folders.begin_move(folder, to)
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._give_up_before_it_began(source, target)
                raise told(error, target) from error
            sweep(target)
            files = list(_files(source))
            total = sum(_size(path) for path in files)
            if _device(source) != _device(target):
                try:
                    check_room(target, total, hint="Choose a place with more room, or free some.")
                except LockhouseError:
                    self._give_up_before_it_began(source, target)
                    raise
            meter = Meter(total, progress, cancel)
            self._note_what_was_done(source, target)
            done = self._move_all(source, target, meter)
            if not done.kept:
                self._folders.end_move(source, target)
            return done

    def _move_all(self, source: Path, target: Path, meter: Meter) -> Relocation:
        """Until there is nothing left: a download may end in the old place meanwhile."""
        kept: list[Path] = []
        moved = moved_bytes = 0
        while files := [path for path in _files(source) if path not in kept]:
            for path in files:
                size_bytes = _size(path)
                link = _link_target(path, source, target) if path.is_symlink() else ""
                if self._move(path, target / path.relative_to(source), meter, link):
                    moved += 1
                    moved_bytes += size_bytes
                else:
                    kept.append(path)
        _remove_empty(source)
        return Relocation(source, target, moved, moved_bytes, tuple(kept))

    def _give_up_before_it_began(self, source: Path, target: Path) -> None:
        """A move that cannot even begin is not one that waits to be completed."""
        if not any(_files(target)):
            self._folders.drop_move(source)

    def _move(self, path: Path, goal: Path, meter: Meter, link: str) -> bool:
        copied = None
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(goal):
                if not _same(path, goal, meter, link):
                    return False
                path.unlink()
            elif link:
                goal.symlink_to(link)
                path.unlink()
            elif not _size(path):
                goal.touch(exist_ok=False)
                path.unlink()
            else:
                copied = move_in(path, goal, meter)
        except OSError as error:
            raise told(error, goal) from error
        self._hand_over({path: goal})
        if copied is not None:
            known = self._inventory.hash_of(goal)
            before = (known.changed_from or known.sha256) if known is not None else None
            rotten = before if before != copied[1] else None
            self._inventory.keep_hash(goal, *copied, changed_from=rotten)
        return True

    def _note_what_was_done(self, source: Path, target: Path) -> None:
        """What an interrupted move did to files it did not come to write down."""
        gone = {}
        for path in self._inventory.known_beneath(source):
            goal = target / path.relative_to(source)
            if not os.path.lexists(path) and os.path.lexists(goal):
                gone[path] = goal
        self._hand_over(gone)

    def _hand_over(self, paths: dict[Path, Path]) -> None:
        self._inventory.moved(paths)
        for goal in paths.values():
            known = self._inventory.hash_of(goal)
            if known is None:
                continue
            stamp = Stamp.of(goal.stat())
            # The copy was compared before its original went, and has its time; only the inode
            # is another one.
            if (stamp.size_bytes, stamp.mtime_ns) == (known.stamp.size_bytes, known.stamp.mtime_ns):
                self._inventory.keep_hash(
                    goal, stamp, known.sha256, changed_from=known.changed_from
                )


def _refuse_during_downloads(folder: Path) -> None:
    """Parts of downloads lie hidden in the folder, and whoever fetches them finds them there."""
    if next(folder.expanduser().glob(".*/**/*.part"), None) is not None:
        raise UsageMistake(
            f"{folder} holds unfinished downloads.",
            hint="Let them end, or cancel them: lockhouse transfers list",
            code="downloading",
        )


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Hold the home's lock for moves; refuse when another process is moving."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise told(error, lock) from error
    try:
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageMistake(
                    "Another window or command is moving a folder at this moment.",
                    hint="Wait until it is done.",
                    code="moving",
                ) from error
        yield
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    """Everything to move, by name. What is hidden belongs to downloads and copies under way."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in links
        )
        for name in sorted([*names, *links]):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.is_symlink() or stat.S_ISREG(path.lstat().st_mode):
                yield path


def _same(path: Path, goal: Path, meter: Meter, link: str) -> bool:
    if link or goal.is_symlink():
        return goal.is_symlink() and str(goal.readlink()) == link
    size_bytes = _size(path)
    if not size_bytes and not _size(goal):
        return True
    try:
        same = same_content(path, goal)
    except InvalidInput:
        return False
    meter.add(size_bytes if same else 0)
    return same


def _link_target(path: Path, source: Path, target: Path) -> str:
    """What a link has to say at the new place to mean the same file."""
    said = path.readlink()
    meant = Path(os.path.normpath(path.parent / said))
    if not meant.is_relative_to(source):
        return str(meant)
    return str(target / meant.relative_to(source) if said.is_absolute() else said)


def _size(path: Path) -> int:
    """Bytes to move; a link has none."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _device(path: Path) -> int:
    existing = next(each for each in (path, *path.parents) if each.exists())
    return existing.stat().st_dev


def _remove_empty(folder: Path) -> None:
    for parent, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # it still holds something, or somebody else's wish to stay
            Path(parent).rmdir()
