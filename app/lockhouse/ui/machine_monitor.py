"""What the status bar shows: loaded models and the memory of the machine.

Engines are asked on a thread, because asking one means talking to its process.
"""

from __future__ import annotations

from dataclasses import dataclass

import psutil
from PySide6.QtCore import QObject, Signal

from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineStatus
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.timers import Poll

_INTERVAL_MS = 2000


@dataclass(frozen=True, slots=True)
class MachineState:
    """Loaded engines and memory at one moment."""

    engines: tuple[EngineStatus, ...]
    memory_used_bytes: int
    memory_total_bytes: int


class Machine(QObject):
    """Reads the state every two seconds, and when asked."""

    looked = Signal(object)  # MachineState

    def __init__(self, engines: EnginePool, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engines = engines
        self._jobs = jobs
        self.state = MachineState((), 0, 0)
        poll = Poll(jobs, self._read, self._tell, every_ms=_INTERVAL_MS, parent=self)
        self.start, self.look = poll.start, poll.look

    def stop_engines(self, model_name: str | None = None) -> None:
        """Unload one model, or all."""
        self._jobs.run(
            lambda: self._engines.stop(model_name), lambda _: self.look(), lambda _: self.look()
        )

    def _read(self) -> MachineState:
        memory = psutil.virtual_memory()
        engines = tuple(self._engines.list())
        return MachineState(engines, memory.total - memory.available, memory.total)

    def _tell(self, state: MachineState) -> None:
        self.state = state
        self.looked.emit(state)
