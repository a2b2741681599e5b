"""Which file of a repository to take: the choices in plain words, and one recommended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockhouse.gate.hub import HubFile, HubRepo
from lockhouse.library.model_info import Quality

if TYPE_CHECKING:
    from lockhouse.library.fit import FitReport, Machine
    from lockhouse.library.gguf import GgufHeader

Loss = Literal["high", "noticeable", "slight", "very slight", "negligible", "none"]


@dataclass(frozen=True, slots=True)
class FileChoice:
    """One way to have a model: its file, or all its parts, and its projector where it has one."""

    repo: str
    revision: str
    files: tuple[HubFile, ...]
    label: str
    quality: Quality
    bits_per_weight: float
    size_bytes: int
    fit: FitReport
    loss: Loss
    recommended: bool = False
    reason: str = ""
    here: bool = False


def choices(
    repo: HubRepo, machine: Machine, headers: Mapping[str, GgufHeader] | None = None
) -> list[FileChoice]:
    """Every model in the repository, smallest first, with at most one recommended."""
    raise NotImplementedError
