"""The library as the window sees it: lists, imports, checks and removes models, without widgets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from lockhouse.answer.registry import TargetRegistry
from lockhouse.answer.target import TargetInfo
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.library.file_copy import nearest_existing
from lockhouse.library.model_info import (
    OWN,
    Difference,
    FolderUse,
    ImportMode,
    ImportOutcome,
    ModelInfo,
    Profile,
    Removal,
    Revision,
)
from lockhouse.library.models import Models
from lockhouse.ui import formatting
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.models.disk_use import DiskUse, disk_use, removable_disk, shown_free
from lockhouse.ui.models.model_table import Row, make_rows
from lockhouse.ui.timers import OneAtATime, repetition

_COMPARED_BYTES = 2 << 30  # read at a time, in the background
_PROGRESS_EVERY_MS = 100
_QUEUE = "models"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What importing these files would do, of which nothing is done yet.

    ``disk`` is the name of the removable disk that they are on, "" for any other.
    """

    paths: tuple[Path, ...]
    outcomes: tuple[ImportOutcome, ...]
    disk: str
    folder: Path  # where a copy would go
    free_bytes: int  # there

    @property
    def new(self) -> tuple[ImportOutcome, ...]:
        """Those that are models, and not here already."""
        return tuple(one for one in self.outcomes if one.action not in ("refused", "already there"))

    @property
    def size_bytes(self) -> int:
        """What a copy would take."""
        return sum(one.size_bytes for one in self.new)


@dataclass(frozen=True, slots=True)
class InstalledModels:
    """The models of this machine, and those of them that can answer, the default first."""

    models: tuple[ModelInfo, ...] = ()
    targets: tuple[TargetInfo, ...] = ()
    rows: tuple[Row, ...] = ()
    disks: tuple[DiskUse, ...] = ()
    folders: tuple[FolderUse, ...] = ()

    def get(self, name: str) -> ModelInfo | None:
        """The model of that name."""
        return next((model for model in self.models if model.name == name), None)

    def reusing(self, before: InstalledModels) -> InstalledModels:
        """The same, with every part that did not change taken from ``before``.

        So that a view finds out by identity, without comparing thousands of models.
        """
        if self == before:
            return before
        known = {row.model.name: row for row in before.rows}
        rows = tuple(_unchanged(row, known.get(row.model.name)) for row in self.rows)
        return InstalledModels(
            before.models if self.models == before.models else self.models,
            before.targets if self.targets == before.targets else self.targets,
            before.rows if rows == before.rows else rows,
            self.disks,
            self.folders,
        )


def _unchanged(row: Row, before: Row | None) -> Row:
    return before if before is not None and before == row else row


@dataclass(frozen=True, slots=True)
class Freeing:
    """What removing some models would do."""

    names: tuple[str, ...]
    freed_bytes: int
    deleted: tuple[Path, ...] = ()
    kept: int = 0  # files outside Lockhouse's folders, which stay
    to_trash: bool = False

    @property
    def sentence(self) -> str:
        """It in words."""
        frees = formatting.size(self.freed_bytes) if self.freed_bytes else "nothing"
        if not self.kept:
            once = " once the trash is emptied" if self.to_trash and self.freed_bytes else ""
            return f"Removing frees {frees}{once}."
        stay = "is not Lockhouse’s and stays" if self.kept == 1 else "are not Lockhouse’s and stay"
        return f"Removing frees {frees}; {formatting.counted(self.kept, 'file')} {stay}."


@dataclass(frozen=True, slots=True)
class ModelExtras:
    """What the details of a model show beside the model itself."""

    name: str
    profiles: tuple[Profile, ...] = ()
    revisions: tuple[Revision, ...] = ()


Outcome = Literal["", "unchanged", "changed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """A check of a whole file that is running, or has ended with ``outcome``."""

    name: str
    done_bytes: int = 0
    size_bytes: int = 0
    outcome: Outcome = ""

    @property
    def share(self) -> float:
        """The part that has been read."""
        return self.done_bytes / self.size_bytes if self.size_bytes else 0.0


class ModelsController(QObject):
    """Works on the library on threads, and tells what came of it."""

    listed = Signal(object)  # InstalledModels
    import_planned = Signal(object)  # ImportPlan
    imported = Signal(object)  # tuple[ImportOutcome, ...]
    extras_read = Signal(object)  # ModelExtras
    checked = Signal(object)  # CheckProgress
    freeing_read = Signal(object)  # Freeing
    compared = Signal(object)  # tuple[Difference, ...]
    told = Signal(str)  # what was done, in a sentence
    removed = Signal(str)  # likewise, of what can be undone
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, models: Models, targets: TargetRegistry, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._targets = targets
        self._jobs = jobs
        self._checks: dict[str, CheckProgress] = {}  # a thread that reads notes its progress
        self._cancels: dict[str, CancelToken] = {}
        self._progress = repetition(self, _PROGRESS_EVERY_MS, self._tell_checks)
        self._reading = OneAtATime(lambda: jobs.run(self._read, self._show, self._not_read))
        self._was_read = False
        self._removals: tuple[Removal, ...] = ()
        self.installed = InstalledModels()

    # the list

    def refresh(self) -> None:
        """Read the library again; a reading that is under way is followed by one more."""
        self._reading.want()

    def _read(self) -> tuple[InstalledModels, bool]:
        """What is installed, and whether it differs from what is shown."""
        listed = self._models.list()  # once: it is by far the longest part
        models, targets = _with_distinct_titles(tuple(listed), tuple(self._targets.list(listed)))
        folders = tuple(
            msgspec.structs.replace(folder, disk_free_bytes=shown_free(folder.disk_free_bytes))
            for folder in self._models.folders(listed)
        )
        rows = make_rows(models, formatting.local_now())
        found = InstalledModels(models, targets, rows, disk_use(folders, models), folders)
        installed = found.reusing(self.installed)
        return installed, installed is not self.installed or not self._was_read

    def _show(self, found: tuple[InstalledModels, bool]) -> None:
        installed, differs = found
        if differs:
            self.installed = installed
            self._was_read = True
            self.listed.emit(installed)
        self._reading.end()
        if differs and not self._reading.is_running:
            self._jobs.run(self._compare, self._after_comparing, ignore)

    def _compare(self) -> bool:
        """Read files that may be equal to others, a few seconds' worth, so that equal ones are
        shown once. Whether any was read."""
        read: list[int] = []
        self._models.list_recognised(
            limit_bytes=_COMPARED_BYTES, progress=lambda done, _: read.append(done)
        )
        return any(read)

    def _after_comparing(self, found: object) -> None:
        if found:
            self.refresh()

    def _not_read(self, error: LockhouseError) -> None:
        self._reading.end(has_failed=True)
        self.failed.emit(error)

    # changes

    def change(
        self, work: Callable[[Models], object], *, of: str = "", relist: bool = True
    ) -> None:
        """Change the library, then read it again, and the profiles and revisions ``of`` a model.

        A text that ``work`` returns is shown.
        """

        def tell(outcome: object) -> None:
            if isinstance(outcome, str):
                self.told.emit(outcome)
            if of:
                self.read_extras(of)
            if relist:
                self.refresh()

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self.refresh()

        self._jobs.run_in_order(lambda: work(self._models), tell, fail, queue_name=_QUEUE)

    def change_model(self, name: str, change: Callable[..., object], *what: str) -> None:
        """Do this with the library to a model: use, save or delete one of its parts."""
        self.change(lambda library: change(library, name, *what), of=name)

    def plan_import(self, paths: Sequence[Path]) -> None:
        """Find out what importing these files would do, to be asked about; nothing is done."""
        wanted = tuple(paths)

        def look() -> ImportPlan:
            outcomes = tuple(self._models.import_files(wanted, dry_run=True))
            folder = self._models.main_folder
            free_bytes = shutil.disk_usage(nearest_existing(folder)).free
            disks = {removable_disk(path) for path in wanted} - {""}
            return ImportPlan(wanted, outcomes, ", ".join(sorted(disks)), folder, free_bytes)

        def tell(plan: ImportPlan) -> None:
            if plan.new:
                self.import_planned.emit(plan)
            else:  # each is refused, or here already: say so
                self.import_files(wanted)

        self._jobs.run(look, tell, self.failed.emit)

    def import_files(self, paths: Sequence[Path], mode: ImportMode = "in-place") -> None:
        """Import these files, or all models in these folders."""
        wanted = list(paths)
        told = 0

        def note(done_bytes: int, size_bytes: int) -> None:
            nonlocal told
            tenth = done_bytes * 10 // size_bytes if size_bytes else 0
            if mode == "copy" and tenth != told:
                told = tenth
                self.told.emit(f"Copying: {formatting.percent(tenth / 10)}")

        def tell(outcomes: object) -> None:
            self.imported.emit(outcomes)
            self.refresh()

        self._jobs.run(
            lambda: tuple(self._models.import_files(wanted, mode=mode, progress=note)),
            tell,
            self.failed.emit,
        )

    def read_freeing(self, names: Sequence[str]) -> None:
        """What removing these models would delete and free, without doing it."""
        wanted = tuple(names)
        chosen = [model for model in self.installed.models if model.name in wanted]

        def read() -> Freeing:
            kept = sum(1 for model in chosen if model.owner != OWN or model.included)
            removal = self._models.preview_removal(wanted)
            kept += removal.only_read
            return Freeing(wanted, removal.freed_bytes, removal.deleted, kept, removal.to_trash)

        self._jobs.run(read, self.freeing_read.emit, self.failed.emit)

    def remove(self, names: Sequence[str]) -> None:
        """Delete Lockhouse's own files of these models, and forget the others; their files stay."""
        wanted = tuple(names)

        def work() -> list[Removal]:
            return self._models.remove_many(wanted, delete_files=True)

        def tell(done: list[Removal]) -> None:
            what = f"Removed {formatting.counted(len(done), 'model')}"
            freed_bytes = sum(one.freed_bytes for one in done)
            self._removals = ()
            if any(one.trash for one in done):
                self._removals = tuple(done)
                self.removed.emit(f"{what} to the trash")
            else:
                freed = f", {formatting.size(freed_bytes)} freed" if freed_bytes else ""
                self.told.emit(f"{what}{freed}")
            self.refresh()

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self.refresh()

        self._jobs.run(work, tell, fail)

    def undo_removal(self) -> None:
        """Bring back what the last removal put into the trash."""
        removals, self._removals = self._removals, ()

        def work(models: Models) -> str:
            models.undo_removal(removals)
            return f"Brought back {formatting.counted(len(removals), 'model')}"

        if removals:
            self.change(work)

    # one model

    def read_extras(self, name: str) -> None:
        """Read profiles and revisions of a model whose details are open."""

        def read() -> ModelExtras:
            profiles = tuple(self._models.profiles(name))
            return ModelExtras(name, profiles, tuple(self._models.revisions(name)))

        self._jobs.run_in_order(read, self.extras_read.emit, self.failed.emit, queue_name=_QUEUE)

    def save_profile(self, name: str, profile: Profile) -> None:
        """Save load settings and sampling defaults as a profile."""

        def work(models: Models) -> None:
            models.save_profile(name, profile)
            if profile.active:
                models.use_profile(name, profile.name)

        self.change(work, of=name, relist=False)

    def rename_profile(self, name: str, before: Profile, after: Profile) -> None:
        """Rename a profile; one that is in use stays in use."""

        def work(models: Models) -> None:
            models.save_profile(name, after)
            if before.active:
                models.use_profile(name, after.name)
            models.delete_profile(name, before.name)

        self.change(work, of=name)

    def compare_revisions(self, name: str, first: str, second: str) -> None:
        """Find the differences between two revisions."""

        def read() -> tuple[Difference, ...]:
            return tuple(self._models.compare_revisions(name, first, second))

        self._jobs.run(read, self.compared.emit, self.failed.emit)

    def load(self, name: str, done: Callable[[], None]) -> None:
        """Load a model into memory, as its first question would."""

        def work() -> int:
            request = AnswerRequest(turns=(Turn("user", "."),))
            return self._targets.get(name).count_tokens(request)

        def fail(error: LockhouseError) -> None:
            done()
            self.failed.emit(error)

        self._jobs.run(work, lambda _: done(), fail)

    # checks

    def verify(self, name: str) -> None:
        """Read a whole file again and compare its hash, telling the progress."""
        if name in self._checks:
            return
        model = self.installed.get(name)
        cancel = self._cancels[name] = CancelToken()
        self._checks[name] = CheckProgress(name, 0, model.size_bytes if model else 0)
        self._tell_checks()
        self._progress.start()

        def note(done_bytes: int, size_bytes: int) -> None:
            self._checks[name] = CheckProgress(name, done_bytes, size_bytes)

        def work() -> Outcome:
            try:
                found = self._models.verify(name, progress=note, cancel=cancel)
            except Cancelled:
                return "cancelled"
            return "unchanged" if found.unchanged else "changed"

        def end(outcome: Outcome) -> None:
            del self._checks[name], self._cancels[name]
            if not self._checks:
                self._progress.stop()
            self.checked.emit(CheckProgress(name, outcome=outcome))
            if outcome in ("unchanged", "changed"):
                self.refresh()

        def fail(error: LockhouseError) -> None:
            end("failed")
            self.failed.emit(error)

        self._jobs.run(work, end, fail)

    def cancel_check(self, name: str) -> None:
        """Stop reading; what was known of the file stays."""
        if name in self._cancels:
            self._cancels[name].cancel()

    def _tell_checks(self) -> None:
        for progress in self._checks.values():
            self.checked.emit(progress)


def _with_distinct_titles(
    models: tuple[ModelInfo, ...], targets: tuple[TargetInfo, ...]
) -> tuple[tuple[ModelInfo, ...], tuple[TargetInfo, ...]]:
    """The same, where a title that several share also has the name of each."""
    model_names = formatting.told_apart([(one.name, one.title) for one in models])
    target_names = formatting.told_apart([(one.name, one.title) for one in targets])
    replace = msgspec.structs.replace
    return (
        tuple(replace(one, title=model_names[one.name]) for one in models),
        tuple(replace(one, title=target_names[one.name]) for one in targets),
    )
