"""What the status bar shows: loaded models and the memory of the machine.

Hides the polling. Engines are asked on a thread, because asking one means talking to its process.
"""

from __future__ import annotations

from dataclasses import dataclass

import psutil
from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineStatus
from lockhouse.ui.jobs import Jobs

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
        self._looking = False
        self.state = MachineState((), 0, 0)
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Start polling."""
        self.look()
        self._timer.start()

    def look(self) -> None:
        """Read now, unless a read is still running."""
        if self._looking:
            return
        self._looking = True
        self._jobs.run(self._read, self._tell, self._failed)

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
        self._looking = False
        self.state = state
        self.looked.emit(state)

    def _failed(self, _error: LockhouseError) -> None:
        self._looking = False
