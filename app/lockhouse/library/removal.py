"""Removes models: which files may be deleted, what that frees, and what is only unlisted.

Only files in our own folders are ever deleted, and in those that the user added for that. A
projector is deleted with the last model that uses it. Everything is checked before the first file
is deleted. Where the user has a trash they go there, and can be brought back.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lockhouse.core.errors import InvalidInput, UsageMistake
from lockhouse.library.file_copy import size_in_words
from lockhouse.library.folders import Folders
from lockhouse.library.inventory import Inventory
from lockhouse.library.model_info import Removal
from lockhouse.library.revisions import Revisions
from lockhouse.library.scanner import ListedModel
from lockhouse.library.trash import Trash


@dataclass(eq=False, repr=False)
class Remover:
    """One removal of one or several models."""

    _inventory: Inventory
    _folders: Folders
    _revisions: Revisions
    _listed: Sequence[ListedModel]
    _trash: Trash = field(default_factory=Trash)

    def remove(
        self, models: Sequence[ListedModel], *, delete_files: bool, dry_run: bool = False
    ) -> list[Removal]:
        """Delete our files, unlist the user's. Raises before anything is done."""
        files = {model.info.name: self._own_files(model, models) for model in models}
        for model in models:
            self._refuse_if_not_ours(model, files[model.info.name])
        to_delete = list(dict.fromkeys(path for each in files.values() for path in each))
        to_trash = self._goes_to_trash(to_delete)
        if dry_run:
            return [
                Removal(name, tuple(paths), sum(map(_freed, paths)), to_trash=to_trash)
                for name, paths in files.items()
            ]
        if to_delete and not delete_files:
            self._ask_first(models, to_delete, to_trash=to_trash)
        return [
            self._remove_one(model, files[model.info.name], to_trash=to_trash) for model in models
        ]

    def preview(self, models: Sequence[ListedModel]) -> Removal:
        """What removing them all would delete and free."""
        to_delete = dict.fromkeys(path for one in models for path in self._own_files(one, models))
        only_read = sum(bool(self._only_read(one, to_delete)) for one in models)
        to_trash = self._goes_to_trash(to_delete)
        return Removal("", tuple(to_delete), sum(map(_freed, to_delete)), only_read, to_trash)

    def _goes_to_trash(self, paths: Collection[Path]) -> bool:
        return bool(paths) and all(map(self._trash.takes, paths))

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

    def _ask_first(
        self, models: Sequence[ListedModel], to_delete: Sequence[Path], *, to_trash: bool
    ) -> None:
        size = size_in_words(sum(map(_size, to_delete)))
        what = models[0].info.name if len(models) == 1 else f"these {len(models)} models"
        does = "moves these files to the trash" if to_trash else "permanently deletes these files"
        paths = "".join(f"\n  {path}" for path in to_delete)
        raise UsageMistake(
            f"Removing {what} {does} ({size}):{paths}",
            hint="Confirm it (--yes on the command line).",
            code="needs_confirmation",
        )

    def _remove_one(self, model: ListedModel, files: Sequence[Path], *, to_trash: bool) -> Removal:
        freed_bytes, deleted, trash = 0, [], []
        for path in files:
            if not os.path.lexists(path):  # gone with another model that used it
                continue
            size_bytes = _freed(path)
            try:
                if to_trash:
                    trash.append(self._trash.put(path))
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise InvalidInput(
                    f"{path} cannot be deleted: {error.strerror}.",
                    hint="Check who owns the folder.",
                ) from error
            deleted.append(path)
            freed_bytes += size_bytes
            self._inventory.forget(path)
            self._remove_empty(path.parent)
        for copy in model.copies:
            if copy.file.origin in ("own", "in place"):
                self._inventory.forget(copy.info.path)
        return Removal(
            model.info.name, tuple(deleted), freed_bytes, to_trash=to_trash, trash=tuple(trash)
        )

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
