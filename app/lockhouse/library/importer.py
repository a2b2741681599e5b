"""Imports models: plans each one, then carries out the plans. A refused file stops no other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError, NotFound, UsageMistake
from lockhouse.library.deduplication import sample_of
from lockhouse.library.external_folders import owner_of
from lockhouse.library.external_stores import LATER_SHARD
from lockhouse.library.file_copy import (
    Meter,
    Progress,
    check_room,
    copy_in,
    give_name,
    link_in,
    map_os_error,
    move_in,
    nearest_existing,
    same_content,
)
from lockhouse.library.folders import Folders, absolute, real
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.layout import shown
from lockhouse.library.gguf.loadable import check_loadable, shard_paths
from lockhouse.library.inventory import Inventory
from lockhouse.library.model_info import OWN, ImportAction, ImportMode, ImportOutcome, ModelInfo
from lockhouse.library.model_names import Names, plain_name
from lockhouse.library.projectors import projector_beside

_NOT_MODELS: Final = re.compile(r"mmproj|incomplete-", re.IGNORECASE)
_DONE: Final[dict[ImportMode, ImportAction]] = {
    "in-place": "registered",
    "copy": "copied",
    "link": "linked",
    "move": "moved",
}


class _Plan(msgspec.Struct, frozen=True):
    """What is to be done for one model."""

    source: Path
    files: tuple[Path, ...]
    folder: Path | None  # None: left in place
    name: str
    size_bytes: int
    projector: Path | None = None  # one of the files

    @property
    def weights(self) -> tuple[Path, ...]:
        """The files of the model without the projector."""
        return tuple(path for path in self.files if path != self.projector)

    @property
    def destination(self) -> Path:
        """Where the first file of the model will be."""
        return self.source if self.folder is None else self.folder / self.source.name


class Importer:
    """One run of an import."""

    def __init__(
        self, inventory: Inventory, folders: Folders, *, mode: ImportMode, dry_run: bool
    ) -> None:
        if mode not in _DONE:
            raise UsageMistake(
                f'There is no import mode "{mode}".', hint=f"Choose one of: {', '.join(_DONE)}."
            )
        self._inventory = inventory
        self._own_folder = folders.main
        self._is_own = folders.ownership()
        self._may_change = folders.ownership(to_write=True)
        self._found = folders.found()
        self._mode = mode
        self._dry_run = dry_run
        self._planned_bytes = 0

    def run(
        self,
        paths: Sequence[Path],
        *,
        known: Sequence[ModelInfo],
        progress: Progress | None,
        cancel: CancelToken | None,
    ) -> list[ImportOutcome]:
        """Import them all. Cancelling ends the run; what was imported before is kept."""
        outcomes: list[ImportOutcome] = []
        plans: list[_Plan] = []
        names = Names({model.name for model in known})
        by_path = {place.path: model for model in known for place in model.places}
        included = {real(model.path) for model in known if model.included}
        for path in dict.fromkeys(absolute(path) for path in paths):
            for file in self._models_at(path, outcomes):
                if file in by_path and (self._mode == "in-place" or self._is_own(file)):
                    outcomes.append(ImportOutcome(file, "already there", destination=file))
                    continue
                try:
                    plan = self._plan(file, names, included, known)
                    same = None if file in by_path else self._same(plan, known, plans, cancel)
                except LockhouseError as error:
                    outcomes.append(_refused(file, error))
                    continue
                if same is not None:
                    outcomes.append(ImportOutcome(file, "already there", destination=same))
                    continue
                plans.append(plan)
        meter = Meter(sum(plan.size_bytes for plan in plans), progress, cancel)
        outcomes += [self._carry_out(plan, meter) for plan in plans]
        return outcomes

    def _models_at(self, path: Path, outcomes: list[ImportOutcome]) -> Iterator[Path]:
        if not path.is_dir():
            yield path
            return
        found = False
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                if name.lower().endswith(".gguf") and not LATER_SHARD.search(name):
                    if _NOT_MODELS.match(name):
                        continue
                    found = True
                    yield Path(folder, name)
        if not found:
            error = NotFound(
                f"There is no model in {shown(path)}.", hint="Models are files ending in .gguf."
            )
            outcomes.append(_refused(path, error))

    def _plan(
        self, file: Path, names: Names, included: set[Path], known: Sequence[ModelInfo]
    ) -> _Plan:
        header = read_header(file)
        check_loadable(header)
        theirs = any(real(file).is_relative_to(real(each.path)) for each in self._found)
        if self._mode == "move" and (file.is_symlink() or theirs or real(file) in included):
            raise UsageMistake(
                f"{shown(file)} belongs to another program and cannot be moved.",
                hint="Copy it (--copy), or use it where it is (--in-place).",
            )
        if self._mode == "move" and self._is_own(file) and not self._may_change(file):
            raise UsageMistake(
                f"{shown(file)} is in a folder of yours in which Lockhouse only reads.",
                hint="Copy it (--copy), or allow changes there: lockhouse models folders add "
                "--writable FOLDER",
                code="only_read",
            )
        files = shard_paths(header)
        projector = projector_beside(file, header) if self._mode != "in-place" else None
        name = _name_of_copy(files, known) or names.give(
            plain_name(file.stem, header.name), header.quantization
        )
        files = (*files, projector) if projector is not None else files
        size_bytes = sum(each.stat().st_size for each in files)
        folder = None
        if self._mode != "in-place":
            folder = self._own_folder / name if len(files) > 1 else self._own_folder
            if self._mode == "copy":
                check_room(nearest_existing(self._own_folder), self._planned_bytes + size_bytes)
                self._planned_bytes += size_bytes
        return _Plan(file, files, folder, name, size_bytes, projector)

    def _same(
        self,
        plan: _Plan,
        known: Sequence[ModelInfo],
        plans: Sequence[_Plan],
        cancel: CancelToken | None,
    ) -> Path | None:
        """Where the same model is, or will be after this run; None when it is a new one.

        What is copied or moved to our own folder may already be somewhere else.
        """
        others = [
            (tuple(path for path in model.files if path != model.projector), model.path)
            for model in known
            if model.state in ("ready", "changed")
            and (self._mode == "in-place" or model.owner == OWN)
        ]
        others += [(other.weights, other.destination) for other in plans]
        for files, path in others:
            if len(files) == len(plan.weights) and all(
                same_content(mine, theirs, cancel=cancel)
                for mine, theirs in zip(plan.weights, files, strict=True)
            ):
                return path
        return None

    def _carry_out(self, plan: _Plan, meter: Meter) -> ImportOutcome:
        action = _DONE[self._mode]
        try:
            if plan.folder is not None:
                plan = self._with_free_destination(plan, plan.folder)
            if not self._dry_run:
                self._execute(plan, meter)
        except LockhouseError as error:
            return _refused(plan.source, error)
        return ImportOutcome(
            plan.source, action, destination=plan.destination, size_bytes=plan.size_bytes
        )

    def _with_free_destination(self, plan: _Plan, folder: Path) -> _Plan:
        for each in plan.files:
            target = folder / each.name
            if target.exists() or target.is_symlink():
                raise InvalidInput(
                    f"{target.name} already exists in Lockhouse's folder and was not changed.",
                    hint="Rename the file and import it again, or remove the other one first.",
                    code="exists",
                )
        return plan

    def _execute(self, plan: _Plan, meter: Meter) -> None:
        if plan.folder is not None:
            try:
                plan.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise map_os_error(error, plan.folder) from error
            self._copy_files(plan, plan.folder, meter)
        owner = OWN if plan.folder is not None else owner_of(plan.source, self._found)
        self._inventory.register(plan.destination, name=plan.name, owner=owner)
        if self._mode == "move":
            self._inventory.forget(plan.source)

    def _copy_files(self, plan: _Plan, folder: Path, meter: Meter) -> None:
        done: list[Path] = []
        try:
            for source in plan.files:
                target = folder / source.name
                hashed = None
                if self._mode == "copy" or (self._mode == "move" and source == plan.projector):
                    hashed = copy_in(source, target, meter)
                elif self._mode == "move":
                    hashed = move_in(source, target, meter)
                else:
                    link_in(real(source), target)
                    meter.add(target.stat().st_size)
                done.append(target)
                if hashed is not None:
                    self._inventory.keep_hash(target, *hashed)
        except BaseException:
            # All parts or none: what was moved is moved back.
            for target, source in zip(done, plan.files, strict=False):
                if self._mode == "move" and not source.exists():
                    give_name(target, source)
                else:
                    target.unlink(missing_ok=True)
            raise


def _name_of_copy(files: Sequence[Path], known: Sequence[ModelInfo]) -> str:
    """The name of the same file in another program's folder, since both will be one model.

    For a name, an equal sample is enough.
    """
    size_bytes = files[0].stat().st_size
    for model in known:
        if model.included or model.owner == OWN or model.state != "ready":
            continue
        weights = [path for path in model.files if path != model.projector]
        if len(weights) != len(files) or weights[0].stat().st_size != size_bytes:
            continue
        if sample_of(weights[0]) == sample_of(files[0]):
            return model.name
    return ""


def _refused(source: Path, error: LockhouseError) -> ImportOutcome:
    return ImportOutcome(
        source,
        "refused",
        code=error.code,
        message=error.message,
        hint=error.hint,
        exit_code=error.exit_code,
    )
