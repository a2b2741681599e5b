"""How good a model's form is, and whether this machine has the memory for it, in plain words.

The three words: a model *fits* when all of it goes into memory that is free now; it *may be
slow* when it runs only at the expense of others (programs and models that are loaded have to
give way, or part of the weights is read from the disk again and again); it *won't fit* when
this machine has not got that much memory at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.memory import MemoryEstimate, estimate_memory, largest_context
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import Fit, Quality

if TYPE_CHECKING:
    from lockhouse.engine.pool import EnginePool

_UNQUANTIZED: Final = ("F32", "F16", "BF16")
_LARGE_BITS: Final = 6.5
_BALANCED_BITS: Final = 4.2
_MARGIN_BYTES: Final = 256 << 20  # for everyone else
_POSSIBLE: Final = 0.9  # of all memory, when everything else gives way
_USUAL_CONTEXT: Final = 8192
SMALLEST_CONTEXT: Final = 512


class Gpu(msgspec.Struct, frozen=True):
    """A graphics processor that the engine can use."""

    name: str
    total_bytes: int
    free_bytes: int


class Machine(msgspec.Struct, frozen=True):
    """Memory as it is now. What is loaded has been taken out of ``memory_free_bytes``."""

    memory_total_bytes: int
    memory_free_bytes: int
    gpus: tuple[Gpu, ...] = ()
    loaded: tuple[tuple[str, int], ...] = ()  # models of this home, by name


class FitReport(msgspec.Struct, frozen=True):
    """The word, and the numbers behind it."""

    word: Fit
    needed: MemoryEstimate
    available_bytes: int
    context_length: int
    largest_context: int  # 0 when not even a short one fits
    reason: str  # a sentence with the numbers
    guessed: bool = False  # nothing but the size was known


def quality_of(quantization: str, bits_per_weight: float) -> Quality:
    """The word for how much was given up to make the file smaller."""
    if quantization in _UNQUANTIZED:
        return "Original"
    if bits_per_weight >= _LARGE_BITS:
        return "Large"
    return "Balanced" if bits_per_weight >= _BALANCED_BITS else "Small"


def machine_now(engines: EnginePool | None = None) -> Machine:
    """What this machine has and what of it is free, less what engines hold."""
    import psutil  # only where models are looked at, and slow to import

    memory = psutil.virtual_memory()
    loaded = []
    free_bytes = memory.available
    for status in engines.list() if engines is not None else ():
        loaded.append((status.model_name, status.memory_bytes))
        try:
            # Mapped weights count as available, since the system could drop them; the engine
            # reads them for every token.
            free_bytes -= getattr(psutil.Process(status.pid).memory_info(), "shared", 0)
        except psutil.Error:
            continue
    return Machine(memory.total, max(0, free_bytes), loaded=tuple(loaded))


def fit(
    model: GgufHeader | Shape,
    machine: Machine,
    *,
    context_length: int | None = None,
    kv_type: str = "f16",
    projector_bytes: int = 0,
    planned: MemoryEstimate | None = None,
) -> FitReport:
    """Whether the model runs on this machine, at the context asked for or the usual one.

    ``planned`` is what llama.cpp planned for that context, where it was asked.
    """
    shape = model if isinstance(model, Shape) else Shape.of(model)
    wanted = context_length or min(shape.context_length or _USUAL_CONTEXT, _USUAL_CONTEXT)
    needed = planned or estimate_memory(shape, wanted, kv_type, projector_bytes=projector_bytes)
    room = max(0, machine.memory_free_bytes - _MARGIN_BYTES)
    largest = largest_context(shape, room, kv_type, projector_bytes=projector_bytes)
    word: Fit = "fits"
    if needed.total_bytes > room:
        possible = needed.total_bytes <= machine.memory_total_bytes * _POSSIBLE
        word = "may be slow" if possible else "won't fit"
    return FitReport(
        word=word,
        needed=needed,
        available_bytes=room,
        context_length=wanted,
        largest_context=largest if largest >= SMALLEST_CONTEXT else 0,
        reason=_reason(word, needed, room, machine, wanted),
        guessed=shape.guessed,
    )


def _reason(word: Fit, needed: MemoryEstimate, room: int, machine: Machine, context: int) -> str:
    takes = f"It takes {_gb(needed.total_bytes)} with a context of {context:,} tokens"
    if word == "fits":
        return f"{takes}, and {_gb(room)} are free."
    if word == "won't fit":
        return f"{takes}, and this machine has {_gb(machine.memory_total_bytes)} of memory."
    held = sum(size for _, size in machine.loaded)
    told = f", {_gb(held)} are held by loaded models" if held else ""
    return f"{takes}; {_gb(room)} are free{told}."


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def fit_of(needed_bytes: int) -> Fit:
    """Whether a model that takes so much memory runs on this machine, others set aside."""
    import psutil  # only where models are listed

    share = needed_bytes / max(1, psutil.virtual_memory().total)
    if share <= 0.6:
        return "fits"
    return "may be slow" if share <= _POSSIBLE else "won't fit"
