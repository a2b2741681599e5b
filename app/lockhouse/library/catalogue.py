"""The bundled catalogue of well-known models, which works offline.

Sizes in it are typical; hashes are given only where they were computed. The current content of a
repository is known only to the hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import msgspec

from lockhouse.bundled import resource
from lockhouse.core.json_decoding import decoded


class Form(msgspec.Struct, frozen=True):
    """One quantization of a model. ``sha256`` is empty where it was never computed."""

    quantization: str
    size_bytes: int
    file: str = ""
    sha256: str = ""


class Entry(msgspec.Struct, frozen=True):
    """One model, in the repository where it is published as GGUF."""

    repo: str
    title: str
    family: str
    publisher: str
    license: str
    parameters: int
    context_length: int
    forms: tuple[Form, ...]
    license_url: str = ""
    languages: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ("chat",)
    note: str = ""
    basis: Literal["counted", "published", "typical"] = "typical"  # of the sizes
    gated: bool = False
    included: bool = False

    def matches(self, words: Sequence[str]) -> bool:
        """Whether every word occurs in its description."""
        text = " ".join(
            (self.repo, self.title, self.family, self.publisher, self.license, self.note,
             *self.languages, *self.capabilities)
        ).lower()  # fmt: skip
        return all(word.lower() in text for word in words)

    def is_called(self, name: str) -> bool:
        """Whether a short name such as llama3.2:3b may mean it, whatever stands between words."""
        wanted = [_plain(part) for part in name.lower().removesuffix(":latest").split(":")]
        return all(part in _plain(f"{self.title} {self.repo}".lower()) for part in wanted)


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


class Catalogue(msgspec.Struct, frozen=True):
    """All entries, and the sources of the data."""

    about: str
    sources: str
    models: tuple[Entry, ...]


@cache
def catalogue() -> Catalogue:
    """The bundled catalogue."""
    return decoded(resource("catalogue.json").read_bytes(), Catalogue)
