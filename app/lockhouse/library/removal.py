"""Removes models: which files may be deleted, what that frees, and what is only unlisted.

Only files in our own folders are ever deleted, and in those that the user added for that. A
projector is deleted with the last model that uses it. Everything is checked before the first file
is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lockhouse.core.errors import InvalidInput, UsageMistake
from lockhouse.library.file_copy import size_in_words
from lockhouse.library.folders import Folders
from lockhouse.library.inventory import Inventory
from lockhouse.library.model_info import Removal
from lockhouse.library.revisions import Revisions
from lockhouse.library.scanner import ListedModel


@dataclass(eq=False, repr=False)
class Remover:
    """One removal of one or several models."""

    _inventory: Inventory
    _folders: Folders
    _revisions: Revisions
    _listed: Sequence[ListedModel]

    def remove(
        self, models: Sequence[ListedModel], *, delete_files: bool, dry_run: bool = False
    ) -> list[Removal]:
        """Delete our files, unlist the user's. Raises before anything is done."""
        files = {model.info.name: self._own_files(model, models) for model in models}
        for model in models:
            self._refuse_if_not_ours(model, files[model.info.name])
        if dry_run:
            return [
                Removal(name, tuple(paths), sum(map(_freed, paths)))
                for name, paths in files.items()
            ]
        to_delete = [path for each in files.values() for path in each]
        if to_delete and not delete_files:
            self._ask_first(models, to_delete)
        return [self._remove_one(model, files[model.info.name]) for model in models]

    def preview(self, models: Sequence[ListedModel]) -> Removal:
        """What removing them all would delete and free."""
        to_delete = dict.fromkeys(path for one in models for path in self._own_files(one, models))
        only_read = sum(bool(self._only_read(one, to_delete)) for one in models)
        return Removal("", tuple(to_delete), sum(map(_freed, to_delete)), only_read)

    def _only_read(self, model: ListedModel, to_delete: Iterable[Path]) -> list[Path]:
        """What of a model lies in folders that the user added to be read."""
        own = [copy.info.path for copy in model.copies if copy.file.origin == "own"]
        return [path for path in own if path not in to_delete]

    def _own_files(self, model: ListedModel, going: Sequence[ListedModel]) -> list[Path]:
        """Every file of ours to delete with a model: copies, older revisions, its projector."""
        if model.info.included and not any(copy.file.origin == "own" for copy in model.copies):
            return []
        own = [copy for copy in model.copies if copy.file.origin == "own"]
        files = [path for copy in own for path in copy.weights]
        files += [path for copy in own for path in self._other_revisions(copy.info.path)]
        gone = {one.info.path for one in going}
        staying = [each for each in self._listed if each.info.path not in gone]
        used = {copy.info.projector for each in staying for copy in each.copies}
        files += [
            copy.info.projector
            for copy in own
            if copy.info.projector is not None and copy.info.projector not in used
        ]
        is_own = self._folders.ownership(to_write=True)
        return [path for path in dict.fromkeys(files) if is_own(path) and path.exists()]

    def _other_revisions(self, path: Path) -> list[Path]:
        """The other revisions of a model; none when an older one alone is removed."""
        rows = self._revisions.line_of(path)
        in_use = any(row.current and row.path == path for row in rows)
        return [row.path for row in rows] if in_use else []

    def _refuse_if_not_ours(self, model: ListedModel, own_files: Sequence[Path]) -> None:
        if own_files:
            return
        info = model.info
        if info.included:
            raise UsageMistake(
                f"{info.name} comes with Lockhouse and cannot be removed.",
                hint="It takes no space beyond the installation.",
            )
        if only_read := self._only_read(model, ()):
            folder = self._folders.holding(only_read[0])
            raise UsageMistake(
                f"{info.name} is in {folder}, a folder of yours in which Lockhouse only reads.",
                hint="Delete its files yourself, remove the folder from the list, or allow "
                f"changes there: lockhouse models folders add --writable {folder}",
                code="only_read",
            )
        found = [copy.file for copy in model.copies if copy.file.origin == "found"]
        if found and len(found) == len(model.copies):
            owner = found[0].owner
            raise UsageMistake(
                f"{info.name} is in the folder of {owner} and cannot be removed here.",
                hint=f"Remove it with {owner}; then it disappears from this list.",
                code="not_ours",
            )

    def _ask_first(self, models: Sequence[ListedModel], to_delete: Sequence[Path]) -> None:
        size_bytes = sum(_size(path) for path in dict.fromkeys(to_delete))
        what = models[0].info.name if len(models) == 1 else f"these {len(models)} models"
        raise UsageMistake(
            f"Removing {what} permanently deletes {size_in_words(size_bytes)}.",
            hint="Confirm it (--yes on the command line).",
            code="needs_confirmation",
        )

    def _remove_one(self, model: ListedModel, files: Sequence[Path]) -> Removal:
        freed_bytes = 0
        for path in files:
            size_bytes = _freed(path)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise InvalidInput(
                    f"{path} cannot be deleted: {error.strerror}.",
                    hint="Check who owns the folder.",
                ) from error
            freed_bytes += size_bytes
            self._inventory.forget(path)
            self._remove_empty(path.parent)
        for copy in model.copies:
            if copy.file.origin in ("own", "in place"):
                self._inventory.forget(copy.info.path)
        return Removal(model.info.name, tuple(files), freed_bytes)

    def _remove_empty(self, folder: Path) -> None:
        if folder not in self._folders.own():
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _freed(path: Path) -> int:
    """A file with another hard link, or a symbolic link, frees nothing."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    return 0 if status.st_nlink > 1 or path.is_symlink() else status.st_size
