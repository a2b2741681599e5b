"""How much memory a model would need: estimated at once, then measured by llama.cpp.

Hides that llama.cpp plans in a process of its own: of the questions that a moving slider asks, one
is under way and only the last is asked next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QObject, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.engine.planning import DeviceReport, MemoryPlan, Planner, PlanRequest
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import KvType, LoadSettings
from lockhouse.library.fit import FitReport, Machine, fit, machine_now
from lockhouse.library.gguf.header import GgufHeader, read_header
from lockhouse.library.model_info import ModelInfo
from lockhouse.ui.jobs import JobHandle, Jobs, ignore
from lockhouse.ui.timers import OneAtATime


@dataclass(frozen=True, slots=True)
class MemoryQuestion:
    """A model with load settings; context length 0 is chosen automatically."""

    model: ModelInfo
    context_length: int = 0
    kv_type: KvType = "f16"
    parallel: int = 1


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a model needs at a context of that many tokens, and what is available.

    ``exact`` when llama.cpp measured it, else an estimate from the header. ``saved_bytes`` is what
    an 8-bit KV cache saves; ``largest_context`` the most tokens that fit.
    """

    name: str
    path: str
    context_length: int
    kv_type: str
    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    projector_bytes: int = 0
    available_bytes: int = 0
    others: tuple[tuple[str, int], ...] = ()
    largest_context: int = 0
    saved_bytes: int = 0
    exact: bool = False
    problem: str = ""

    @property
    def total_bytes(self) -> int:
        """All of it, without the other models."""
        return self.weights_bytes + self.cache_bytes + self.compute_bytes + self.projector_bytes

    @property
    def others_bytes(self) -> int:
        """What the other loaded models take."""
        return sum(size for _, size in self.others)


class MemoryController(QObject):
    """Finds out what models need; one question at a time."""

    measured = Signal(object)  # MemoryNeed
    explained = Signal(str, str)  # name of the model, the numbers behind its fit

    def __init__(
        self,
        planner: Planner,
        engines: EnginePool,
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._planner = planner
        self._engines = engines
        self._jobs = jobs
        self._wanted: MemoryQuestion | None = None  # the newest
        self._asked: MemoryQuestion | None = None  # the one that is being planned
        self._planning = OneAtATime(self._ask)
        self._planned_for = ""
        self._estimate: JobHandle | None = None

    def ask(self, question: MemoryQuestion) -> None:
        """Find out what is needed. An earlier question may stay without answer."""
        self._wanted = question
        if self._planned_for != str(question.model.path):  # the planner still has to read it
            self.estimate(question)
        self._planning.want()

    def estimate(self, question: MemoryQuestion) -> None:
        """Find out what is needed from the header alone, without starting the planner."""
        if self._estimate is not None:
            self._estimate.cancel()
        self._estimate = self._jobs.run(
            lambda: self._estimated(question), self._tell_estimate, ignore
        )

    def explain(self, model: ModelInfo) -> None:
        """Find the numbers behind a model's fit."""

        def read() -> str:
            return fit(read_header(model.path), machine_now(self._engines)).reason

        self._jobs.run(read, lambda reason: self.explained.emit(model.name, reason), ignore)

    def look_for_devices(
        self, done: Callable[[DeviceReport], None], failed: Callable[[LockhouseError], None]
    ) -> JobHandle:
        """Find out which devices llama.cpp sees."""
        return self._jobs.run(self._planner.devices, done, failed)

    def _ask(self) -> None:
        question = self._asked = self._wanted
        assert question is not None
        self._jobs.run(lambda: self._plan(question), self._tell, self._not_planned)

    def _tell(self, need: MemoryNeed) -> None:
        if self._asked is self._wanted:
            self._planned_for = need.path
        self.measured.emit(need)
        self._planning.end()

    def _tell_estimate(self, need: MemoryNeed) -> None:
        if self._planned_for != need.path:
            self.measured.emit(need)

    def _not_planned(self, _error: LockhouseError) -> None:
        self._planning.end()  # the estimate stands

    # on a thread

    def _estimated(self, question: MemoryQuestion) -> MemoryNeed:
        header, machine, report = self._read_fit(question)
        other: KvType = "q8_0" if question.kv_type == "f16" else "f16"
        beside = fit(header, machine, context_length=report.context_length, kv_type=other).needed
        needed = report.needed
        return MemoryNeed(
            question.model.name,
            str(question.model.path),
            report.context_length,
            question.kv_type,
            needed.weights_bytes,
            needed.kv_bytes + needed.recurrent_bytes,
            needed.compute_bytes + needed.output_bytes,
            needed.projector_bytes,
            machine.memory_free_bytes + sum(size for _, size in machine.loaded),
            machine.loaded,
            _most(header, report),
            abs(needed.kv_bytes - beside.kv_bytes),
            problem="" if report.word == "fits" else report.reason,
        )

    def _plan(self, question: MemoryQuestion) -> MemoryNeed:
        need = self._estimated(question)
        settings = LoadSettings(kv_type=question.kv_type, parallel=question.parallel)
        asked = PlanRequest.of(question.model.path, need.context_length, settings)
        plan = self._planner.plan(asked)
        other: KvType = "q8_0" if question.kv_type == "f16" else "f16"
        beside = self._planner.plan(msgspec.structs.replace(asked, kv_type=other))
        return _exactly(need, plan, abs(plan.kv_bytes - beside.kv_bytes))

    def _read_fit(self, question: MemoryQuestion) -> tuple[GgufHeader, Machine, FitReport]:
        """The header, the machine as if this model were not loaded, and what fits it."""
        header = read_header(question.model.path)
        machine = machine_now(self._engines)
        own = sum(size for name, size in machine.loaded if name == question.model.name)
        machine = msgspec.structs.replace(
            machine,
            memory_free_bytes=machine.memory_free_bytes + own,
            loaded=tuple(one for one in machine.loaded if one[0] != question.model.name),
        )
        projector = question.model.projector
        report = fit(
            header,
            machine,
            context_length=question.context_length or None,
            kv_type=question.kv_type,
            projector_bytes=projector.stat().st_size if projector else 0,
        )
        return header, machine, report


def _most(header: GgufHeader, report: FitReport) -> int:
    """The largest context to offer: that fits, and that the model was trained for."""
    trained = header.context_length or report.largest_context
    return min(report.largest_context, trained)


def _exactly(need: MemoryNeed, plan: MemoryPlan, saved_bytes: int) -> MemoryNeed:
    return dataclasses.replace(
        need,
        weights_bytes=plan.weights_bytes,
        cache_bytes=plan.kv_bytes + plan.recurrent_bytes,
        compute_bytes=plan.compute_bytes + plan.output_bytes,
        saved_bytes=saved_bytes,
        exact=True,
    )
