"""The differences between two files of a model: template, tokenizer, metadata, tensors, content.

Works on headers alone, so that a revision which was not downloaded can be compared as well.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import Final

from lockhouse.library.gguf import GgufHeader, Unread
from lockhouse.library.gguf.layout import reading
from lockhouse.library.model_info import Difference

_TEMPLATE: Final = "tokenizer.chat_template"
_TOKENIZER: Final = "tokenizer."
_TOKENS: Final = "tokenizer.ggml.tokens"
_MAX_SHOWN: Final = 200
_MAX_TENSORS_NAMED: Final = 12


def differences(
    before: GgufHeader, after: GgufHeader, *, sha256_before: str = "", sha256_after: str = ""
) -> list[Difference]:
    """All differences, those that change answers most first."""
    if sha256_before and sha256_before == sha256_after:
        return []
    return [
        *_in_template(before, after),
        *_in_values(before, after),
        *_in_tensors(before, after),
        *_in_content(before, after, sha256_before, sha256_after),
    ]


def _in_template(before: GgufHeader, after: GgufHeader) -> list[Difference]:
    if before.chat_template == after.chat_template:
        return []
    return [Difference("template", "chat template", before.chat_template, after.chat_template)]


def _in_values(before: GgufHeader, after: GgufHeader) -> list[Difference]:
    found = []
    for key in sorted(before.key_values.keys() | after.key_values.keys()):
        one, other = before.key_values.get(key), after.key_values.get(key)
        if key == _TEMPLATE or one == other:
            continue
        is_tokenizer = key.startswith(_TOKENIZER)
        found.append(
            Difference(
                "tokenizer" if is_tokenizer else "metadata", key, _as_text(one), _as_text(other)
            )
        )
    if before.vocabulary_size != after.vocabulary_size:
        sizes = (f"{header.vocabulary_size:,} tokens" for header in (before, after))
        found.append(Difference("tokenizer", "vocabulary", *sizes))
    one, other = _tokens_of(before), _tokens_of(after)
    if before.vocabulary_size == after.vocabulary_size and one and other and one != other:
        found.append(Difference("tokenizer", "tokens", f"sha256 {one}", f"sha256 {other}"))
    return sorted(found, key=lambda each: each.kind != "tokenizer")


def _tokens_of(header: GgufHeader) -> str:
    """A hash of the tokens in the file; empty for a file that was not downloaded."""
    tokens = header.vocabulary
    listed = isinstance(header.key_values.get(_TOKENS), Unread)  # a short list is compared itself
    if tokens is None or not listed or not header.path.is_file():
        return ""
    with reading(header.path) as descriptor:
        os.lseek(descriptor, tokens.offset, os.SEEK_SET)
        return hashlib.sha256(os.read(descriptor, tokens.size_bytes)).hexdigest()


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Unread):
        return f"{value.count:,} {'bytes of text' if value.is_text else 'items'}"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _in_tensors(before: GgufHeader, after: GgufHeader) -> list[Difference]:
    one = {tensor.name: tensor for tensor in before.tensors}
    other = {tensor.name: tensor for tensor in after.tensors}
    found = []
    types = [Counter(tensor.type_name for tensor in each.values()) for each in (one, other)]
    if types[0] != types[1]:
        counted = (
            ", ".join(f"{count} {name}" for name, count in each.most_common()) for each in types
        )
        found.append(Difference("tensors", "types", *counted))
    changed = [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one
        or name not in other
        or (one[name].type_name, one[name].shape) != (other[name].type_name, other[name].shape)
    ]
    for name in changed[:_MAX_TENSORS_NAMED]:
        sides = (
            f"{each[name].type_name} {'×'.join(map(str, each[name].shape))}" if name in each else ""
            for each in (one, other)
        )
        found.append(Difference("tensors", name, *sides))
    more = len(changed) - _MAX_TENSORS_NAMED
    if more > 0:
        found.append(Difference("tensors", f"and {more} more", "", ""))
    return found


def _in_content(
    before: GgufHeader, after: GgufHeader, sha256_before: str, sha256_after: str
) -> list[Difference]:
    found = []
    if sha256_before and sha256_after:
        found.append(Difference("content", "sha256", sha256_before, sha256_after))
    if before.size_bytes != after.size_bytes:
        found.append(
            Difference("content", "size_bytes", str(before.size_bytes), str(after.size_bytes))
        )
    return found
