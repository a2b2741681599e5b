"""What there is to know of a model on this machine, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Quality = Literal["Small", "Balanced", "Large", "Original"]
Fit = Literal["fits", "tight", "too large"]
State = Literal["ready", "changed", "missing", "damaged"]
ImportMode = Literal["in-place", "copy", "link", "move"]
ImportAction = Literal["registered", "copied", "linked", "moved", "already there", "refused"]

OWN = "lockhouse"
"""Owner of what Lockhouse installed or keeps in its own folder."""


class Source(msgspec.Struct, frozen=True):
    """Where a model was published, as far as that is known."""

    repo: str = ""
    revision: str = ""
    file: str = ""
    url: str = ""


class ModelInfo(msgspec.Struct, frozen=True):
    """One model. The names of the first fields are those of ``models list --json``.

    ``sha256`` and ``verified_at`` are there once the file was hashed and as long as it has not
    changed since. ``problem`` says in a sentence what ``state`` other than "ready" means.
    """

    name: str
    path: Path
    aliases: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    size_bytes: int = 0
    sha256: str | None = None
    verified_at: str | None = None  # ISO 8601 with zone
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    bits_per_weight: float = 0.0
    context_length: int = 0
    capabilities: tuple[str, ...] = ()
    license: str = ""
    source: Source | None = None
    owner: str = OWN
    pinned: bool = False
    fit: Fit | None = None
    title: str = ""
    quality: Quality = "Balanced"
    included: bool = False  # the starter model, which comes with the installation
    state: State = "ready"
    problem: str = ""


class Facts(msgspec.Struct, frozen=True):
    """What a model's header says, in a form that is cheap to keep."""

    kind: str = "model"
    title: str = ""
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    bits_per_weight: float = 0.0
    context_length: int = 0
    capabilities: tuple[str, ...] = ()
    license: str = ""
    source_url: str = ""
    part: int = 0  # from 0
    parts: tuple[str, ...] = ()  # names of all files, where the model is split
    memory_bytes: int = 0  # at 4,096 tokens of context, or the trained length where shorter


class ImportOutcome(msgspec.Struct, frozen=True):
    """What became of one file that was to be imported, or would become under a dry run."""

    source: Path
    action: ImportAction
    destination: Path | None = None
    size_bytes: int = 0
    model: ModelInfo | None = None  # None when refused, and under a dry run
    code: str = ""
    message: str = ""
    hint: str = ""
    exit_code: int = 0


class Removal(msgspec.Struct, frozen=True):
    """What :meth:`Models.remove` did."""

    name: str
    deleted: tuple[Path, ...] = ()
    freed_bytes: int = 0


class Verification(msgspec.Struct, frozen=True):
    """What :meth:`Models.verify` found. ``previous`` None: nothing was known before."""

    name: str
    sha256: str
    previous: str | None = None

    @property
    def unchanged(self) -> bool:
        """Whether the content is what it was."""
        return self.previous is None or self.previous == self.sha256
