"""Names as people paste them: from a hub's page, from llama.cpp's ``-hf``, from Ollama.

``hf.co/org/repo:Q4_K_M``, ``https://huggingface.co/org/repo/blob/main/x.gguf``, ``org/repo``,
``registry.ollama.ai/library/llama3.2:latest``: each is compared with where a model came from.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.hub import Reference, parse_reference
from lockhouse.library.model_info import ModelInfo

_REGISTRY: Final = re.compile(r"^(?:https?://)?(?:registry\.)?ollama\.(?:ai|com)/(?:library/)?")
_LIBRARY: Final = re.compile(r"^library/")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,40}")
_LATEST: Final = ":latest"
_ADDRESS: Final = ("http://", "https://", "hf://", "hf.co/", "huggingface.co/")


def plain_ollama_name(name: str) -> str:
    """What Ollama calls a model, without its registry and without the tag that means none."""
    return _LIBRARY.sub("", _REGISTRY.sub("", name)).removesuffix(_LATEST)


def hub_reference(name: str) -> Reference | None:
    """The repository that a name or an address means; None for a path or any other name."""
    try:
        reference = parse_reference(name)
    except UsageMistake:
        return None
    if name.startswith(_ADDRESS) or name[0] not in ".~":
        is_file = reference.repo.lower().endswith(".gguf") and not name.startswith(_ADDRESS)
        return None if is_file else reference
    return None


def is_from(model: ModelInfo, reference: Reference) -> bool:
    """Whether the model is what was published there, as far as its source is known."""
    source = model.source
    if source is None or source.repo.lower() != reference.repo.lower():
        return False
    is_commit = _COMMIT.fullmatch(reference.revision) is not None
    if is_commit and source.revision and not source.revision.startswith(reference.revision):
        return False
    file = PurePosixPath(source.file).name.lower()
    if reference.file:
        return file == PurePosixPath(reference.file).name.lower()
    wanted = reference.quantization.lower()
    if not wanted or wanted in (model.quantization.lower(), source.revision.lower()):
        return True
    return re.search(rf"[-._]{re.escape(wanted)}(?:-\d{{5}}-of-\d{{5}})?\.gguf$", file) is not None
