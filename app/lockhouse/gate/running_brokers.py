"""The brokers that run for a home: each leaves a record in ``run/brokers``, and can be ended.

Every program that started while the network was open has a broker of its own. Sealing ends them
all, including those of running windows.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lockhouse import processes

_POLL_S = 0.005
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Broker:
    """One running broker and the program it belongs to."""

    pid: int
    birth: float
    launcher_pid: int
    since: str
    confined: bool = False


class Brokers:
    """The records of one home."""

    def __init__(self, run: Path) -> None:
        self.folder = run / "brokers"

    def list(self) -> list[Broker]:
        """Those that run, oldest first. Records of ended ones are removed."""
        found = []
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []:
            broker, number = _read(path), int(path.stem) if path.stem.isdecimal() else 0
            if broker is not None and processes.is_alive(broker.pid, broker.birth):
                found.append(broker)
            elif broker is not None or not processes.exists(number):
                with contextlib.suppress(OSError):
                    path.unlink()
        return sorted(found, key=lambda broker: broker.since)

    def end_all(self) -> int:
        """End every broker at once, and with it its connections; how many there were.

        What was written by then stays: a broker holds nothing that would have to be saved.
        """
        brokers = self.list()
        for broker in brokers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(broker.pid, signal.SIGKILL)
        give_up_at = time.monotonic() + _PATIENCE_S
        for broker in brokers:
            while processes.is_alive(broker.pid, broker.birth) and time.monotonic() < give_up_at:
                time.sleep(_POLL_S)
        self.list()
        return len(brokers)

    def write(self, broker: Broker) -> Path:
        """Record a broker, so that sealing finds it."""
        for folder in (self.folder.parent, self.folder):  # engines keep their keys beside it
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{broker.pid}.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(broker)))
        temporary.replace(path)
        return path


def _read(path: Path) -> Broker | None:
    try:
        stored = json.loads(path.read_bytes())
        return Broker(
            int(stored["pid"]),
            float(stored["birth"]),
            int(stored["launcher_pid"]),
            str(stored["since"]),
            bool(stored["confined"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
