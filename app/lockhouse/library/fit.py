"""The quality of a quantization, and whether a model fits into the memory of this machine.

A model *fits* when all of it goes into memory that is free now; it *may be slow* when other
programs or loaded models have to free memory for it, or part of the weights is read from the disk
again and again; it *won't fit* when this machine does not have that much memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.loadable import check_loadable
from lockhouse.library.gguf.memory import (
    LoadShape,
    MemoryEstimate,
    estimate_memory,
    largest_context,
    process_bytes,
)
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import Fit, Quality

if TYPE_CHECKING:
    from lockhouse.engine.planning import Planner
    from lockhouse.engine.pool import EnginePool
    from lockhouse.engine.protocol import LoadSettings

_UNQUANTIZED: Final = ("F32", "F16", "BF16")
_LARGE_BITS: Final = 6.5
_BALANCED_BITS: Final = 4.2
MARGIN_BYTES: Final = 256 << 20  # left for other programs
_POSSIBLE: Final = 0.9  # of all memory, when everything else is freed
_COMFORTABLE: Final = 0.5  # of what the weights leave, for the default context
_DEFAULT_MOST: Final = 32_768  # tokens; few chats need more
_DEFAULT_LEAST: Final = 4096
_DEFAULT_STEP: Final = 1024
SMALLEST_CONTEXT: Final = 512


class Gpu(msgspec.Struct, frozen=True):
    """A GPU that the engine can use."""

    name: str
    total_bytes: int
    free_bytes: int


class Machine(msgspec.Struct, frozen=True):
    """The memory of this machine now. ``memory_free_bytes`` excludes loaded models."""

    memory_total_bytes: int
    memory_free_bytes: int
    gpus: tuple[Gpu, ...] = ()
    loaded: tuple[tuple[str, int], ...] = ()  # models of this home, by name


class FitReport(msgspec.Struct, frozen=True):
    """Whether a model fits, with the numbers."""

    word: Fit
    needed: MemoryEstimate
    available_bytes: int
    context_length: int
    largest_context: int  # 0 when not even a short one fits
    reason: str  # a sentence with the numbers
    guessed: bool = False  # only the size was known


def quality_of(quantization: str, bits_per_weight: float) -> Quality:
    """The quality class of a quantization."""
    if quantization in _UNQUANTIZED:
        return "Original"
    if bits_per_weight >= _LARGE_BITS:
        return "Large"
    return "Balanced" if bits_per_weight >= _BALANCED_BITS else "Small"


def machine_now(engines: EnginePool | None = None, planner: Planner | None = None) -> Machine:
    """The memory of this machine, and what is free besides loaded engines.

    GPUs are found through ``planner``, where the engine supports them.
    """
    import psutil  # only where models are looked at, and slow to import

    memory = psutil.virtual_memory()
    loaded = []
    free_bytes = memory.available
    for engine in engines.memory() if engines is not None else ():
        loaded.append((engine.model_name, engine.resident_bytes + engine.pending_bytes))
        # Mapped weights count as available, since the system could drop them; the engine
        # reads them for every token. What it is still loading is as good as taken.
        free_bytes -= engine.mapped_bytes + engine.pending_bytes
    gpus = tuple(
        Gpu(device.description or device.name, device.memory_total_bytes, device.memory_free_bytes)
        for device in (planner.gpus() if planner is not None else ())
    )
    return Machine(memory.total, max(0, free_bytes), gpus, tuple(loaded))


class ContextChoice(msgspec.Struct, frozen=True):
    """The default context length of a model, and the longest one that fits."""

    context_length: int  # never below the smallest, whether that fits or not
    largest_context: int  # 0 when not even the smallest fits
    reason: str


def choose_context(
    model: GgufHeader | Shape,
    machine: Machine,
    load: LoadShape | None = None,
    *,
    projector_bytes: int = 0,
) -> ContextChoice:
    """The default context length.

    The memory of the KV cache is allocated when the model is loaded, so the default uses at most
    half of what the weights leave free, and at most 32,768 tokens, but at least 4,096 where that
    fits. The user can choose more, up to the largest.
    """
    shape, load = _shape(model), load or LoadShape()
    trained = shape.context_length or _DEFAULT_LEAST
    room = _room(machine)
    largest = largest_context(shape, room, load, projector_bytes=projector_bytes)
    if largest < SMALLEST_CONTEXT:
        return ContextChoice(SMALLEST_CONTEXT, 0, "Not even a short context fits.")
    least = estimate_memory(shape, SMALLEST_CONTEXT, load, projector_bytes=projector_bytes)
    spare = room - least.total_bytes
    comfortable = largest_context(
        shape,
        least.total_bytes + int(spare * _COMFORTABLE),
        load,
        projector_bytes=projector_bytes,
    )
    wanted = min(trained, _DEFAULT_MOST, max(comfortable, _DEFAULT_LEAST))
    chosen = min(wanted, largest)
    if chosen >= trained:
        return ContextChoice(trained, largest, f"All {trained:,} tokens it was trained for.")
    if chosen > _DEFAULT_STEP:
        chosen = chosen // _DEFAULT_STEP * _DEFAULT_STEP
    if chosen == _DEFAULT_MOST:
        why = "enough for most chats"
    elif largest < _DEFAULT_LEAST:
        why = "all that fits"
    else:
        why = "leaves half of the free memory to other programs"
    more = f"; up to {largest:,} fit" if largest > chosen else ""
    return ContextChoice(chosen, largest, f"{chosen:,} tokens: {why}{more}.")


def fit(
    model: GgufHeader | Shape,
    machine: Machine,
    *,
    context_length: int | None = None,
    kv_type: str = "f16",
    load: LoadShape | None = None,
    projector_bytes: int = 0,
    planned: MemoryEstimate | None = None,
) -> FitReport:
    """Whether the model fits into this machine, with the given context or the default one.

    ``load`` has the load settings that matter for memory, where ``kv_type`` is not enough;
    ``planned`` is what llama.cpp measured for that context, if it was asked.
    """
    shape, load = _shape(model), load or LoadShape(kv_type=kv_type)
    choice = choose_context(shape, machine, load, projector_bytes=projector_bytes)
    wanted = context_length or choice.context_length
    needed = planned or estimate_memory(shape, wanted, load, projector_bytes=projector_bytes)
    room, word = _room(machine), fit_of(needed.total_bytes, machine)
    return FitReport(
        word=word,
        needed=needed,
        available_bytes=room,
        context_length=wanted,
        largest_context=choice.largest_context,
        reason=_reason(word, needed, room, machine, wanted),
        guessed=shape.guessed,
    )


def _shape(model: GgufHeader | Shape) -> Shape:
    return model if isinstance(model, Shape) else Shape.of(model)


def _room(machine: Machine) -> int:
    """The memory that can be used: free memory less a margin, and free GPU memory."""
    gpus = sum(gpu.free_bytes for gpu in machine.gpus)
    return max(0, machine.memory_free_bytes - MARGIN_BYTES) + gpus


def _reason(word: Fit, needed: MemoryEstimate, room: int, machine: Machine, context: int) -> str:
    about = "" if needed.exact else "about "
    takes = f"It takes {about}{_gb(needed.total_bytes)} with a context of {context:,} tokens"
    gpus = sum(gpu.free_bytes for gpu in machine.gpus)
    free = f"{_gb(room)} are free" + (f", {_gb(gpus)} of it on the GPU" if gpus else "")
    if word == "fits":
        return f"{takes}, and {free}."
    if word == "won't fit":
        return f"{takes}, and this machine has {_gb(machine.memory_total_bytes)} of memory."
    held = sum(size for _, size in machine.loaded)
    if held and needed.total_bytes <= room + held:
        return f"{takes}; {free}, and loaded models use {_gb(held)} that they would have to free."
    return f"{takes}; {free}, so other programs must free memory, or the disk is read repeatedly."


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def planned_memory(
    planner: Planner,
    header: GgufHeader,
    context_length: int,
    settings: LoadSettings,
    *,
    projector_bytes: int = 0,
) -> MemoryEstimate:
    """The memory to load this file: measured by llama.cpp, or estimated where it cannot.

    Raises InvalidInput for a file that native code must not read.
    """
    from lockhouse.engine.planning import PlanRequest  # a listing needs none of the engine

    check_loadable(header)
    try:
        plan = planner.plan(PlanRequest.of(header.path, context_length, settings))
    except LockhouseError:
        load = LoadShape.of(settings)
        return estimate_memory(header, context_length, load, projector_bytes=projector_bytes)
    return MemoryEstimate(
        weights_bytes=plan.weights_bytes,
        kv_bytes=plan.kv_bytes,
        recurrent_bytes=plan.recurrent_bytes,
        compute_bytes=plan.compute_bytes,
        output_bytes=plan.output_bytes,
        projector_bytes=projector_bytes,
        process_bytes=process_bytes(header.vocabulary_size),
        exact=True,
    )


def fit_of(needed_bytes: int, machine: Machine | None = None) -> Fit:
    """Whether a model that takes so much memory fits."""
    machine = machine or machine_now()
    if needed_bytes <= _room(machine):
        return "fits"
    return "may be slow" if needed_bytes <= _most(machine) else "won't fit"


def _most(machine: Machine) -> int:
    """The memory there would be if everything else was freed."""
    gpus = sum(gpu.total_bytes for gpu in machine.gpus)
    return int(machine.memory_total_bytes * _POSSIBLE) + gpus
