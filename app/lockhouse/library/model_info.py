"""The values that describe models on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from lockhouse.core.thinking import Thinking

Quality = Literal["Small", "Balanced", "Large", "Original"]
Fit = Literal["fits", "may be slow", "won't fit"]
State = Literal["ready", "changed", "missing", "damaged", "unusable"]
ImportMode = Literal["in-place", "copy", "link", "move"]
ImportAction = Literal["registered", "copied", "linked", "moved", "already there", "refused"]

OWN = "lockhouse"
"""The owner of what Lockhouse installed or stores in its own folders."""


class Source(msgspec.Struct, frozen=True):
    """Where a model was published, as far as known."""

    repo: str = ""
    revision: str = ""
    file: str = ""
    url: str = ""


class Place(msgspec.Struct, frozen=True):
    """One of the places of a model, and the owner of its folder."""

    path: Path
    owner: str = OWN


class Speed(msgspec.Struct, frozen=True):
    """The speed of a model on this machine at its last answer."""

    tokens_per_s: float
    prompt_tokens_per_s: float
    measured_at: str  # ISO 8601 with zone


class Preset(msgspec.Struct, frozen=True):
    """What a program keeps beside the weights: several models may be made of one file so.

    ``sampling`` in the names of :class:`Sampling` and ``max_tokens``. ``template`` tells prompt
    templates apart, which are the program's own and not used here; ``adapter`` as well.
    """

    system: str = ""
    messages: tuple[tuple[Literal["system", "user", "assistant"], str], ...] = ()
    sampling: Mapping[str, float | int] = {}
    stop: tuple[str, ...] = ()
    context_length: int = 0
    template: str = ""
    adapter: str = ""

    @property
    def key(self) -> str:
        """Tells it from others."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing that would make another model of the file."""
        return not (self.system or self.messages or self.adapter)


class ModelInfo(msgspec.Struct, frozen=True):
    """One model. The names of the first fields are those of ``models list --json``.

    ``verified_at`` is set when the file was hashed here and has not changed since; a ``sha256``
    without it is a claim of the program that stores the file. ``problem`` explains a ``state``
    other than "ready". ``places`` are those of all identical copies, ``path`` first.
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
    thinking: tuple[Thinking, ...] = ()  # choices of its switch for thinking
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
    family: str = ""  # such as "Qwen", "Llama", "SmolLM"
    projector: Path | None = None  # of a vision model
    places: tuple[Place, ...] = ()
    license_url: str = ""
    base_model: str = ""
    tensor_types: tuple[tuple[str, float], ...] = ()  # name and share, the largest first
    last_used_at: str | None = None
    speed: Speed | None = None
    active_profile: str = ""
    preset: Preset | None = None
    has_own_template: bool = False  # by its preset; the file's own is used
    newer_revision: str = ""  # on the hub, as far as known
    added_at: str = ""

    @property
    def tensor_words(self) -> str:
        """The tensor types as text: one name, or "mixed" with the share of each."""
        if len(self.tensor_types) < 2:
            return self.tensor_types[0][0] if self.tensor_types else ""
        shares = (f"{name} {share:.0%}".replace("%", " %") for name, share in self.tensor_types)
        return f"mixed: {', '.join(shares)}"


class Facts(msgspec.Struct, frozen=True):
    """The facts from the header of a model, in a form that is cheap to store."""

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
    thinking: tuple[Thinking, ...] = ()
    embedding_length: int = 0
    projection_length: int = 0  # of a projector


class ImportOutcome(msgspec.Struct, frozen=True):
    """The result of importing one file, or what it would be in a dry run."""

    source: Path
    action: ImportAction
    destination: Path | None = None
    size_bytes: int = 0
    model: ModelInfo | None = None  # None when refused, and in a dry run
    code: str = ""
    message: str = ""
    hint: str = ""
    exit_code: int = 0


class Removal(msgspec.Struct, frozen=True):
    """The result of a removal, or of its preview.

    ``only_read``: how many models have files in folders of the user's that stay as they are.
    ``to_trash``: the files go, or went, to the desktop's trash, which frees their space once it is
    emptied; ``trash`` is where each of them is now.
    """

    name: str
    deleted: tuple[Path, ...] = ()
    freed_bytes: int = 0
    only_read: int = 0
    to_trash: bool = False
    trash: tuple[Path, ...] = ()


class Verification(msgspec.Struct, frozen=True):
    """The result of :meth:`Models.verify`. ``previous`` None: no hash was known before.

    ``changed`` are the files that have changed, including copies at other places.
    """

    name: str
    sha256: str
    previous: str | None = None
    changed: tuple[Path, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Whether the content is the same as before, as far as known."""
        return not self.changed


class FolderUse(msgspec.Struct, frozen=True):
    """A folder with models: their size, and the free space on its disk.

    ``own``: it is no other program's. ``writable``: Lockhouse may move and delete files in it.
    ``main``: it is for new models.
    ``problem`` says why it cannot be used now, or that a move of it is not complete.
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
    writable: bool = False


class Relocation(msgspec.Struct, frozen=True):
    """The result of :meth:`Models.relocate`. ``kept`` are files that could not be moved."""

    source: Path
    target: Path
    moved: int = 0
    moved_bytes: int = 0
    kept: tuple[Path, ...] = ()


class LoadChoice(msgspec.Struct, frozen=True):
    """How a model is loaded; 0 and empty text use the settings."""

    context_length: int = 0
    kv_type: str = ""
    threads: int = 0
    parallel: int = 0


class Profile(msgspec.Struct, frozen=True):
    """Named load settings, sampling defaults and a system prompt.

    The settings are used for what is not in them. ``system`` is for chats without one of their own.
    """

    name: str
    load: LoadChoice = LoadChoice()
    sampling: Mapping[str, float | int | str] = {}  # "thinking" is a text, all else numbers
    active: bool = False
    system: str = ""


class Revision(msgspec.Struct, frozen=True):
    """A revision of a model on this machine."""

    revision: str
    sha256: str
    path: Path
    added_at: str
    current: bool = False


class Difference(msgspec.Struct, frozen=True):
    """One difference between two revisions. An empty side does not have the value."""

    kind: Literal["content", "template", "tokenizer", "metadata", "tensors"]
    what: str
    before: str
    after: str


class FoundFolder(NamedTuple):
    """A folder of another program: its owner, path and layout."""

    owner: str
    path: Path
    layout: Literal["tree", "flat", "ollama", "hub", "jan", "docker", "ramalama"]
