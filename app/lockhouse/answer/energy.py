"""What this machine used while it answered, where it has a counter that says so.

On Linux the processor counts its own energy (RAPL; Intel and AMD), where the system lets this
program read it; a laptop that runs on its battery has a gauge. Both measure the whole machine or
processor, other programs included. Without a counter there is no figure: nothing is guessed from
the kind of processor or the time. Hides the files, and that their counters begin anew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

_JOULES_PER_MICROWATT_HOUR = 3600e-6
# A gauge moves in steps of up to 10 milliwatt hours (36 J): less than twenty tell too little.
_LEAST_FROM_GAUGE_J = 720.0
# A counter begins anew after some minutes at full load. What no processor uses within one round
# was one round at most.
_MOST_WATTS = 500.0


class EnergyMeter:
    """Measures one span, from its making to :meth:`used_j`. Two small reads, none in between."""

    def __init__(
        self,
        system: Path = Path("/sys/class"),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``system`` is where Linux shows its counters."""
        self._clock = clock
        self._started = clock()
        self._counters: dict[Path, int] = {}
        self._gauges: dict[Path, float] = {}
        if not sys.platform.startswith("linux"):
            return
        self._counters = _counted(system / "powercap")
        if not self._counters:
            self._gauges = _gauged(system / "power_supply")

    def used_j(self) -> float | None:
        """Joules since the beginning; None where this machine cannot tell."""
        if self._counters:
            return self._from_counters()
        return self._from_gauges() if self._gauges else None

    def _from_counters(self) -> float | None:
        passed_s = self._clock() - self._started
        total_uj = 0
        for zone, before in self._counters.items():
            after, most = _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
            if after is None or most is None or passed_s * _MOST_WATTS * 1e6 > most:
                return None
            total_uj += after - before if after >= before else after + most - before
        return round(total_uj / 1e6, 3)

    def _from_gauges(self) -> float | None:
        total_j = 0.0
        for battery, before in self._gauges.items():
            after = _stored_j(battery)
            if after is None:  # plugged in meanwhile
                return None
            total_j += before - after
        return round(total_j, 1) if total_j >= _LEAST_FROM_GAUGE_J else None


def _counted(powercap: Path) -> dict[Path, int]:
    """Every processor's counter, and its memory's, which is not part of it. All or none."""
    found: dict[Path, int] = {}
    for zone in sorted(powercap.glob("intel-rapl:*")):  # AMD's are called so too
        name = _text(zone / "name")
        if not name.startswith(("package", "dram")):
            continue
        count = _number(zone / "energy_uj")
        if count is None:  # most systems let only their administrator read it
            return {}
        found[zone] = count
    return found


def _gauged(supplies: Path) -> dict[Path, float]:
    """What is left in each battery, while the machine runs on them."""
    found: dict[Path, float] = {}
    for supply in sorted(supplies.glob("*")):
        if _text(supply / "type") == "Battery" and _text(supply / "scope") != "Device":
            stored = _stored_j(supply)
            if stored is not None:
                found[supply] = stored
    return found


def _stored_j(battery: Path) -> float | None:
    """What is left in a battery that is being emptied; None for any other."""
    if _text(battery / "status") != "Discharging":
        return None
    energy_uwh = _number(battery / "energy_now")
    return None if energy_uwh is None else energy_uwh * _JOULES_PER_MICROWATT_HOUR


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
