"""Listing, importing, checking and removing models, without widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal

from lockhouse.answer.local import LocalTargets
from lockhouse.answer.targets import TargetInfo
from lockhouse.core.errors import LockhouseError
from lockhouse.library.gguf import estimate_memory, read_header
from lockhouse.library.model_info import ImportOutcome, ModelInfo, Verification
from lockhouse.library.models import Models
from lockhouse.ui import wording
from lockhouse.ui.jobs import Jobs

_CARD_CONTEXT = 4096


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models of this machine and who of them can answer, the default first."""

    models: tuple[ModelInfo, ...] = ()
    targets: tuple[TargetInfo, ...] = ()


def told_apart(shelf: Shelf) -> Shelf:
    """The same, with a name of its own for each: a title that several share is not one."""
    models = wording.told_apart([(one.name, one.title) for one in shelf.models])
    targets = wording.told_apart([(one.name, one.title) for one in shelf.targets])
    replace = msgspec.structs.replace
    return Shelf(
        tuple(replace(one, title=models[one.name]) for one in shelf.models),
        tuple(replace(one, title=targets[one.name]) for one in shelf.targets),
    )


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a model takes, at a context of that many tokens."""

    name: str
    context_length: int
    weights_bytes: int
    cache_bytes: int
    compute_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.cache_bytes + self.compute_bytes


class ModelsController(QObject):
    """The library as the window sees it."""

    listed = Signal(object)  # Shelf
    imported = Signal(object)  # tuple[ImportOutcome, ...]
    measured = Signal(object)  # MemoryNeed
    verified = Signal(str, bool)  # name, unchanged
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, models: Models, targets: LocalTargets, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._targets = targets
        self._jobs = jobs
        self.shelf = Shelf()

    def refresh(self) -> None:
        """Look at the library again."""

        def read() -> Shelf:
            return told_apart(Shelf(tuple(self._models.list()), tuple(self._targets.list())))

        self._jobs.run(read, self._show, self._tell)

    def import_files(self, paths: Sequence[Path]) -> None:
        """Use these files where they lie."""
        wanted = list(paths)
        self._jobs.run(
            lambda: tuple(self._models.import_files(wanted)), self._after_import, self._tell
        )

    def measure(self, model: ModelInfo, context_length: int) -> None:
        """How much memory a model would take."""

        def read() -> MemoryNeed:
            header = read_header(model.path)
            wanted = min(context_length or _CARD_CONTEXT, header.context_length or _CARD_CONTEXT)
            need = estimate_memory(header, wanted)
            return MemoryNeed(
                model.name,
                wanted,
                need.weights_bytes,
                need.cache_bytes,
                need.working_bytes,
            )

        self._jobs.run(read, self.measured.emit, self._tell)

    def verify(self, name: str) -> None:
        """Read the whole file and compare its hash."""

        def tell(found: Verification) -> None:
            self.verified.emit(found.name, found.unchanged)
            self.refresh()

        self._jobs.run(lambda: self._models.verify(name), tell, self._tell)

    def forget(self, name: str) -> None:
        """Take a model out of the list; its file stays."""
        self._jobs.run(lambda: self._models.remove(name), lambda _: self.refresh(), self._tell)

    def _show(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.listed.emit(shelf)

    def _after_import(self, outcomes: tuple[ImportOutcome, ...]) -> None:
        self.imported.emit(outcomes)
        self.refresh()

    def _tell(self, error: LockhouseError) -> None:
        self.failed.emit(error)
