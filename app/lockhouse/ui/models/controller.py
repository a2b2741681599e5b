"""Listing, importing, checking and removing models, without widgets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.answer.registry import TargetRegistry
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.library.model_info import (
    Difference,
    FolderUse,
    ImportMode,
    ModelInfo,
    Profile,
    Verification,
)
from lockhouse.library.models import Models
from lockhouse.ui import formatting
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.models.table import make_rows
from lockhouse.ui.models.values import (
    Checking,
    DiskUse,
    Freeing,
    ModelExtras,
    Outcome,
    Shelf,
    told_apart,
)

_REMOVABLE_ROOTS = ("/media/", "/run/media/", "/mnt/", "/Volumes/")
_COMPARED_BYTES = 2 << 30  # read at a time, in the background
_PULSE_MS = 100
_QUEUE = "models"


class _Check:
    """A check under way; its thread notes how far it is, the GUI thread reads it."""

    def __init__(self, name: str, size_bytes: int) -> None:
        self.cancel = CancelToken()
        self._name = name
        self._size_bytes = size_bytes
        self._done_bytes = 0

    def note(self, done_bytes: int, size_bytes: int) -> None:
        """Called by the thread that reads."""
        self._done_bytes, self._size_bytes = done_bytes, size_bytes

    def told(self) -> Checking:
        """How far it is."""
        return Checking(self._name, self._done_bytes, self._size_bytes)


class ModelsController(QObject):
    """The library as the window sees it."""

    listed = Signal(object)  # Shelf
    imported = Signal(object)  # tuple[ImportOutcome, ...]
    extras_read = Signal(object)  # ModelExtras
    checked = Signal(object)  # Checking
    freeing_told = Signal(object)  # Freeing
    compared = Signal(object)  # tuple[Difference, ...]
    told = Signal(str)  # a sentence in passing
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, models: Models, targets: TargetRegistry, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._targets = targets
        self._jobs = jobs
        self._checks: dict[str, _Check] = {}
        self._pulse = QTimer(self)  # a check tells from its thread how far it is
        self._pulse.setInterval(_PULSE_MS)
        self._pulse.timeout.connect(self._tell_checks)
        self._reading = False
        self._stale = False
        self._was_read = False
        self.shelf = Shelf()

    # the list

    def refresh(self) -> None:
        """Look at the library again; a look that is going on is followed by one more."""
        if self._reading:
            self._stale = True
            return
        self._reading = True
        self._jobs.run(self._read, self._show, self._not_read)

    def rescan(self) -> None:
        """Look into every folder again, those of other programs too."""
        self._change(self._models.rescan)

    def _read(self) -> tuple[Shelf, bool]:
        """The shelf, and whether it is another than the one that is shown."""
        models, targets = told_apart(tuple(self._models.list()), tuple(self._targets.list()))
        folders = tuple(self._models.folders())
        rows = make_rows(models, {}, formatting.local_now())
        shelf = Shelf(models, targets, rows, disks_of(folders, models), folders).after(self.shelf)
        return shelf, shelf is not self.shelf or not self._was_read

    def _show(self, found: tuple[Shelf, bool]) -> None:
        self._reading = False
        shelf, is_other = found
        if is_other:
            self.shelf = shelf
            self._was_read = True
            self.listed.emit(shelf)
        if self._stale:
            self._stale = False
            self.refresh()
        elif is_other:
            self._jobs.run(self._compare, self._after_comparing, lambda _: None)

    def _compare(self) -> bool:
        """Read files that may be equal to others, a few seconds' worth, so that equal ones are
        shown once. Whether any was read."""
        read: list[int] = []
        self._models.recognise(
            limit_bytes=_COMPARED_BYTES, progress=lambda done, _: read.append(done)
        )
        return any(read)

    def _after_comparing(self, found: object) -> None:
        if found:
            self.refresh()

    def _not_read(self, error: LockhouseError) -> None:
        self._reading = self._stale = False
        self.failed.emit(error)

    # bringing and removing

    def import_files(self, paths: Sequence[Path], mode: ImportMode = "in-place") -> None:
        """Make these files, or all models in these folders, known here."""
        wanted = list(paths)

        def tell(outcomes: object) -> None:
            self.imported.emit(outcomes)
            self.refresh()

        self._jobs.run(
            lambda: tuple(self._models.import_files(wanted, mode=mode)), tell, self.failed.emit
        )

    def ask_freeing(self, names: Sequence[str]) -> None:
        """What removing these would free, without doing it."""
        wanted = tuple(names)
        chosen = [model for model in self.shelf.models if model.name in wanted]

        def read() -> Freeing:
            kept = sum(1 for model in chosen if model.owner != "lockhouse" or model.included)
            return Freeing(wanted, self._models.would_free(wanted), kept)

        self._jobs.run(read, self.freeing_told.emit, self.failed.emit)

    def remove(self, names: Sequence[str]) -> None:
        """Delete our own files of these models, and forget the others; their files stay."""
        wanted = tuple(names)

        def work() -> str:
            done = self._models.remove_many(wanted, delete_files=True)
            freed = sum(one.freed_bytes for one in done)
            words = f"Removed {formatting.counted(len(done), 'model')}"
            return f"{words}, {formatting.size(freed)} freed" if freed else words

        self._change(work)

    def add_folder(self, path: Path) -> None:
        """Use the models of another folder of one's own."""
        self._change(lambda: self._models.add_folder(path))

    def forget_folder(self, path: Path) -> None:
        """Leave a folder's models out; nothing is deleted."""
        self._change(lambda: self._models.forget_folder(path))

    # one model

    def read_extras(self, name: str) -> None:
        """Profiles and revisions of a model whose page is open."""

        def read() -> ModelExtras:
            profiles = tuple(self._models.profiles(name))
            return ModelExtras(name, profiles, tuple(self._models.revisions(name)))

        self._jobs.run_in_order(read, self.extras_read.emit, self.failed.emit, queue_name=_QUEUE)

    def save_profile(self, name: str, profile: Profile) -> None:
        """Keep load settings and sampling defaults under a name."""

        def work() -> None:
            self._models.save_profile(name, profile)
            if profile.active:
                self._models.use_profile(name, profile.name)

        self._change_one(name, work, relist=False)

    def rename_profile(self, name: str, before: Profile, after: Profile) -> None:
        """The same profile under another name; it stays the one in use when it was."""

        def work() -> None:
            self._models.save_profile(name, after)
            if before.active:
                self._models.use_profile(name, after.name)
            self._models.delete_profile(name, before.name)

        self._change_one(name, work)

    def delete_profile(self, name: str, profile: str) -> None:
        """Forget a profile."""
        self._change_one(name, lambda: self._models.delete_profile(name, profile))

    def use_profile(self, name: str, profile: str) -> None:
        """Load with another profile from now on."""
        self._change_one(name, lambda: self._models.use_profile(name, profile))

    def use_revision(self, name: str, revision: str) -> None:
        """Answer with another revision that is kept here."""
        self._change_one(name, lambda: self._models.use_revision(name, revision))

    def compare_revisions(self, name: str, first: str, second: str) -> None:
        """What differs between two revisions."""

        def read() -> tuple[Difference, ...]:
            return tuple(self._models.compare_revisions(name, first, second))

        self._jobs.run(read, self.compared.emit, self.failed.emit)

    def set_alias(self, alias: str, name: str | None) -> None:
        """Let a short name stand for a model, or for nothing."""
        self._change(lambda: self._models.set_alias(alias, name))

    def set_pinned(self, name: str, *, pinned: bool) -> None:
        """Keep a model as it is, or let it go."""
        self._change(lambda: self._models.set_pinned(name, pinned=pinned))

    def load(self, name: str, done: Callable[[], None]) -> None:
        """Put a model into memory, as its first question would."""

        def work() -> int:
            request = AnswerRequest(turns=(Turn("user", "."),))
            return self._targets.get(name).count_tokens(request)

        def fail(error: LockhouseError) -> None:
            done()
            self.failed.emit(error)

        self._jobs.run(work, lambda _: done(), fail)

    # checking

    def verify(self, name: str) -> None:
        """Read a whole file again and compare its hash, telling how far it is."""
        if name in self._checks:
            return
        model = next((one for one in self.shelf.models if one.name == name), None)
        check = self._checks[name] = _Check(name, model.size_bytes if model else 0)
        self._tell_checks()
        self._pulse.start()

        def work() -> Verification | None:
            try:
                return self._models.verify(name, progress=check.note, cancel=check.cancel)
            except Cancelled:
                return None

        self._jobs.run(
            work,
            lambda found: self._after_check(name, found),
            lambda error: self._check_failed(name, error),
        )

    def cancel_check(self, name: str) -> None:
        """Stop reading; what was known of the file stays."""
        if name in self._checks:
            self._checks[name].cancel.cancel()

    def _tell_checks(self) -> None:
        for check in self._checks.values():
            self.checked.emit(check.told())

    def _after_check(self, name: str, found: Verification | None) -> None:
        self._end_check(name)
        outcome: Outcome = "cancelled"
        if found is not None:
            outcome = "unchanged" if found.unchanged else "changed"
        self.checked.emit(Checking(name, outcome=outcome))
        if found is not None:
            self.refresh()

    def _check_failed(self, name: str, error: LockhouseError) -> None:
        self._end_check(name)
        self.checked.emit(Checking(name, outcome="failed"))
        self.failed.emit(error)

    def _end_check(self, name: str) -> None:
        self._checks.pop(name, None)
        if not self._checks:
            self._pulse.stop()

    # inside

    def _change(self, work: Callable[[], object]) -> None:
        def tell(outcome: object) -> None:
            if isinstance(outcome, str):
                self.told.emit(outcome)
            self.refresh()

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self.refresh()

        self._jobs.run_in_order(work, tell, fail, queue_name=_QUEUE)

    def _change_one(self, name: str, work: Callable[[], object], *, relist: bool = True) -> None:
        def tell(_outcome: object) -> None:
            self.read_extras(name)
            if relist:
                self.refresh()

        self._jobs.run_in_order(work, tell, self.failed.emit, queue_name=_QUEUE)


def disks_of(folders: Sequence[FolderUse], models: Sequence[ModelInfo]) -> tuple[DiskUse, ...]:
    """What the models take on each disk, the fullest of models first. Asks the disks."""
    mounts = _mounts()
    held: dict[str, list[ModelInfo]] = defaultdict(list)
    for model in models:
        if model.state != "missing":
            held[_mount_of(model.path, mounts)].append(model)
    used: list[DiskUse] = []
    for mount, there in held.items():
        try:
            room = psutil.disk_usage(mount)
        except OSError:
            continue
        inside = tuple(
            f"{folder.label}: {formatting.size(folder.size_bytes)} in {folder.path}"
            for folder in folders
            if folder.model_count and _mount_of(folder.path, mounts) == mount
        )
        used.append(
            DiskUse(
                _disk_label(mount),
                len(there),
                sum(model.size_bytes for model in there),
                room.free,
                room.total,
                is_removable=mount.startswith(_REMOVABLE_ROOTS),
                folders=inside,
            )
        )
    return tuple(sorted(used, key=lambda disk: -disk.size_bytes))


def _mounts() -> tuple[str, ...]:
    try:
        found = {part.mountpoint for part in psutil.disk_partitions(all=True)}
    except OSError:
        found = set()
    return tuple(sorted(found | {str(Path(Path.cwd().anchor or "/"))}, key=len, reverse=True))


def _mount_of(path: Path, mounts: Sequence[str]) -> str:
    """The longest mount point above it. Looks at names only: a stalled disk must not be asked."""
    text = str(path)
    for mount in mounts:
        if text == mount or text.startswith(mount.rstrip("/\\") + path.anchor[-1:]):
            return mount
    return path.anchor


def _disk_label(mount: str) -> str:
    return Path(mount).name or "System"
