"""The few numbers of a model that decide how much memory it takes.

From a header they are exact; from a listing that says no more than a size they are a guess by
what models of that size usually look like, and marked as one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec

from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.loadable import shard_paths

# (billions of parameters, layers, width, key/value heads) of usual dense models.
_USUAL: Final = (
    (0.15, 30, 576, 3),
    (0.6, 28, 1024, 8),
    (1.3, 16, 2048, 8),
    (2.0, 28, 1536, 2),
    (4.0, 36, 2560, 8),
    (9.0, 32, 4096, 8),
    (16.0, 40, 5120, 8),
    (36.0, 64, 5120, 8),
    (80.0, 80, 8192, 8),
    (130.0, 88, 12288, 8),
)
_USUAL_VOCABULARY: Final = 152_064
_USUAL_BITS: Final = 4.85


class Shape(msgspec.Struct, frozen=True):
    """What a model is made of, as far as memory goes."""

    architecture: str
    weights_bytes: int
    context_length: int  # trained; 0 when not known
    embedding_length: int
    vocabulary_size: int
    kv_heads: tuple[int, ...]  # of each layer; 0 for one without a cache
    key_length: int
    value_length: int
    guessed: bool = False

    @classmethod
    def of(cls, header: GgufHeader) -> Shape:
        """As the header tells it."""
        heads = header.per_layer("attention.head_count")
        most_heads = max(heads, default=0)
        width = header.embedding_length // most_heads if most_heads else 0
        return cls(
            architecture=header.architecture,
            weights_bytes=weights_bytes(header),
            context_length=header.context_length,
            embedding_length=header.embedding_length,
            vocabulary_size=header.vocabulary_size,
            # A layer without a number of its own has as many for keys and values as it has in all.
            kv_heads=header.per_layer("attention.head_count_kv", most_heads),
            key_length=header.number("attention.key_length", width),
            value_length=header.number("attention.value_length", width),
        )

    @classmethod
    def guess(
        cls, size_bytes: int, parameters: int = 0, context_length: int = 0, architecture: str = ""
    ) -> Shape:
        """For a listing that has no header. What is 0 or "" is not known."""
        billions = (parameters or size_bytes * 8 / _USUAL_BITS) / 1e9
        near = next((row for row in _USUAL if billions <= row[0]), _USUAL[-1])
        _, layers, width, kv_heads = near
        return cls(
            architecture=architecture,
            weights_bytes=size_bytes,
            context_length=context_length,
            embedding_length=width,
            vocabulary_size=_USUAL_VOCABULARY if billions > _USUAL[0][0] else 49_152,
            kv_heads=(kv_heads,) * layers,
            key_length=128 if billions > 1.3 else 64,
            value_length=128 if billions > 1.3 else 64,
            guessed=True,
        )


def weights_bytes(header: GgufHeader) -> int:
    """Bytes of the weights, of all parts where the model is split."""
    others = 0
    for path in shard_paths(header):
        if path != header.path:
            with suppress(OSError):  # a part that is missing is told when the model is checked
                others += path.stat().st_size
    return header.weights_bytes + others
