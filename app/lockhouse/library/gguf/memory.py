"""What memory a model takes, from its header alone.

The weights are exact, the cache is llama.cpp's own arithmetic, the working buffers are the
formula that came within 2.3 % of what llama.cpp reported for the starter model. Layers that
look back over a window only are counted in full, so that the estimate errs on the safe side.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec

from lockhouse.core.errors import UsageMistake
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.loadable import shard_paths
from lockhouse.library.gguf.types import KV_TYPES

_CONTEXT_STEP: Final = 256  # llama.cpp rounds the cache up to this
_PROCESS_BYTES: Final = 70 << 20  # interpreter, libraries, vocabulary


class MemoryEstimate(msgspec.Struct, frozen=True):
    """Bytes, by what they are for."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    process_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.process_bytes


def weights_bytes(header: GgufHeader) -> int:
    """Bytes of the weights, of all parts where the model is split."""
    others = 0
    for path in shard_paths(header):
        if path != header.path:
            with suppress(OSError):  # a part that is missing is told when the model is checked
                others += path.stat().st_size
    return header.weights_bytes + others


def kv_cache_bytes(header: GgufHeader, context_length: int, kv_type: str = "f16") -> int:
    """Bytes of the cache for a context of that many tokens."""
    if kv_type not in KV_TYPES:
        known = ", ".join(KV_TYPES)
        raise UsageMistake(f"Unknown cache type {kv_type}.", hint=f"Choose one of: {known}.")
    elements, block_bytes = KV_TYPES[kv_type]
    heads = header.per_layer("attention.head_count")
    # A layer without heads of its own number has as many for keys and values as it has in all.
    default_kv = max(heads, default=0)
    kv_heads = header.per_layer("attention.head_count_kv", default_kv)
    most_heads = max(heads, default=0)
    head_width = header.embedding_length // most_heads if most_heads else 0
    key_width = header.number("attention.key_length", head_width)
    value_width = header.number("attention.value_length", head_width)
    cells = -(-max(context_length, 1) // _CONTEXT_STEP) * _CONTEXT_STEP
    per_cell = sum(count * (key_width + value_width) for count in kv_heads)
    return cells * per_cell * block_bytes // elements


def estimate_memory(
    header: GgufHeader,
    context_length: int,
    kv_type: str = "f16",
    n_ubatch: int = 512,
) -> MemoryEstimate:
    """What running the model takes."""
    mask_bytes = 2 * context_length * n_ubatch
    logits_bytes = 4 * n_ubatch * (header.vocabulary_size + header.embedding_length)
    layer_bytes = 4 * n_ubatch * 12 * header.embedding_length
    return MemoryEstimate(
        weights_bytes=weights_bytes(header),
        kv_bytes=kv_cache_bytes(header, context_length, kv_type),
        compute_bytes=max(logits_bytes, layer_bytes + mask_bytes),
        process_bytes=_PROCESS_BYTES,
    )


def largest_context(
    header: GgufHeader,
    available_bytes: int,
    kv_type: str = "f16",
    n_ubatch: int = 512,
) -> int:
    """The longest context that fits, a multiple of 256 up to the trained one; 0 when none does."""

    def fits(context_length: int) -> bool:
        estimate = estimate_memory(header, context_length, kv_type, n_ubatch)
        return estimate.total_bytes <= available_bytes

    trained = max(header.context_length, _CONTEXT_STEP)
    if fits(trained):
        return trained
    low, high = 0, trained // _CONTEXT_STEP
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle * _CONTEXT_STEP):
            low = middle
        else:
            high = middle - 1
    return low * _CONTEXT_STEP
