"""Estimates the memory that a model takes, from its header alone.

The weights are exact, the KV cache is calculated as llama.cpp does, the compute buffers are
formulas checked against what llama.cpp reports for models of several kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lockhouse.core.errors import UsageMistake
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.gguf.types import KV_TYPES

if TYPE_CHECKING:
    from lockhouse.engine.protocol import LoadSettings

CONTEXT_STEP: Final = 256  # llama.cpp rounds the cache up to this
_PROCESS_BYTES: Final = 48 << 20  # interpreter and libraries
_TOKEN_BYTES: Final = 160  # of the vocabulary's tables, for each token
_SMALLEST_BATCH: Final = 32  # of the engine
_FLOAT, _HALF = 4, 2  # bytes


class MemoryEstimate(msgspec.Struct, frozen=True):
    """Bytes, by what they are for. ``exact``: measured by llama.cpp, not estimated."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    recurrent_bytes: int = 0
    output_bytes: int = 0
    projector_bytes: int = 0
    process_bytes: int = 0
    exact: bool = False

    @property
    def cache_bytes(self) -> int:
        """The memory of the conversation: KV cache, and the state of recurrent layers."""
        return self.kv_bytes + self.recurrent_bytes

    @property
    def working_bytes(self) -> int:
        """The memory for computing, including the process."""
        return self.compute_bytes + self.output_bytes + self.process_bytes

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return self.weights_bytes + self.cache_bytes + self.working_bytes + self.projector_bytes


class LoadShape(msgspec.Struct, frozen=True):
    """The load settings that matter for memory."""

    kv_type: str = "f16"
    batch: int = 512
    parallel: int = 4
    flash_attention: bool = True

    @classmethod
    def of(cls, settings: LoadSettings) -> LoadShape:
        """From the load settings of the engine."""
        return cls(
            kv_type=settings.kv_type,
            batch=settings.batch,
            parallel=settings.parallel,
            flash_attention=settings.flash_attention,
        )


_USUAL_LOAD: Final = LoadShape()


def kv_cache_bytes(
    model: GgufHeader | Shape, context_length: int, load: LoadShape = _USUAL_LOAD
) -> int:
    """Bytes of the KV cache for a context of that many tokens."""
    if load.kv_type not in KV_TYPES:
        known = ", ".join(KV_TYPES)
        raise UsageMistake(
            f"Unknown KV cache type {load.kv_type}.", hint=f"Choose one of: {known}."
        )
    shape = model if isinstance(model, Shape) else Shape.of(model)
    elements, block_bytes = KV_TYPES[load.kv_type]
    values = _cells(context_length) * shape.cache_width
    values += _window_cells(shape, context_length, load) * shape.window_width
    return values * block_bytes // elements


def estimate_memory(
    model: GgufHeader | Shape,
    context_length: int,
    load: LoadShape = _USUAL_LOAD,
    *,
    projector_bytes: int = 0,
) -> MemoryEstimate:
    """The memory to run the model."""
    shape = model if isinstance(model, Shape) else Shape.of(model)
    return MemoryEstimate(
        weights_bytes=shape.weights_bytes,
        kv_bytes=kv_cache_bytes(shape, context_length, load),
        recurrent_bytes=_FLOAT * shape.state_width * load.parallel,
        compute_bytes=_compute_bytes(shape, context_length, load),
        output_bytes=_FLOAT * shape.vocabulary_size * load.parallel,
        projector_bytes=projector_bytes,
        process_bytes=process_bytes(shape.vocabulary_size),
    )


def process_bytes(vocabulary_size: int) -> int:
    """The memory of an engine besides its buffers."""
    return _PROCESS_BYTES + _TOKEN_BYTES * vocabulary_size


def _cells(context_length: int) -> int:
    return -(-max(context_length, 1) // CONTEXT_STEP) * CONTEXT_STEP


def _window_cells(shape: Shape, context_length: int, load: LoadShape) -> int:
    """Cells of layers with a sliding window: one window per conversation, and a batch."""
    cells = _cells(context_length)
    return min(cells, _cells(shape.window * load.parallel + min(load.batch, cells)))


def _compute_bytes(shape: Shape, context_length: int, load: LoadShape) -> int:
    """The compute buffer: the most that is in use at once, for a full batch."""
    cells = _cells(context_length)
    batch = min(load.batch, max(context_length, _SMALLEST_BATCH))
    width = shape.embedding_length
    dense = 3 * shape.inner_width + 3 * width
    if shape.inner_width >= 2 * width:
        dense += max(width, shape.query_width)
    experts = shape.experts_used * max(
        2 * width + shape.expert_width, width + 3 * shape.expert_width
    )
    if experts:
        experts += 3 * width + shape.inner_width
    scan = 6 * shape.scan_width + width if shape.scan_width else 0
    alive = _FLOAT * batch * max(dense, experts, scan, 5 * width)
    mask_cells = cells + (_window_cells(shape, context_length, load) if shape.window_width else 0)
    if not shape.cache_width + shape.window_width:
        mask_cells = 0
    if load.flash_attention:
        return alive + _HALF * batch * mask_cells
    scores = _FLOAT * batch * cells * shape.query_heads if shape.cache_width else 0
    return max(alive, scores) + _FLOAT * batch * mask_cells + _FLOAT * batch * 3 * width


def largest_context(
    model: GgufHeader | Shape,
    available_bytes: int,
    load: LoadShape = _USUAL_LOAD,
    *,
    projector_bytes: int = 0,
) -> int:
    """The longest context that fits, a multiple of 256 up to the trained one; 0 if none."""
    shape = model if isinstance(model, Shape) else Shape.of(model)

    def fits(context_length: int) -> bool:
        estimate = estimate_memory(shape, context_length, load, projector_bytes=projector_bytes)
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
