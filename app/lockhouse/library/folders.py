"""The folders with models: our own, and those of other programs.

Hides the table of our own folders and which one is the main folder, for new models. A file is
listed as ours when it is in one of our folders and in no folder of another program. Files are
deleted and moved only in the main folder, and in those that the user added for that on purpose.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.library.external_folders import shape_of
from lockhouse.library.file_copy import nearest_existing
from lockhouse.library.inventory import key_of, size_of
from lockhouse.library.model_info import OWN, FolderUse, FoundFolder, ModelInfo
from lockhouse.storage.database import Database

Finder = Callable[[], Sequence[FoundFolder]]
_ALLOW = "lockhouse models folders add --writable"


class Folders:
    """All folders with models, with their owners."""

    def __init__(self, database: Database, home_folder: Path, others: Finder) -> None:
        self._database = database
        self._home_folder = home_folder
        self._others = others

    @property
    def main(self) -> Path:
        """The folder for new models: that of the home until another was chosen."""
        row = self._database.row("SELECT path FROM model_folders WHERE main = 1")
        return Path(os.fsdecode(row[0])) if row else self._home_folder

    def own(self) -> list[Path]:
        """Our folders, the main one first, the targets of unfinished moves last."""
        rows = self._database.rows("SELECT path FROM model_folders ORDER BY main DESC, added_at")
        added = [Path(os.fsdecode(path)) for (path,) in rows]
        moving = [target for _, target in self.moving()]
        return list(dict.fromkeys([self.main, *added, self._home_folder, *moving]))

    def writable(self) -> list[Path]:
        """Those in which files may be deleted and moved."""
        rows = self._database.rows("SELECT path FROM model_folders WHERE writable = 1")
        chosen = [Path(os.fsdecode(path)) for (path,) in rows]
        moving = [target for _, target in self.moving()]
        return list(dict.fromkeys([self.main, *chosen, self._home_folder, *moving]))

    def found(self) -> list[FoundFolder]:
        """The folders of other programs."""
        own = {real(path) for path in self.own()}
        return [folder for folder in self._others() if real(folder.path) not in own]

    def moving(self) -> list[tuple[Path, Path]]:
        """Unfinished moves of folders: source and target."""
        rows = self._database.rows("SELECT source, target FROM model_relocations ORDER BY began_at")
        return [(Path(os.fsdecode(a)), Path(os.fsdecode(b))) for a, b in rows]

    def ownership(self, *, to_write: bool = False) -> Callable[[Path], bool]:
        """A function that says whether a file itself, not only a link to it, is ours.

        ``to_write``: ours to delete and to move.
        """
        own = [real(path) for path in (self.writable() if to_write else self.own())]
        foreign = [real(folder.path) for folder in self.found()]
        known: dict[Path, bool] = {}

        def is_own(path: Path) -> bool:
            parent = path.parent
            if parent not in known:
                inside = real(parent)
                mine = any(inside.is_relative_to(folder) for folder in own)
                theirs = any(inside.is_relative_to(folder) for folder in foreign)
                known[parent] = mine and not theirs
            return known[parent]

        return is_own

    def holding(self, path: Path) -> Path:
        """The folder of ours in which a file is; its own folder where there is none."""
        return _holding(path, self.own()) or path.parent

    def add(self, path: Path, *, writable: bool = False) -> Path:
        """Add a folder to our own, or make one that is there ``writable``."""
        folder = absolute(path)
        if not folder.is_dir():
            kind = "is not a folder" if folder.exists() else "does not exist"
            raise NotFound(f"{folder} {kind}.", hint="Create it first, or check the path.")
        if writable and shape_of(folder) is not None:
            raise UsageMistake(
                f"{folder} is laid out as Ollama's folder is, so it is only read.",
                hint="Add it without --writable; its models are removed with: ollama rm",
            )
        with self._database.write() as database:
            if known := next((own for own in self.own() if real(own) == real(folder)), None):
                if writable:
                    statement = "UPDATE model_folders SET writable = 1 WHERE path = ?"
                    database.execute(statement, [key_of(known)])
                return known
            self._refuse_shared(folder)
            database.execute(
                "INSERT INTO model_folders (path, added_at, writable) VALUES (?, ?, ?)",
                [key_of(folder), datetime.now(UTC).isoformat(), int(writable)],
            )
        return folder

    def _refuse_shared(self, folder: Path) -> None:
        place = real(folder)
        for found in self._others():
            theirs = real(found.path)
            if place == theirs or place.is_relative_to(theirs):
                raise UsageMistake(
                    f"{folder} is the folder of {found.owner}; its models are listed already.",
                    hint="They are used where they are, and only read.",
                    code="not_ours",
                )
        for each in self.own():
            own = real(each)
            if place.is_relative_to(own) or own.is_relative_to(place):
                raise UsageMistake(
                    f"One of {folder} and {each} is inside the other.",
                    hint="Add a separate folder, or remove the other one first.",
                )
        if place == Path(place.anchor) or place == real(Path.home()):
            raise UsageMistake(
                f"{folder} contains far more than models.", hint="Add a folder for models only."
            )

    def forget(self, path: Path) -> Path:
        """Remove a folder from the list; its files are kept."""
        folder = self.own_named(path)
        if folder == self.main:
            raise UsageMistake(
                f"{folder} is the folder for new models and cannot be removed.",
                hint="Move it: lockhouse models folders move OLD NEW",
            )
        self._database.change("DELETE FROM model_folders WHERE path = ?", [key_of(folder)])
        return folder

    def own_named(self, path: Path) -> Path:
        """The folder of ours that ``path`` means. Raises NotFound."""
        wanted = absolute(path)
        for folder in self.own():
            if folder == wanted or real(folder) == real(wanted):
                return folder
        own = ", ".join(str(folder) for folder in self.own())
        raise NotFound(f"{wanted} is not a folder of Lockhouse's.", hint=f"Its folders: {own}.")

    def begin_move(self, path: Path, to: Path) -> tuple[Path, Path]:
        """Record that a folder is being moved; an unfinished move may be begun again."""
        folder, target = path, absolute(to)
        for source, other in self.moving():
            if source == folder and other != target:
                raise UsageMistake(
                    f"{folder} is being moved to {other} already.",
                    hint=f"Complete that move: lockhouse models folders move {folder} {other}",
                    code="moving",
                )
            if source == folder:
                return folder, target
        if folder not in self.writable():
            raise UsageMistake(
                f"{folder} is a folder of yours, in which Lockhouse only reads.",
                hint=f"Allow changes there first: {_ALLOW} {folder}",
                code="only_read",
            )
        place, goal = real(folder), real(target)
        if goal == place or goal.is_relative_to(place) or place.is_relative_to(goal):
            raise UsageMistake(
                f"One of {folder} and {target} is inside the other.",
                hint="Choose a separate folder.",
            )
        for found in self._others():
            if goal.is_relative_to(real(found.path)):
                raise UsageMistake(
                    f"{target} is in the folder of {found.owner}.",
                    hint="Lockhouse does not write there. Choose another folder.",
                    code="not_ours",
                )
        if target.exists() and not target.is_dir():
            raise InvalidInput(f"{target} is not a folder.", hint="Choose another one.")
        self._database.change(
            "INSERT INTO model_relocations VALUES (?, ?, ?)",
            [key_of(folder), key_of(target), datetime.now(UTC).isoformat()],
        )
        return folder, target

    def drop_move(self, source: Path) -> None:
        """Delete the record of a move that did not begin."""
        self._database.change("DELETE FROM model_relocations WHERE source = ?", [key_of(source)])

    def end_move(self, source: Path, target: Path) -> None:
        """The folder is at its new place from now on."""
        is_main = source == self.main
        with self._database.write() as database:
            database.execute("DELETE FROM model_relocations WHERE source = ?", [key_of(source)])
            database.execute("DELETE FROM model_folders WHERE path = ?", [key_of(source)])
            if is_main:
                database.execute("UPDATE model_folders SET main = 0")
            if real(target) == real(self._home_folder):
                return  # back home, which is not in the table
            database.execute(
                "INSERT INTO model_folders (path, main, added_at, writable) VALUES (?, ?, ?, 1)"
                " ON CONFLICT (path) DO UPDATE SET main = max(main, excluded.main)",
                [key_of(target), int(is_main), datetime.now(UTC).isoformat()],
            )

    def uses(self, models: Iterable[ModelInfo]) -> list[FolderUse]:
        """Every folder, with its models and the free space on its disk."""
        own, writable, moving = self.own(), self.writable(), dict(self.moving())
        folders = [(path, OWN) for path in own] + [(each.path, each.owner) for each in self.found()]
        held: dict[Path, dict[Path, int]] = {path: {} for path, _ in folders}
        counts: dict[Path, int] = dict.fromkeys(held, 0)
        for model in models:
            for place in model.places:
                home = _holding(place.path, held)
                if home is None:
                    continue
                counts[home] += 1
                names = {file.name for file in model.files}
                held[home] |= {
                    file: size_of(file)
                    for file in (*(place.path.with_name(name) for name in names), place.path)
                }
        uses = []
        for path, owner in folders:
            if path == self._home_folder and path != own[0] and not counts[path]:
                continue  # the models were moved away from home
            problem, free_bytes = _state(path)
            if owner == OWN and path != self._home_folder and not path.is_dir():
                problem = problem or "The folder does not exist. Is its disk connected?"
            if path in moving:
                problem = f"Its move to {moving[path]} is not complete."
            uses.append(
                FolderUse(
                    path=path,
                    owner=owner,
                    label="Lockhouse" if owner == OWN else owner,
                    own=owner == OWN,
                    writable=path in writable,
                    model_count=counts[path],
                    size_bytes=sum(held[path].values()),
                    disk_free_bytes=free_bytes,
                    problem=problem,
                    main=path == own[0],
                )
            )
        return uses


def _holding(path: Path, folders: Iterable[Path]) -> Path | None:
    inside = [folder for folder in folders if path.is_relative_to(folder)]
    return max(inside, key=lambda folder: len(folder.parts), default=None)


def _state(path: Path) -> tuple[str, int]:
    """The problem of a folder, and the free bytes of its disk."""
    try:
        free_bytes = shutil.disk_usage(nearest_existing(path)).free
        is_there = path.is_dir()
    except PermissionError:
        return "You may not read it.", 0
    except OSError as error:
        return f"Its disk cannot be read: {error.strerror}.", 0
    if not is_there:
        return "", free_bytes  # it is created with the first model
    if not os.access(path, os.R_OK | os.X_OK):
        return "You may not read it.", free_bytes
    return "", free_bytes


def absolute(path: Path) -> Path:
    """The absolute path."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links are kept as they are


def real(path: Path) -> Path:
    """The path with all links resolved."""
    return Path(os.path.realpath(path))
