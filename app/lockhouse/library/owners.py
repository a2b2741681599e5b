"""Whose folder a model lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PROGRAMS: Final = {
    ".lmstudio": "LM Studio",
    "lm-studio": "LM Studio",
    ".ollama": "Ollama",
    "ollama": "Ollama",
    "gpt4all": "GPT4All",
    "jan": "Jan",
    "huggingface": "Hugging Face",
    "anythingllm-desktop": "AnythingLLM",
}


def owner_of(path: Path) -> str:
    """The program whose folder the file lies in; "user" when it is none that is known."""
    parts = (part.lower() for part in path.parts)
    return next((_PROGRAMS[part] for part in parts if part in _PROGRAMS), "user")
