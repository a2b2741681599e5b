"""Finds the projector (mmproj) of a vision model in the folder of the model.

Neither file names the other. They belong together when the vectors of one have the length that
the other takes, and when their names or their folder leave no doubt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lockhouse.core.errors import LockhouseError
from lockhouse.library.gguf.header import GgufHeader, read_header
from lockhouse.library.model_info import Facts
from lockhouse.library.model_names import plain_name

_MARK: Final = re.compile(r"[-._]?mmproj[-._]?|[-._]vision$", re.IGNORECASE)
_GENERIC: Final = ("model", "vision", "projector", "model-f16", "model-f32", "model-bf16")
_MAX_BESIDE: Final = 64

Candidate = tuple[Path, int]  # a projector and the length of its vectors, 0 when not known


class ProjectorIndex:
    """The files of a scan by folder, so that the projector of a model is found fast."""

    def __init__(self, looked: Iterable[tuple[Path, Facts | None]]) -> None:
        self._projectors: dict[Path, list[Candidate]] = {}
        self._models: dict[Path, set[str]] = {}
        for path, facts in looked:
            if facts is None:
                continue
            if facts.kind == "mmproj":
                beside = self._projectors.setdefault(path.parent, [])
                beside.append((path, facts.projection_length))
            elif facts.kind == "model":
                self._models.setdefault(path.parent, set()).add(plain_name(path.stem, ""))

    def projector_for(self, path: Path, facts: Facts | None) -> Path | None:
        """The projector of a model in the same folder."""
        candidates = self._projectors.get(path.parent)
        if not candidates or facts is None or facts.kind != "model":
            return None
        is_alone = len(self._models.get(path.parent, ())) == 1
        return _fitting(path, facts.embedding_length, candidates, is_alone=is_alone)


def projection_length(header: GgufHeader) -> int:
    """The length of the vectors of a projector; 0 when it is not stated."""
    for kind in ("vision", "audio"):
        length = header.key_values.get(f"clip.{kind}.projection_dim")
        if isinstance(length, int):
            return length
    return 0


def projector_beside(path: Path, header: GgufHeader) -> Path | None:
    """The projector of a single file, whose folder was not scanned."""
    try:
        names = sorted(os.listdir(path.parent))  # noqa: PTH208 - names are all that is needed
    except OSError:
        return None
    models = [name for name in names if name.lower().endswith(".gguf")]
    candidates: list[Candidate] = []
    for name in models[:_MAX_BESIDE]:
        if "mmproj" not in name.lower():
            continue
        try:
            found = read_header(path.with_name(name))
        except LockhouseError:
            continue
        if found.kind == "mmproj":
            candidates.append((found.path, projection_length(found)))
    if not candidates:
        return None
    others = {plain_name(Path(name).stem, "") for name in models if "mmproj" not in name.lower()}
    return _fitting(path, header.embedding_length, candidates, is_alone=len(others) == 1)


def _fitting(
    path: Path, embedding_length: int, candidates: Iterable[Candidate], *, is_alone: bool
) -> Path | None:
    name = plain_name(path.stem, "")
    fitting = [
        projector
        for projector, length in candidates
        if not length or not embedding_length or length == embedding_length
    ]
    named = [projector for projector in fitting if _is_named_after(projector, name)]
    if named:
        return named[0]
    return fitting[0] if fitting and is_alone else None


def _is_named_after(projector: Path, model_name: str) -> bool:
    name = plain_name(_MARK.sub("", projector.stem), "")
    return name not in _GENERIC and (model_name.startswith(name) or name.startswith(model_name))
