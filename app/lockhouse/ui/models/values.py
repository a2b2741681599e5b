"""What the controllers of the Models page tell its widgets: frozen values, no widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.library.model_info import FolderUse, ModelInfo, Profile, Revision
from lockhouse.ui import formatting
from lockhouse.ui.models.table import Row


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What models take on one disk."""

    label: str
    model_count: int
    size_bytes: int
    free_bytes: int
    total_bytes: int
    is_removable: bool = False
    folders: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The figures, short."""
        return (
            f"{formatting.size(self.size_bytes)} in "
            f"{formatting.counted(self.model_count, 'model')}, "
            f"{formatting.size(self.free_bytes)} free"
        )

    @property
    def sentence(self) -> str:
        """The same with the name of the disk."""
        return f"{self.label}: {self.words}"

    @property
    def taken(self) -> float:
        """Which share of the disk is taken, by whatever."""
        return 1 - self.free_bytes / self.total_bytes if self.total_bytes else 0.0


@dataclass(frozen=True, slots=True)
class Shelf:
    """The models of this machine and who of them can answer, the default first."""

    models: tuple[ModelInfo, ...] = ()
    targets: tuple[TargetInfo, ...] = ()
    rows: tuple[Row, ...] = ()
    disks: tuple[DiskUse, ...] = ()
    folders: tuple[FolderUse, ...] = ()

    def after(self, before: Shelf) -> Shelf:
        """The same, with every part that did not change taken over from the shelf before.

        So that whoever shows it finds out by identity, without comparing thousands of models.
        """
        if self == before:
            return before
        known = {row.model.name: row for row in before.rows}
        rows = tuple(_kept(row, known.get(row.model.name)) for row in self.rows)
        return Shelf(
            before.models if self.models == before.models else self.models,
            before.targets if self.targets == before.targets else self.targets,
            before.rows if rows == before.rows else rows,
            self.disks,
            self.folders,
        )


def _kept(row: Row, before: Row | None) -> Row:
    return before if before is not None and before == row else row


def told_apart(
    models: tuple[ModelInfo, ...], targets: tuple[TargetInfo, ...]
) -> tuple[tuple[ModelInfo, ...], tuple[TargetInfo, ...]]:
    """The same, with a name of its own for each: a title that several share is not one."""
    model_names = formatting.told_apart([(one.name, one.title) for one in models])
    target_names = formatting.told_apart([(one.name, one.title) for one in targets])
    replace = msgspec.structs.replace
    return (
        tuple(replace(one, title=model_names[one.name]) for one in models),
        tuple(replace(one, title=target_names[one.name]) for one in targets),
    )


@dataclass(frozen=True, slots=True)
class Freeing:
    """What a removal would do."""

    names: tuple[str, ...]
    freed_bytes: int
    kept: int  # files of other programs and files left in place, which stay

    @property
    def sentence(self) -> str:
        """It in words."""
        frees = f"Removing frees {formatting.size(self.freed_bytes)}"
        if not self.kept:
            return f"{frees}."
        stay = (
            "1 file that is not ours stays"
            if self.kept == 1
            else (f"{self.kept} files that are not ours stay")
        )
        if not self.freed_bytes:
            return (
                f"Removing frees nothing: {stay} where it is."
                if self.kept == 1
                else (f"Removing frees nothing: {stay} where they are.")
            )
        return f"{frees}; {stay}."


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a model takes at a context of that many tokens, and what there is.

    ``exact`` when llama.cpp itself planned it, else an estimate from the header. ``saved_bytes``
    is what an 8-bit cache would free; ``largest_context`` the most tokens that fit.
    """

    name: str
    path: str
    context_length: int
    kv_type: str
    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    projector_bytes: int = 0
    available_bytes: int = 0
    others: tuple[tuple[str, int], ...] = ()
    largest_context: int = 0
    saved_bytes: int = 0
    exact: bool = False
    problem: str = ""

    @property
    def total_bytes(self) -> int:
        """All of it, without the other models."""
        return self.weights_bytes + self.cache_bytes + self.compute_bytes + self.projector_bytes

    @property
    def others_bytes(self) -> int:
        """What the other loaded models take."""
        return sum(size for _, size in self.others)


@dataclass(frozen=True, slots=True)
class ModelExtras:
    """What a model's page shows beside the model itself, read when it is opened."""

    name: str
    profiles: tuple[Profile, ...] = ()
    revisions: tuple[Revision, ...] = ()


Outcome = Literal["", "unchanged", "changed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Checking:
    """A check of a whole file that is going on, or over."""

    name: str
    done_bytes: int = 0
    size_bytes: int = 0
    outcome: Outcome = ""

    @property
    def share(self) -> float:
        """How far it is."""
        return self.done_bytes / self.size_bytes if self.size_bytes else 0.0
