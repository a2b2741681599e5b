"""How good a model's form is, and whether this machine has the memory for it, in plain words.

The three words: a model *fits* when all of it goes into memory that is free now; it *may be
slow* when it runs only at the expense of others (programs and models that are loaded have to
give way, or part of the weights is read from the disk again and again); it *won't fit* when
this machine has not got that much memory at all.
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
MARGIN_BYTES: Final = 256 << 20  # for everyone else
_POSSIBLE: Final = 0.9  # of all memory, when everything else gives way
_COMFORTABLE: Final = 0.5  # of what the weights leave, for a context nobody asked for
_MOST_UNASKED: Final = 32_768  # tokens; more takes memory and seconds that few chats use
_LEAST_UNASKED: Final = 4096
_STEP_UNASKED: Final = 1024
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


def machine_now(engines: EnginePool | None = None, planner: Planner | None = None) -> Machine:
    """What this machine has and what of it is free, less what engines hold.

    Graphics processors are asked for through ``planner``, where the engine has a part for them.
    """
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
    gpus = tuple(
        Gpu(device.description or device.name, device.memory_total_bytes, device.memory_free_bytes)
        for device in (planner.gpus() if planner is not None else ())
    )
    return Machine(memory.total, max(0, free_bytes), gpus, tuple(loaded))


class ContextChoice(msgspec.Struct, frozen=True):
    """The context a model gets when nobody asks for one, and the longest it could have."""

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
    """The longest context that leaves others room.

    A cache is memory that is taken whole when the model is loaded, so the choice stops at half
    of what the weights leave free, and at 32,768 tokens; a short one is stretched to 4,096 where
    that fits at all. Whoever wants more asks for it, up to the largest.
    """
    shape, load = _shape(model), load or LoadShape()
    trained = shape.context_length or _LEAST_UNASKED
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
    wanted = min(trained, _MOST_UNASKED, max(comfortable, _LEAST_UNASKED))
    chosen = min(wanted, largest)
    if chosen >= trained:
        return ContextChoice(trained, largest, f"All {trained:,} tokens it was trained for.")
    if chosen > _STEP_UNASKED:
        chosen = chosen // _STEP_UNASKED * _STEP_UNASKED
    if chosen == _MOST_UNASKED:
        why = "enough for most chats"
    elif largest < _LEAST_UNASKED:
        why = "all that fits"
    else:
        why = "leaves half of the free memory to others"
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
    """Whether the model runs on this machine, at the context asked for or a sensible one.

    ``load`` has all that matters of the load settings, where ``kv_type`` is not enough;
    ``planned`` is what llama.cpp planned for that context, where it was asked.
    """
    shape, load = _shape(model), load or LoadShape(kv_type=kv_type)
    choice = choose_context(shape, machine, load, projector_bytes=projector_bytes)
    wanted = context_length or choice.context_length
    needed = planned or estimate_memory(shape, wanted, load, projector_bytes=projector_bytes)
    room = _room(machine)
    word: Fit = "fits"
    if needed.total_bytes > room:
        word = "may be slow" if needed.total_bytes <= _most(machine) else "won't fit"
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
    """What may be taken: free memory but for a margin, and what graphics processors have free."""
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
        return f"{takes}; {free}, and loaded models hold {_gb(held)} that they would have to give."
    return f"{takes}; {free}, so others must give way or the disk is read again and again."


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
    """What loading this file takes: llama.cpp's own figure, or the estimate where it has none.

    Raises InvalidInput for a file that native code must not see.
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
    """The word for a model that takes so much memory."""
    machine = machine or machine_now()
    if needed_bytes <= _room(machine):
        return "fits"
    return "may be slow" if needed_bytes <= _most(machine) else "won't fit"


def _most(machine: Machine) -> int:
    """What there would be if everything else gave way."""
    gpus = sum(gpu.total_bytes for gpu in machine.gpus)
    return int(machine.memory_total_bytes * _POSSIBLE) + gpus
