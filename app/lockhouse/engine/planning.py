"""What a model would take in memory, planned by llama.cpp itself without loading it.

A process of its own, confined to the model's file, keeps the metadata of one model for a minute
and says in about ten milliseconds what a context of some length would allocate. What this hides:
that process, its end, and that asking about another model needs another process, because one that
is confined cannot be given a second file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections import OrderedDict
from pathlib import Path

import msgspec

from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError, UsageMistake
from lockhouse.engine import jobs, protocol
from lockhouse.engine.jobs import JobProcess, JobSpec, Limits
from lockhouse.engine.protocol import KvType, LoadSettings

_LIMITS = Limits(memory_bytes=4 << 30, time_s=20.0)  # nothing of the weights is read
_KEPT_S = 60.0
_MOST_CONTEXT = 1 << 24  # the plan itself has a cell for each token
_REMEMBERED = 256
_CPU_PARTS = ("ggml-base", "ggml-cpu", "ggml-blas")
_DEVICE_FILES = ("/dev",)  # drivers of graphics processors are talked to through these


class PlanRequest(msgspec.Struct, frozen=True):
    """Plan a load with these settings, as :class:`LoadSettings` has them."""

    model_path: str
    context_length: int
    kv_type: KvType = "f16"
    batch: int = 512
    parallel: int = 4
    flash_attention: bool = True
    extra_buffers: bool = True

    @classmethod
    def of(cls, model_path: Path, context_length: int, settings: LoadSettings) -> PlanRequest:
        """For a model and the settings it would be loaded with. Raises InvalidInput."""
        return cls(
            model_path=protocol.path_of(model_path),
            context_length=context_length,
            kv_type=settings.kv_type,
            batch=settings.batch,
            parallel=settings.parallel,
            flash_attention=settings.flash_attention,
            extra_buffers=settings.extra_buffers,
        )

    def settings(self) -> LoadSettings:
        """The same as load settings."""
        return LoadSettings(
            context_length=self.context_length,
            kv_type=self.kv_type,
            parallel=self.parallel,
            batch=self.batch,
            flash_attention=self.flash_attention,
            extra_buffers=self.extra_buffers,
        )


class MemoryPlan(msgspec.Struct, frozen=True):
    """Bytes that llama.cpp would allocate, by what they are for."""

    weights_bytes: int
    kv_bytes: int
    recurrent_bytes: int
    compute_bytes: int
    output_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return (
            self.weights_bytes
            + self.kv_bytes
            + self.recurrent_bytes
            + self.compute_bytes
            + self.output_bytes
        )


class Device(msgspec.Struct, frozen=True):
    """A processor that llama.cpp sees."""

    name: str
    description: str
    kind: str  # "CPU", "GPU", "integrated GPU", "accelerator"
    memory_total_bytes: int
    memory_free_bytes: int
    backend: str


class DeviceReport(msgspec.Struct, frozen=True):
    """What there is to compute with, and what the engine in force makes of it."""

    devices: tuple[Device, ...]
    features: tuple[str, ...]  # of the processor, in use by this build
    build: str
    backends: tuple[str, ...]
    graphics: tuple[str, ...] = ()  # graphics processors of this machine, used or not
    why_no_gpu: str = ""  # "" when a GPU is used or there is none


class DeviceRequest(msgspec.Struct, frozen=True):
    """Ask for a :class:`DeviceReport`."""


class Planner:
    """Asks llama.cpp. Usable from any thread; questions wait for one another."""

    def __init__(self, *, kept_s: float = _KEPT_S) -> None:
        """``kept_s`` is how long the process stays after the last question."""
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._process: JobProcess | None = None
        self._identity = ""
        self._known: OrderedDict[tuple[str, PlanRequest], MemoryPlan] = OrderedDict()

    def plan(self, request: PlanRequest) -> MemoryPlan:
        """What loading the model like this would allocate.

        The file must have passed the header's checks. Raises InvalidInput when llama.cpp does not
        take it, NoRoom when not even the plan can be made, EngineCrashed when the process dies.
        """
        if not 0 < request.context_length <= _MOST_CONTEXT:
            raise UsageMistake(
                f"A context of {request.context_length:,} tokens cannot be planned.",
                hint=f"Choose one between 1 and {_MOST_CONTEXT:,}.",
            )
        identity = _identity_of(Path(request.model_path))
        with self._lock:
            known = self._known.get((identity, request))
            if known is not None:
                self._known.move_to_end((identity, request))
                return known
            kept = self._process
            try:
                plan = self._process_for(identity, request).ask(request, MemoryPlan)
            except EngineCrashed:
                was_kept = self._process is kept
                self._end()
                if not was_kept and not request.extra_buffers:
                    raise
                # A kept one may have ended since the last question.
                buffers = request.extra_buffers and was_kept
                again = msgspec.structs.replace(request, extra_buffers=buffers)
                plan = self._ask_anew(identity, again)
            except LockhouseError:
                self._end()
                raise
            self._known[identity, request] = plan
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return plan

    def devices(self) -> DeviceReport:
        """What llama.cpp sees: looked up anew, in a process that ends at once."""
        limits = Limits(time_s=_LIMITS.time_s)  # drivers reserve more memory than they use
        spec = JobSpec("devices", "Looking for devices", write=_DEVICE_FILES, limits=limits)
        return jobs.run(spec, DeviceRequest(), DeviceReport)

    def gpus(self) -> tuple[Device, ...]:
        """Graphics processors with memory of their own; () at no cost without a part for them."""
        if not _has_gpu_parts():
            return ()
        with contextlib.suppress(LockhouseError):
            return tuple(device for device in self.devices().devices if device.kind == "GPU")
        return ()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask_anew(self, identity: str, request: PlanRequest) -> MemoryPlan:
        try:
            return self._process_for(identity, request).ask(request, MemoryPlan)
        except LockhouseError as error:
            self._end()
            if isinstance(error, EngineCrashed) and request.extra_buffers:
                # As an engine is loaded that died of them: see EnginePool.
                plain = msgspec.structs.replace(request, extra_buffers=False)
                return self._ask_anew(identity, plain)
            raise

    def _process_for(self, identity: str, request: PlanRequest) -> JobProcess:
        if self._process is None or self._identity != identity or not self._process.is_alive():
            self._end()
            spec = JobSpec(
                "plan",
                "Planning",
                read=tuple(map(str, protocol.model_files(Path(request.model_path)))),
                limits=_LIMITS,
                kept_s=self._kept_s,
            )
            self._process, self._identity = JobProcess(spec), identity
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def _has_gpu_parts() -> bool:
    """Whether the engine in force was built for more than the processor."""
    spec = importlib.util.find_spec("llama_cpp")
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    parts = {
        path.name.removeprefix("lib").split(".")[0]
        for place in places
        for path in Path(place, "lib").glob("*ggml-*")
    }
    return any(not part.startswith(_CPU_PARTS) for part in parts)


def _identity_of(path: Path) -> str:
    try:
        return f"{path}:{protocol.identity_of(path)}"
    except OSError as error:
        raise InvalidInput(
            f"The model's file cannot be opened: {error.strerror}.",
            hint=f"Check that {path} is there and readable.",
            code="model_unreadable",
        ) from error
