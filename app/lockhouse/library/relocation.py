"""Moves a whole folder of models, so that nothing is lost whenever it is interrupted.

The move is recorded before the first file is moved. Each file is moved by itself: renamed on
the same disk; otherwise copied, flushed to the disk, read back, compared by hash and only then
removed from its old place. Called again, the move continues with what is left: a file that is at
both places is compared, one that is at the new place alone is done.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError, UsageMistake
from lockhouse.library.file_copy import (
    PARTS_FOLDER,
    Meter,
    Progress,
    check_room,
    delete_abandoned_copies,
    map_os_error,
    move_in,
    nearest_existing,
    same_content,
)
from lockhouse.library.folders import Folders
from lockhouse.library.inventory import Inventory, Stamp
from lockhouse.library.model_info import Relocation
from lockhouse.storage.file_lock import file_lock


class Relocator:
    """Carries out moves of folders, one at a time for a home.

    Holds two lock files of the home: one for the move itself, and for the main folder one that
    every download shares, so that neither begins during the other.
    """

    def __init__(self, inventory: Inventory, folders: Folders, home: Path) -> None:
        self._inventory = inventory
        self._folders = folders
        self._move_lock = home / "relocation.lock"
        self._downloads_lock = home / "downloads.lock"

    def main_folder_kept(self) -> AbstractContextManager[None]:
        """No move of the main folder begins within. Raises UsageMistake "moving" during one."""
        return file_lock(self._downloads_lock, shared=True, refusal=_is_moving())

    def run(
        self, folder: Path, to: Path, *, progress: Progress | None, cancel: CancelToken | None
    ) -> Relocation:
        """Begin or continue. Raises Cancelled between two pieces; the next call continues."""
        source = self._folders.own_named(folder)
        with ExitStack() as locks:
            locks.enter_context(file_lock(self._move_lock, refusal=_is_moving()))
            if source == self._folders.main:
                locks.enter_context(file_lock(self._downloads_lock, refusal=_has_downloads(source)))
            if next((source / PARTS_FOLDER).glob("*/*.part"), None) is not None:
                raise _has_downloads(source)
            source, target = self._folders.begin_move(source, to)
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._give_up_before_it_began(source, target)
                raise map_os_error(error, target) from error
            delete_abandoned_copies(target)
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
        """Until nothing is left: an import may end in the old place meanwhile."""
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
        """A move that could not begin does not wait to be completed."""
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
            raise map_os_error(error, goal) from error
        self._hand_over({path: goal})
        if copied is not None:
            known = self._inventory.hash_of(goal)
            before = known.original if known is not None else None
            rotten = before if before != copied[1] else None
            self._inventory.keep_hash(goal, *copied, changed_from=rotten)
        return True

    def _note_what_was_done(self, source: Path, target: Path) -> None:
        """Record the files that an interrupted move had moved but not recorded."""
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


def _has_downloads(folder: Path) -> UsageMistake:
    return UsageMistake(
        f"{folder} holds unfinished downloads.",
        hint="Let them end, or cancel them: lockhouse transfers list",
        code="downloading",
    )


def _is_moving() -> UsageMistake:
    return UsageMistake(
        "Another window or command is moving a folder of models.",
        hint="Wait until the move is complete.",
        code="moving",
    )


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
    return nearest_existing(path).stat().st_dev


def _remove_empty(folder: Path) -> None:
    for parent, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # it is not empty
            Path(parent).rmdir()
