"""The folders that hold models: our own, of which there may be several, and other programs'.

Hides the table of own folders and which one new models come to. A file is ours only when it
lies in one of our folders and in no folder of another program.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.library.inventory import key_of
from lockhouse.library.model_info import OWN, FolderUse, FoundFolder, ModelInfo
from lockhouse.storage.database import Database

Finder = Callable[[], Sequence[FoundFolder]]


class Folders:
    """Which folders there are, and whose."""

    def __init__(self, database: Database, home_folder: Path, others: Finder) -> None:
        self._database = database
        self._home_folder = home_folder
        self._others = others

    @property
    def main(self) -> Path:
        """Where new models come to: the home's own folder until another was chosen."""
        row = (
            self._database.read()
            .execute("SELECT path FROM model_folders WHERE main = 1")
            .fetchone()
        )
        return Path(os.fsdecode(row[0])) if row else self._home_folder

    def own(self) -> list[Path]:
        """Our folders, the main one first; those that a move is going to come last."""
        rows = self._database.read().execute(
            "SELECT path FROM model_folders ORDER BY main DESC, added_at"
        )
        added = [Path(os.fsdecode(path)) for (path,) in rows.fetchall()]
        moving = [target for _, target in self.moving()]
        return list(dict.fromkeys([self.main, *added, self._home_folder, *moving]))

    def found(self) -> list[FoundFolder]:
        """Other programs' folders."""
        own = {_real(path) for path in self.own()}
        return [folder for folder in self._others() if _real(folder.path) not in own]

    def moving(self) -> list[tuple[Path, Path]]:
        """Moves of a folder that are not complete: from where, and where to."""
        rows = self._database.read().execute(
            "SELECT source, target FROM model_relocations ORDER BY began_at"
        )
        return [(Path(os.fsdecode(a)), Path(os.fsdecode(b))) for a, b in rows.fetchall()]

    def ownership(self) -> Callable[[Path], bool]:
        """The question whether a file itself, not only a link to it, is ours."""
        own = [_real(path) for path in self.own()]
        foreign = [_real(folder.path) for folder in self.found()]
        known: dict[Path, bool] = {}

        def is_own(path: Path) -> bool:
            parent = path.parent
            if parent not in known:
                inside = _real(parent)
                mine = any(inside.is_relative_to(folder) for folder in own)
                theirs = any(inside.is_relative_to(folder) for folder in foreign)
                known[parent] = mine and not theirs
            return known[parent]

        return is_own

    def add(self, path: Path) -> Path:
        """Take a folder as one of our own."""
        folder = _absolute(path)
        if not folder.is_dir():
            kind = "is not a folder" if folder.exists() else "does not exist"
            raise NotFound(f"{folder} {kind}.", hint="Create it first, or check the path.")
        with self._database.write() as database:
            if _real(folder) in {_real(each) for each in self.own()}:
                return folder
            self._refuse_shared(folder)
            database.execute(
                "INSERT INTO model_folders (path, added_at) VALUES (?, ?)",
                [key_of(folder), datetime.now(UTC).isoformat()],
            )
        return folder

    def _refuse_shared(self, folder: Path) -> None:
        real = _real(folder)
        for found in self._others():
            theirs = _real(found.path)
            if real == theirs or real.is_relative_to(theirs):
                raise UsageMistake(
                    f"{folder} is the folder of {found.owner}; its models are here already.",
                    hint="They are used in place, and only read.",
                    code="not_ours",
                )
        for each in self.own():
            own = _real(each)
            if real.is_relative_to(own) or own.is_relative_to(real):
                raise UsageMistake(
                    f"{folder} and {each} lie one in the other.",
                    hint="Add a folder that lies apart, or forget the other one first.",
                )
        if real == Path(real.anchor) or real == _real(Path.home()):
            raise UsageMistake(
                f"{folder} holds far more than models.", hint="Add a folder of its own for them."
            )

    def forget(self, path: Path) -> Path:
        """Let go of a folder; its files stay as they are."""
        folder = self.own_named(path)
        if folder == self.main:
            raise UsageMistake(
                f"{folder} is where new models come to and cannot be forgotten.",
                hint="Move it elsewhere: lockhouse models folders move OLD NEW",
            )
        with self._database.write() as database:
            database.execute("DELETE FROM model_folders WHERE path = ?", [key_of(folder)])
        return folder

    def own_named(self, path: Path) -> Path:
        """The folder of ours that ``path`` means. Raises NotFound."""
        wanted = _absolute(path)
        for folder in self.own():
            if folder == wanted or _real(folder) == _real(wanted):
                return folder
        own = ", ".join(str(folder) for folder in self.own())
        raise NotFound(f"{wanted} is not a folder of Lockhouse's.", hint=f"Its folders: {own}.")

    def begin_move(self, path: Path, to: Path) -> tuple[Path, Path]:
        """Remember that a folder is being moved; the same move may be begun again."""
        folder, target = path, _absolute(to)
        for source, other in self.moving():
            if source == folder and other != target:
                raise UsageMistake(
                    f"{folder} is being moved to {other} already.",
                    hint=f"Complete that: lockhouse models folders move {folder} {other}",
                    code="moving",
                )
            if source == folder:
                return folder, target
        real, goal = _real(folder), _real(target)
        if goal == real or goal.is_relative_to(real) or real.is_relative_to(goal):
            raise UsageMistake(
                f"{folder} and {target} lie one in the other.", hint="Choose a place apart from it."
            )
        for found in self._others():
            if goal.is_relative_to(_real(found.path)):
                raise UsageMistake(
                    f"{target} is in the folder of {found.owner}.",
                    hint="Lockhouse writes nothing there. Choose another place.",
                    code="not_ours",
                )
        if target.exists() and not target.is_dir():
            raise InvalidInput(f"{target} is not a folder.", hint="Choose another place.")
        with self._database.write() as database:
            database.execute(
                "INSERT INTO model_relocations VALUES (?, ?, ?)",
                [key_of(folder), key_of(target), datetime.now(UTC).isoformat()],
            )
        return folder, target

    def drop_move(self, source: Path) -> None:
        """Forget a move of which nothing was done."""
        with self._database.write() as database:
            database.execute("DELETE FROM model_relocations WHERE source = ?", [key_of(source)])

    def end_move(self, source: Path, target: Path) -> None:
        """The folder lies at its new place from now on."""
        is_main = source == self.main
        with self._database.write() as database:
            database.execute("DELETE FROM model_relocations WHERE source = ?", [key_of(source)])
            database.execute("DELETE FROM model_folders WHERE path = ?", [key_of(source)])
            if is_main:
                database.execute("UPDATE model_folders SET main = 0")
            if _real(target) == _real(self._home_folder):
                return  # back home: nothing needs to be said of it
            database.execute(
                "INSERT INTO model_folders (path, main, added_at) VALUES (?, ?, ?)"
                " ON CONFLICT (path) DO UPDATE SET main = max(main, excluded.main)",
                [key_of(target), int(is_main), datetime.now(UTC).isoformat()],
            )

    def uses(self, models: Iterable[ModelInfo]) -> list[FolderUse]:
        """Every folder, with what is in it and what its disk has left."""
        own, moving = self.own(), dict(self.moving())
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
                    file: _size(file)
                    for file in (*(place.path.with_name(name) for name in names), place.path)
                }
        uses = []
        for path, owner in folders:
            if path == self._home_folder and path != own[0] and not counts[path]:
                continue  # the models moved away from home
            problem, free_bytes = _state(path)
            if owner == OWN and path != self._home_folder and not path.is_dir():
                problem = problem or "It is not there. Is its disk connected?"
            if path in moving:
                problem = f"It is being moved to {moving[path]}; that is not complete."
            uses.append(
                FolderUse(
                    path=path,
                    owner=owner,
                    label="Lockhouse" if owner == OWN else owner,
                    own=owner == OWN,
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _state(path: Path) -> tuple[str, int]:
    """What is wrong with a folder, and the free bytes of its disk."""
    existing = next((each for each in (path, *path.parents) if each.exists()), path)
    try:
        free_bytes = shutil.disk_usage(existing).free
    except OSError as error:
        return f"Its disk does not answer: {error.strerror}.", 0
    if not path.is_dir():
        return "", free_bytes  # it is made when the first model comes
    if not os.access(path, os.R_OK | os.X_OK):
        return "It may not be read.", free_bytes
    return "", free_bytes


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links are kept as they are


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
