"""What there is to know of a model on this machine, as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

Quality = Literal["Small", "Balanced", "Large", "Original"]
Fit = Literal["fits", "may be slow", "won't fit"]
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


class Place(msgspec.Struct, frozen=True):
    """One of the places where the same bytes lie, and whose folder that is."""

    path: Path
    owner: str = OWN


class Speed(msgspec.Struct, frozen=True):
    """How fast a model answered on this machine when it was last asked."""

    tokens_per_s: float
    prompt_tokens_per_s: float
    measured_at: str  # ISO 8601 with zone


class ModelInfo(msgspec.Struct, frozen=True):
    """One model. The names of the first fields are those of ``models list --json``.

    ``verified_at`` is there once the file was hashed here and as long as it has not changed
    since; a ``sha256`` without it is what the program that keeps the file says of it.
    ``problem`` says in a sentence what ``state`` other than "ready" means. ``places`` are all
    that hold the same bytes, ``path`` first.
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
    family: str = ""  # the plain word: "Qwen", "Llama", "SmolLM"
    projector: Path | None = None  # what lets it see pictures
    places: tuple[Place, ...] = ()
    license_url: str = ""
    base_model: str = ""
    tensor_types: tuple[tuple[str, float], ...] = ()  # name and share, the largest first
    last_used_at: str | None = None
    speed: Speed | None = None
    active_profile: str = ""
    newer_revision: str = ""  # the hub's, when it was seen to have one
    added_at: str = ""

    @property
    def tensor_words(self) -> str:
        """The tensor types in words: one name, or "mixed" with each one's share."""
        if len(self.tensor_types) < 2:
            return self.tensor_types[0][0] if self.tensor_types else ""
        shares = (f"{name} {share:.0%}".replace("%", " %") for name, share in self.tensor_types)
        return f"mixed: {', '.join(shares)}"


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
    memory_bytes: int = 0  # at 8,192 tokens of context, or the trained length where shorter
    family: str = ""
    license_url: str = ""
    base_model: str = ""
    tensor_types: tuple[tuple[str, float], ...] = ()
    embedding_length: int = 0
    projection_length: int = 0  # of a projector: what it hands to the model it belongs to


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
    """What :meth:`Models.verify` found. ``previous`` None: nothing was known before.

    ``changed`` are the files, copies at other places included, that are not what they were.
    """

    name: str
    sha256: str
    previous: str | None = None
    changed: tuple[Path, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Whether the content is what it was, as far as that is known."""
        return not self.changed


class FolderUse(msgspec.Struct, frozen=True):
    """A folder with models: how much is in it, and how much room its disk has.

    ``own``: files may be brought here, moved and removed. ``main``: new ones come here.
    ``problem`` says why it cannot be used now, or that a move of it waits to be completed.
    """

    path: Path
    owner: str
    label: str
    own: bool
    model_count: int = 0
    size_bytes: int = 0
    disk_free_bytes: int = 0
    problem: str = ""
    main: bool = False


class Relocation(msgspec.Struct, frozen=True):
    """What :meth:`Models.relocate` did. ``kept`` are files that could not be moved."""

    source: Path
    target: Path
    moved: int = 0
    moved_bytes: int = 0
    kept: tuple[Path, ...] = ()


class LoadChoice(msgspec.Struct, frozen=True):
    """How a model is loaded; 0 and empty text leave it to the settings."""

    context_length: int = 0
    kv_type: str = ""
    threads: int = 0
    parallel: int = 0


class Profile(msgspec.Struct, frozen=True):
    """Load settings and sampling defaults under a name. What is not in them, the settings say."""

    name: str
    load: LoadChoice = LoadChoice()
    sampling: Mapping[str, float | int] = {}
    active: bool = False


class Revision(msgspec.Struct, frozen=True):
    """One published state of a model that is kept here."""

    revision: str
    sha256: str
    path: Path
    added_at: str
    current: bool = False


class Difference(msgspec.Struct, frozen=True):
    """One thing in which two revisions differ. An empty side does not have it."""

    kind: Literal["content", "template", "tokenizer", "metadata", "tensors"]
    what: str
    before: str
    after: str


class FoundFolder(NamedTuple):
    """A folder of another program: whose it is, where, and how it is laid out."""

    owner: str
    path: Path
    layout: Literal["tree", "flat", "ollama", "hub", "jan"]
