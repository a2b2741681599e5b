"""Planning, in a process of its own: llama.cpp with its allocations switched off, for one model.

The figures are those that llama.cpp's own log reports, so they are what a real load would show.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import msgspec

from lockhouse.core.errors import InvalidInput, NoRoom
from lockhouse.core.json_decoding import decoded
from lockhouse.engine.planning import MemoryPlan, PlanRequest
from lockhouse.engine.process.jobs import Report

_MIB = 1 << 20
_KEPT_LINES = 4000
_SIZE = r" *([0-9.]+) MiB"
_KV = re.compile(r"llama_kv_cache\w*: size =" + _SIZE)
_RECURRENT = re.compile(r"llama_memory_recurrent: size =" + _SIZE)
_COMPUTE = re.compile(r"compute buffer size =" + _SIZE)
_OUTPUT = re.compile(r"output buffer size =" + _SIZE)


def answer(request: bytes, _report: Report) -> MemoryPlan:
    """The plan of a :class:`PlanRequest`."""
    return _planner().plan(decoded(request, PlanRequest))


@functools.cache
def _planner() -> _Planner:
    return _Planner()


class _Planner:
    """Keeps the metadata of the one model."""

    def __init__(self) -> None:
        self._log = _Log()
        self._models: dict[tuple[str, bool], Any] = {}  # by file and whether it may be repacked

    def plan(self, request: PlanRequest) -> MemoryPlan:
        """What llama.cpp would allocate. Raises InvalidInput, NoRoom."""
        from lockhouse.engine.process.native import context_parameters, lib

        model = self._model(request)
        parameters = context_parameters(request.settings(), request.context_length, threads=1)
        self._log.clear()
        context = lib.llama_init_from_model(model, parameters)
        if not context:
            raise NoRoom(
                f"A context of {request.context_length:,} tokens cannot be made: "
                f"{self._log.reason()}.",
                hint="Choose a smaller context length.",
                code="context_too_large",
            )
        try:
            return self._measured(model, context)
        finally:
            lib.llama_free(context)

    def _model(self, request: PlanRequest) -> Any:
        from lockhouse.engine.process.native import lib

        key = (request.model_path, request.extra_buffers)
        found = self._models.get(key)
        if found is None:
            parameters = lib.llama_model_default_params()
            parameters.no_alloc = True
            parameters.load_mode = 0  # nothing of the weights is mapped or read
            parameters.use_extra_bufts = request.extra_buffers
            self._log.clear()
            found = lib.llama_model_load_from_file(request.model_path.encode(), parameters)
            if not found:
                raise InvalidInput(
                    f"llama.cpp cannot load {Path(request.model_path).name}: "
                    f"{self._log.reason() or 'no reason given'}.",
                    hint="The file may be damaged or too new for this engine; get it again.",
                    code="model_rejected",
                )
            self._models[key] = found
        return found

    def _measured(self, model: Any, context: Any) -> MemoryPlan:
        """By llama.cpp's log, which rounds to a hundredth of a MiB, and to the byte if it can."""
        from lockhouse.engine.process.native import breakdown, lib

        log = self._log.text()
        recurrent = _sum_of(_RECURRENT, log)
        plan = MemoryPlan(
            weights_bytes=int(lib.llama_model_size(model)),
            kv_bytes=_sum_of(_KV, log),
            recurrent_bytes=recurrent,
            compute_bytes=_sum_of(_COMPUTE, log),
            output_bytes=_sum_of(_OUTPUT, log),
        )
        exact = breakdown(context)
        if exact is None:
            return plan
        weights, caches, working = exact  # weights that are kept in two forms count twice
        return msgspec.structs.replace(
            plan,
            weights_bytes=weights,
            kv_bytes=max(0, caches - recurrent) if plan.kv_bytes else 0,
            recurrent_bytes=recurrent if plan.kv_bytes else caches,
            compute_bytes=working,
        )


class _Log:
    """llama.cpp's own words since the last question."""

    def __init__(self) -> None:
        from lockhouse.engine.process.native import lib, start_backend

        self._lines: list[str] = []
        start_backend()

        @lib.llama_log_callback  # type: ignore[untyped-decorator]
        def keep(_level: int, text: bytes, _data: object) -> None:
            if len(self._lines) < _KEPT_LINES:
                self._lines.append(text.decode("utf-8", "replace"))

        self._callback = keep  # native code holds only its address
        lib.llama_log_set(keep, None)

    def clear(self) -> None:
        self._lines.clear()

    def text(self) -> str:
        return "".join(self._lines)

    def reason(self) -> str:
        """What the last lines say, short."""
        lines = [line.strip() for line in self.text().splitlines() if line.strip(" .")]
        return "; ".join(lines[-2:])[:400]


def _sum_of(pattern: re.Pattern[str], log: str) -> int:
    return round(sum(float(size) for size in pattern.findall(log)) * _MIB)
