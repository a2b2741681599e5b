"""Checks the tokens of a model for those that would make llama.cpp abort.

They are read from the file only when a model is about to be loaded.
"""

from __future__ import annotations

import codecs
import os
import struct
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import InvalidInput
from lockhouse.library.gguf.layout import Vocabulary, open_regular, shown

_PIECE_BYTES: Final = 1 << 20


class VocabularyFaults(msgspec.Struct, frozen=True):
    """Tokens that would make llama.cpp abort."""

    duplicate: str | None = None  # a token that occurs twice
    invalid_index: int | None = None  # a token that is not UTF-8


def vocabulary_faults(path: Path, vocabulary: Vocabulary) -> VocabularyFaults:
    """Check that the tokens are distinct and valid text, as llama.cpp reads them.

    Raises InvalidInput when the file has changed.
    """
    descriptor = open_regular(path)
    try:
        os.lseek(descriptor, vocabulary.offset, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(vocabulary.size_bytes)
    except OSError as error:
        raise InvalidInput(
            f"{shown(path)} cannot be read: {error.strerror}.",
            hint="Check that its disk is there and healthy.",
        ) from error
    finally:
        os.close(descriptor)
    tokens: list[bytes] = []
    index, unpack = 0, struct.Struct("<Q").unpack_from
    try:
        for _ in range(vocabulary.count):
            (length,) = unpack(data, index)
            tokens.append(data[index + 8 : index + 8 + length])
            index += 8 + length
    except (struct.error, OverflowError):
        index = -1
    if index != len(data):
        raise InvalidInput(
            f"{shown(path)} was changed while it was read.", hint="Try again in a moment."
        )
    del data  # the tokens are a copy of it
    return _faults(tokens)


def _faults(tokens: list[bytes]) -> VocabularyFaults:
    joined = b"\n".join(tokens)
    as_read = tokens
    if b"\0" in joined or b"" in tokens:
        # It reads C strings, which end at a zero byte, and gives empty tokens a name.
        cut = (token.partition(b"\0")[0] for token in tokens)
        as_read = [token or b"[EMPTY_%d]" % index for index, token in enumerate(cut)]
    duplicate = None
    if len(set(as_read)) != len(as_read):
        seen: set[bytes] = set()
        for token in as_read:
            if token in seen:
                duplicate = token.decode("utf-8", "replace")
                break
            seen.add(token)
    del as_read
    invalid = None
    if not _is_text(joined):  # in one go; the line ends keep tokens apart
        invalid = next(index for index, token in enumerate(tokens) if not _is_text(token))
    return VocabularyFaults(duplicate, invalid)


def _is_text(data: bytes) -> bool:
    """Whether it is UTF-8; piece by piece, since decoded text can take four times the room."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            decoder.decode(data[start : start + _PIECE_BYTES])
        decoder.decode(b"", True)  # noqa: FBT003 - nothing follows
    except UnicodeDecodeError:
        return False
    return True
