"""The bundled catalogue: what somebody without a network, and without a model, could bring.

Hides where the file lies. Sizes in it are typical ones; hashes are there only where they were
counted. What a repository holds today, only its hub knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import msgspec

from lockhouse.bundled import resource
from lockhouse.core.json_decoding import decoded


class Form(msgspec.Struct, frozen=True):
    """One quantization of a model. ``sha256`` is empty where it was never counted."""

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
    basis: Literal["counted", "published", "typical"] = "typical"  # where the sizes are from
    gated: bool = False
    included: bool = False

    def matches(self, words: Sequence[str]) -> bool:
        """Whether every word occurs in what is said of it."""
        said = " ".join(
            (self.repo, self.title, self.family, self.publisher, self.license, self.note,
             *self.languages, *self.capabilities)
        ).lower()  # fmt: skip
        return all(word.lower() in said for word in words)


class Catalogue(msgspec.Struct, frozen=True):
    """All of it, and where its data is from."""

    about: str
    sources: str
    models: tuple[Entry, ...]


@cache
def catalogue() -> Catalogue:
    """The catalogue that came with the program."""
    return decoded(resource("catalogue.json").read_bytes(), Catalogue)
