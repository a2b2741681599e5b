"""Names for models: short, easy to type, and telling them apart."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from lockhouse.library.gguf.types import FILE_TYPES, TENSOR_TYPES

_FORMS: Final = sorted(
    {name for name, _ in FILE_TYPES.values()}
    | {name for name, _, _ in TENSOR_TYPES.values()}
    | {"Q3_K_XL", "Q4_K_XL", "Q2_K_XL", "Q5_K_XL", "Q6_K_L", "Q4_K_L", "Q8_K_XL", "FP16", "FP32"},
    key=len,
    reverse=True,
)
_FORM: Final = re.compile(
    rf"[-._ ](?:UD[-_])?(?:{'|'.join(_FORMS)})(?=$|[-._ ])", flags=re.IGNORECASE
)
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}$")
_SPEECHLESS: Final = re.compile(
    r"^(?:(?:sha256[-_])?[0-9a-f]{16,}|(?:ggml[-_])?model|weights|blob|data|file)$", re.IGNORECASE
)
_UNTYPABLE: Final = re.compile(r"[^a-z0-9._]+")
_MAX_LENGTH: Final = 64


def plain_name(stem: str, title: str) -> str:
    """A name from a file's stem, or from the model's title where the stem says nothing."""
    said = _FORM.sub("", _SHARD.sub("", stem))
    name = slug(title if _SPEECHLESS.match(said) and title else said)
    # All of hexadecimal digits, it would look like the beginning of a sha256.
    if not name or re.fullmatch(r"[0-9a-f]{6,}", name):
        name = f"model-{name}".strip("-")
    return name


def plain_title(stem: str, title: str) -> str:
    """A title to show: the file's name for people, which says more than most metadata."""
    said = _FORM.sub("", _SHARD.sub("", stem))
    if _SPEECHLESS.match(said) and title:
        return title
    return re.sub(r"[-_ ]+", " ", said).strip() or title or stem


def slug(words: str) -> str:
    """Lower case, with hyphens for everything that is awkward on a command line."""
    typable = _UNTYPABLE.sub("-", words.lower()).strip("-._")
    return typable[:_MAX_LENGTH].strip("-._")


def unique_name(plain: str, quantization: str, taken: Collection[str]) -> str:
    """``plain``, with the quantization behind it where that is needed, then with a number."""
    if plain not in taken:
        return plain
    longer = f"{plain}-{quantization.lower()}" if quantization else plain
    candidate = longer
    number = 2
    while candidate in taken:
        candidate = f"{longer}-{number}"
        number += 1
    return candidate
