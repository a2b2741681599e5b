"""What memory a model takes, from its header alone.

The weights are exact, the cache is llama.cpp's own arithmetic, the working buffers are formulas
held against what llama.cpp reports for models of several kinds.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockhouse.core.errors import UsageMistake
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.shape import Shape, weights_bytes
from lockhouse.library.gguf.types import KV_TYPES

CONTEXT_STEP: Final = 256  # llama.cpp rounds the cache up to this
_PROCESS_BYTES: Final = 70 << 20  # interpreter, libraries, vocabulary


class MemoryEstimate(msgspec.Struct, frozen=True):
    """Bytes, by what they are for. ``exact``: planned by llama.cpp, not estimated."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    recurrent_bytes: int = 0
    output_bytes: int = 0
    projector_bytes: int = 0
    process_bytes: int = _PROCESS_BYTES
    exact: bool = False

    @property
    def cache_bytes(self) -> int:
        """What the conversation takes: keys and values, and the state of recurrent layers."""
        return self.kv_bytes + self.recurrent_bytes

    @property
    def working_bytes(self) -> int:
        """What computing takes, the process included."""
        return self.compute_bytes + self.output_bytes + self.process_bytes

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.cache_bytes + self.working_bytes + self.projector_bytes


def kv_cache_bytes(model: GgufHeader | Shape, context_length: int, kv_type: str = "f16") -> int:
    """Bytes of the cache for a context of that many tokens."""
    if kv_type not in KV_TYPES:
        known = ", ".join(KV_TYPES)
        raise UsageMistake(f"Unknown cache type {kv_type}.", hint=f"Choose one of: {known}.")
    shape = model if isinstance(model, Shape) else Shape.of(model)
    elements, block_bytes = KV_TYPES[kv_type]
    cells = -(-max(context_length, 1) // CONTEXT_STEP) * CONTEXT_STEP
    per_cell = sum(shape.kv_heads) * (shape.key_length + shape.value_length)
    return cells * per_cell * block_bytes // elements


def estimate_memory(
    model: GgufHeader | Shape,
    context_length: int,
    kv_type: str = "f16",
    *,
    batch: int = 512,
    projector_bytes: int = 0,
) -> MemoryEstimate:
    """What running the model takes."""
    shape = model if isinstance(model, Shape) else Shape.of(model)
    mask_bytes = 2 * context_length * batch
    layer_bytes = 4 * batch * 12 * shape.embedding_length
    return MemoryEstimate(
        weights_bytes=shape.weights_bytes,
        kv_bytes=kv_cache_bytes(shape, context_length, kv_type),
        compute_bytes=layer_bytes + mask_bytes,
        projector_bytes=projector_bytes,
    )


def largest_context(
    model: GgufHeader | Shape,
    available_bytes: int,
    kv_type: str = "f16",
    *,
    batch: int = 512,
    projector_bytes: int = 0,
) -> int:
    """The longest context that fits, a multiple of 256 up to the trained one; 0 when none does."""
    shape = model if isinstance(model, Shape) else Shape.of(model)

    def fits(context_length: int) -> bool:
        estimate = estimate_memory(
            shape, context_length, kv_type, batch=batch, projector_bytes=projector_bytes
        )
        return estimate.total_bytes <= available_bytes

    trained = max(shape.context_length, CONTEXT_STEP)
    if fits(trained):
        return trained
    low, high = 0, trained // CONTEXT_STEP
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle * CONTEXT_STEP):
            low = middle
        else:
            high = middle - 1
    return low * CONTEXT_STEP


__all__ = [
    "CONTEXT_STEP",
    "MemoryEstimate",
    "estimate_memory",
    "kv_cache_bytes",
    "largest_context",
    "weights_bytes",
]
