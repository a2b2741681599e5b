"""The models of this machine: the starter model, our own folders, and those of other programs.

Folders are scanned each time, so that a file put there by hand is listed and one that another
program deleted is shown as missing. The database stores what a scan cannot see: imports, names,
aliases, pins, hashes, profiles, revisions and uses.
"""

from __future__ import annotations

import builtins
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.gate.hub import Reference
from lockhouse.library.deduplication import files_to_compare, hash_files
from lockhouse.library.external_folders import found_folders
from lockhouse.library.external_stores import FoundFile
from lockhouse.library.file_copy import (
    Meter,
    Progress,
    delete_abandoned_copies,
    hash_file,
    hash_metered,
)
from lockhouse.library.folders import Finder, Folders
from lockhouse.library.gguf.header import GgufHeader, read_header
from lockhouse.library.importer import Importer
from lockhouse.library.inventory import Inventory, KnownOfPath, Stamp, size_of, stamp_of
from lockhouse.library.model_info import (
    OWN,
    Difference,
    FolderUse,
    ImportMode,
    ImportOutcome,
    ModelInfo,
    Profile,
    Relocation,
    Removal,
    Revision,
    Source,
    Verification,
)
from lockhouse.library.model_names import slug
from lockhouse.library.pasted_names import hub_reference, is_from, plain_ollama_name
from lockhouse.library.profiles import Profiles
from lockhouse.library.relocation import Relocator
from lockhouse.library.removal import Remover
from lockhouse.library.revisions import RevisionRow, Revisions, differences, find_revision
from lockhouse.library.scanner import Copy, ListedModel, Scanner
from lockhouse.library.trash import Trash
from lockhouse.storage.database import Database

_MIN_PREFIX: Final = 6
_PREFIX: Final = re.compile(rf"[0-9a-f]{{{_MIN_PREFIX},64}}")
_MAX_CANDIDATES: Final = 8

_ModelList = list[ModelInfo]  # the class has a method named list
_OutcomeList = list[ImportOutcome]


class Models:
    """All models of one home. Usable from several threads and processes at once."""

    def __init__(
        self,
        database: Database,
        own_folder: Path,
        starter: Path | None,
        *,
        others: Finder = lambda: found_folders(os.environ, Path.home()),
    ) -> None:
        self._inventory = Inventory(database)
        self._folders = Folders(database, own_folder, others)
        self._profiles = Profiles(database)
        self._revisions = Revisions(database)
        self._scanner = Scanner(
            self._inventory, self._folders, self._revisions, self._profiles, starter
        )
        self._known_of_removed: dict[tuple[str, ...], KnownOfPath] = {}
        self._relocator = Relocator(self._inventory, self._folders, database.path.parent)
        delete_abandoned_copies(self._folders.main)

    # Lists

    def list(self) -> _ModelList:
        """The starter model, ours by name, other programs', then those left in place by age.

        Identical copies are one model with several places, as far as their hashes are known; see
        :meth:`list_recognised`.
        """
        return [each.info for each in self._scanner.models()]

    def get(self, name: str) -> ModelInfo:
        """The model of that name or alias, of a sha256 that begins so, or the file at that path.

        Raises NotFound with similar names, InvalidInput when the name is ambiguous or the file
        cannot be used.
        """
        return self._find(name).info

    def _find(self, name: str, among: Sequence[ListedModel] | None = None) -> ListedModel:
        listed = self._scanner.models() if among is None else among
        called = [(each.info.aliases, (each.info.name,), each.names) for each in listed]
        for kind in range(3):  # an alias before a name, that before the name of a copy
            for each, names in zip(listed, called, strict=True):
                if name in names[kind]:
                    return each
        path, reference = _path_of(name), hub_reference(name)
        if path is not None and os.path.lexists(path):
            return self._at_path(path, listed)
        found = _matching(plain_ollama_name(name.lower()), listed)
        if not found and reference is not None:
            found = _published(reference, listed)
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(
                f'"{name}" could mean {len(found)} models.',
                hint=f"Name one of them: {_named([each.info.name for each in found])}.",
                code="ambiguous",
            )
        if reference is not None:
            raise NotFound(
                f"No model {name} is here.", hint=f"On the hub: lockhouse models get {name}"
            )
        if path is not None:
            return self._at_path(path, listed)  # a model whose file is gone, or no file at all
        raise _no_model(name, [each.info for each in listed])

    def _at_path(self, path: Path, listed: Sequence[ListedModel]) -> ListedModel:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links are kept as they are
        for each in listed:
            for copy in each.copies:
                if copy.info.path == absolute:
                    return each.at(copy)
        taken = {name for each in listed for name in each.names}
        info = self._scanner.at_path(absolute, taken)
        if not self._folders.ownership()(absolute):
            return ListedModel(info, ())
        return ListedModel(
            info, (Copy(FoundFile(absolute, "own", OWN), info),)
        )  # an older revision

    def rescan(self) -> _ModelList:
        """Read every header again instead of using the cache."""
        self._inventory.forget_looks()
        return self.list()

    # Content

    def sha256(
        self, path: Path, *, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> str:
        """The sha256 of a file, computed once for each state of it."""
        known = self._inventory.hash_of(path)
        if known is not None and stamp_of(path) == known.stamp:
            return known.sha256
        stamp, digest = hash_file(path, progress=progress, cancel=cancel)
        has_changed = known is not None and known.original != digest
        changed_from = known.original if known is not None and has_changed else None
        self._inventory.keep_hash(path, stamp, digest, changed_from=changed_from)
        return digest

    def known_sha256(self, path: Path) -> str:
        """The sha256 of a file as far as it is known in its present state; empty else."""
        known = self._inventory.hash_of(path)
        return known.sha256 if known is not None and stamp_of(path) == known.stamp else ""

    def verify(
        self, name: str, *, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> Verification:
        """Hash all files again, at every place, and report and record what changed."""
        model = self._find(name)
        files = list(dict.fromkeys((*_every_file(model), *model.info.files)))
        meter = Meter(sum(size_of(path) for path in files), progress, cancel)
        claims = {copy.info.path: copy.file.sha256 for copy in model.copies}
        digests: dict[Path, str] = {}
        before: dict[Path, str] = {}
        for path in files:
            known = self._inventory.hash_of(path)
            stamp, digest = hash_metered(path, meter)
            self._inventory.keep_hash(path, stamp, digest)
            digests[path] = digest
            expected = known.original if known else claims.get(path, "")
            if expected:
                before[path] = expected
        first = model.info.path
        changed = tuple(path for path in files if before.get(path, digests[path]) != digests[path])
        return Verification(model.info.name, digests[first], before.get(first), changed)

    def list_recognised(
        self,
        *,
        limit_bytes: int | None = None,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> tuple[_ModelList, int]:
        """Hash files that may be identical copies, so that these are listed as one model.

        With a limit no more than that is read, the smallest files first. Returns the list, and how
        many bytes are left to read; what was hashed is kept even if this is interrupted.
        """
        listed = self._scanner.models()
        files = files_to_compare(listed, self._inventory)
        total = sum(size_bytes for size_bytes, _ in files)
        limit = total if limit_bytes is None else min(total, limit_bytes)
        left = hash_files(files, self._inventory, Meter(limit, progress, cancel), limit)
        if left != total:
            listed = self._scanner.models()
        return [each.info for each in listed], left

    # Changes

    def import_files(
        self,
        paths: Sequence[Path],
        *,
        mode: ImportMode = "in-place",
        dry_run: bool = False,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> _OutcomeList:
        """Import files, or all models in folders. A refused one does not stop the rest.

        Nothing is ever overwritten, and nothing half-written is left, whatever happens.
        """
        importer = Importer(self._inventory, self._folders, mode=mode, dry_run=dry_run)
        outcomes = importer.run(paths, known=self.list(), progress=progress, cancel=cancel)
        models = {place.path: model for model in self.list() for place in model.places}
        return [_with_model(outcome, models) for outcome in outcomes]

    def set_alias(self, alias: str, name: str | None) -> None:
        """Make ``alias`` a name of a model, or remove it when ``name`` is None."""
        if not alias or alias != slug(alias):
            raise UsageMistake(
                f'"{alias}" cannot be an alias.',
                hint=f'Use small letters, digits, dots and hyphens: "{slug(alias) or "fast"}".',
            )
        if name is None:
            self._inventory.set_alias(alias, None)
            return
        model = self.get(name)
        if any(alias in other.names for other in self._scanner.models()):
            raise UsageMistake(f'"{alias}" is the name of a model.', hint="Choose another alias.")
        self._inventory.set_alias(alias, model.path)

    def set_pinned(self, name: str, *, pinned: bool) -> ModelInfo:
        """Pin or unpin a model."""
        model = self._find(name)
        for each in model.copies or (None,):
            path = each.info.path if each is not None else model.info.path
            if pinned and path != model.info.path:
                continue
            self._inventory.set_pinned(
                path, name=model.info.name, owner=model.info.owner, pinned=pinned
            )
        return self.get(model.info.name)

    def remove_many(
        self, names: Sequence[str], *, delete_files: bool, dry_run: bool = False
    ) -> builtins.list[Removal]:
        """Remove models from the list, and delete their files in our folders if ``delete_files``.

        A file outside our own folders is never deleted; a model of another program stays listed.
        When one of them cannot be removed, none is.
        """
        remover, chosen = self._remover(names)
        paths = [copy.info.path for one in chosen for copy in one.copies]
        known = [row for path in paths for row in self._inventory.known_of(path)]
        done = remover.remove(chosen, delete_files=delete_files, dry_run=dry_run)
        if not dry_run:
            self._known_of_removed[tuple(removal.name for removal in done)] = known
        return done

    def undo_removal(self, removals: Sequence[Removal]) -> None:
        """Bring the files of a removal back from the trash, and what was known of them.

        Only in the program that removed them. Raises InvalidInput when a file cannot be brought
        back; those before it are.
        """
        for removal in removals:
            for trashed, path in zip(removal.trash, removal.deleted, strict=bool(removal.trash)):
                try:
                    Trash().restore(trashed, path)
                except OSError as error:
                    raise InvalidInput(
                        f"{path} could not be brought back: {error.strerror}.",
                        hint=f"It is in the trash: {trashed}",
                    ) from error
        known = self._known_of_removed.pop(tuple(removal.name for removal in removals), [])
        self._inventory.remember(known)

    def preview_removal(self, names: Sequence[str]) -> Removal:
        """The files that removing these models would delete, and what that frees.

        Files with another hard link free nothing.
        """
        remover, chosen = self._remover(names)
        return remover.preview(chosen)

    def _remover(self, names: Sequence[str]) -> tuple[Remover, builtins.list[ListedModel]]:
        listed = self._scanner.models()
        found = {each.info.path: each for each in (self._find(name, listed) for name in names)}
        remover = Remover(self._inventory, self._folders, self._revisions, listed)
        return remover, [*found.values()]

    def note_use(self, path: Path, tokens_per_s: float, prompt_tokens_per_s: float) -> None:
        """Record that a model has answered, and how fast. Never fails."""
        self._inventory.keep_use(path, tokens_per_s, prompt_tokens_per_s)

    # Folders

    @property
    def main_folder(self) -> Path:
        """The folder for new models."""
        return self._folders.main

    def main_folder_kept(self) -> AbstractContextManager[None]:
        """No move of the main folder begins within. Raises UsageMistake "moving" during one."""
        return self._relocator.main_folder_kept()

    def folders(self, listed: Sequence[ModelInfo] | None = None) -> builtins.list[FolderUse]:
        """Every folder with models, ours first, with the free space on its disk.

        ``listed``: the models, where they are known.
        """
        return self._folders.uses(self.list() if listed is None else listed)

    def add_folder(self, path: Path, *, writable: bool = False) -> FolderUse:
        """Add a folder to our own; its models are listed from now on.

        ``writable``: they can be removed and moved here, too. Also for one that is there.
        """
        folder = self._folders.add(path, writable=writable)
        return next(use for use in self.folders() if use.path == folder)

    def forget_folder(self, path: Path) -> None:
        """Remove a folder from the list; its files are kept."""
        self._folders.forget(path)

    def relocate(
        self,
        folder: Path,
        to: Path,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> Relocation:
        """Move a folder of ours with all its files. If interrupted, call it again to continue."""
        return self._relocator.run(folder, to, progress=progress, cancel=cancel)

    # Profiles

    def profiles(self, name: str) -> builtins.list[Profile]:
        """The profiles of a model, by name."""
        return self._profiles.of(_places(self._find(name)))

    def profile_in_force(self, model: ModelInfo) -> Profile | None:
        """The profile in use, for a model that was just listed."""
        if not model.active_profile:
            return None
        found = self._profiles.of([place.path for place in model.places])
        return next((each for each in found if each.name == model.active_profile), None)

    def save_profile(self, name: str, profile: Profile) -> None:
        """Save a profile of a model, replacing one of that name."""
        self._profiles.save(self.get(name).path, profile)

    def delete_profile(self, name: str, profile: str) -> None:
        """Delete a profile of a model."""
        self._profiles.delete(_places(self._find(name)), profile)

    def use_profile(self, name: str, profile: str | None) -> None:
        """Use a profile for a model, or none, which leaves it to the settings."""
        self._profiles.use(_places(self._find(name)), profile)

    # Revisions

    def register_download(
        self,
        paths: Sequence[Path],
        *,
        source: Source,
        license: str,  # noqa: A002 - the name in every other value here
        sha256s: Mapping[str, str],
        asked_at: str = "",
    ) -> ModelInfo:
        """Register files that were downloaded and verified, with their source.

        ``sha256s`` by file name. A new revision replaces the one in use, unless that is pinned or
        came after this one was asked for.
        """
        first = paths[0]
        by_name = {Path(name).name: digest for name, digest in sha256s.items()}
        for path in paths:
            if path.name in by_name:
                self._inventory.keep_hash(path, Stamp.of(path.stat()), by_name[path.name])
        self._revisions.record(
            first,
            source,
            license_name=license,
            sha256=by_name.get(first.name, ""),
            asked_at=asked_at,
        )
        return self._at_path(first, self._scanner.models()).info

    def note_newer(self, name: str, revision: str) -> None:
        """Record that the hub has that revision of a model."""
        self._revisions.note_newer(self.get(name).path, revision)

    def revisions(self, name: str) -> builtins.list[Revision]:
        """The revisions of a model, the oldest first; none if it was not downloaded."""
        return [
            Revision(row.source.revision, row.sha256, row.path, row.added_at, row.current)
            for row in self._revisions.line_of(self.get(name).path)
        ]

    def compare_revisions(self, name: str, a: str, b: str) -> builtins.list[Difference]:
        """The differences between two revisions of a model; an empty name is the one in use."""
        model = self.get(name)
        rows = self._rows(model)
        one, other = (find_revision(rows, wanted, model.name) for wanted in (a, b))
        return differences(
            read_header(one.path),
            read_header(other.path),
            sha256_before=one.sha256,
            sha256_after=other.sha256,
        )

    def compare_with(
        self, name: str, header: GgufHeader, sha256: str = ""
    ) -> builtins.list[Difference]:
        """The differences between a model and the header of another file."""
        model = self.get(name)
        return differences(
            read_header(model.path),
            header,
            sha256_before=model.sha256 or "",
            sha256_after=sha256,
        )

    def use_revision(self, name: str, revision: str) -> ModelInfo:
        """Use another revision, which takes over name, aliases, pin and profiles."""
        model = self.get(name)
        rows = self._rows(model)
        wanted = find_revision(rows, revision, model.name)
        read_header(wanted.path)  # a damaged revision is not taken into use
        if not wanted.current:
            self._revisions.use(wanted.path)
        return self._at_path(wanted.path, self._scanner.models()).info

    def _rows(self, model: ModelInfo) -> builtins.list[RevisionRow]:
        rows = self._revisions.line_of(model.path)
        if not rows:
            raise NotFound(
                f"{model.name} has no revisions: it was not downloaded by Lockhouse.",
                hint="Revisions exist for models downloaded with: lockhouse models get",
            )
        return rows


def _places(model: ListedModel) -> list[Path]:
    return [place.path for place in model.info.places] or [model.info.path]


def _every_file(model: ListedModel) -> list[Path]:
    """The files of every copy, hard links to the same file once."""
    files: dict[tuple[int, int], Path] = {}
    for copy in model.copies:
        for path in copy.info.files:
            if path.exists():
                status = path.stat()
                files.setdefault((status.st_dev, status.st_ino), path)
    return list(files.values())


def _matching(wanted: str, listed: Sequence[ListedModel]) -> list[ListedModel]:
    """The models meant by a name in other case, a hash prefix, or the beginning of a name."""
    plain = slug(wanted)
    found = [
        each
        for each in listed
        if wanted == each.info.path.name.lower() or wanted in each.names or plain in each.names
    ]
    if not found and _PREFIX.fullmatch(wanted):
        found = [each for each in listed if (each.info.sha256 or "").startswith(wanted)]
    if not found and wanted:
        found = [each for each in listed if each.info.name.startswith(wanted)]
    hashes = {each.info.sha256 for each in found}
    return found[:1] if len(hashes) == 1 and None not in hashes else found


def _with_model(outcome: ImportOutcome, models: dict[Path, ModelInfo]) -> ImportOutcome:
    if outcome.destination is None or outcome.action == "refused":
        return outcome
    return msgspec.structs.replace(outcome, model=models.get(outcome.destination))


def _published(reference: Reference, listed: Sequence[ListedModel]) -> list[ListedModel]:
    """The models that came from there, those that can be used before the others."""
    found = [each for each in listed if any(is_from(copy.info, reference) for copy in each.copies)]
    ready = [each for each in found if each.info.state in ("ready", "changed")]
    return ready or found


def _path_of(name: str) -> Path | None:
    """The file that a name means; None where it is no path."""
    separators = os.sep + (os.altsep or "")
    is_path = any(each in name for each in separators)
    if is_path or (name.lower().endswith(".gguf") and os.path.lexists(name)):
        return Path(name).expanduser()
    return None


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MAX_CANDIDATES
    return ", ".join(names[:_MAX_CANDIDATES]) + (f" and {more} more" if more > 0 else "")


def _no_model(name: str, models: Sequence[ModelInfo]) -> NotFound:
    usable = [model for model in models if model.state == "ready"]
    names = [each for model in usable for each in (model.name, *model.aliases)]
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    if near or names:
        hint = f"There is {_named(near or names)}. List all: lockhouse models list"
    elif models:
        hint = "No model is ready. See the problems with: lockhouse models list"
    else:
        hint = "No model is installed. Import one with: lockhouse models import FILE.gguf"
    if not near and name:
        hint += f"\nSearch the hub: lockhouse models search {name.partition(':')[0]}"
    return NotFound(f'There is no model "{name}".', hint=hint)
