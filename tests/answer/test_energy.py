"""What an answer used, from counters as Linux shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockhouse.answer.energy import EnergyMeter
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Finished
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.workspace import Workspace

RANGE_UJ = 262_143_328_850


class Clock:
    """Passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def zone(system: Path, name: str, called: str, energy_uj: int | None) -> Path:
    folder = system / "powercap" / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{called}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    if energy_uj is not None:
        (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder


def battery(system: Path, status: str, energy_uwh: int) -> Path:
    folder = system / "power_supply" / "BAT0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "type").write_text("Battery\n")
    (folder / "status").write_text(f"{status}\n")
    (folder / "energy_now").write_text(f"{energy_uwh}\n")
    return folder


def test_processors_and_their_memory_are_added_up(tmp_path: Path) -> None:
    first = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 1)
    memory = zone(tmp_path, "intel-rapl:0:2", "dram", 1_000_000)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 7_000_000)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:2", "psys", 9)
    meter = EnergyMeter(tmp_path)
    (first / "energy_uj").write_text("17500000\n")
    (memory / "energy_uj").write_text("2000000\n")
    (second / "energy_uj").write_text("7250000\n")
    assert meter.used_j() == 12.5 + 1.0 + 0.25


def test_a_counter_that_began_anew_goes_on(tmp_path: Path) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    meter = EnergyMeter(tmp_path)
    (folder / "energy_uj").write_text("2000000\n")
    assert meter.used_j() == 3.0


def test_no_figure_where_a_counter_may_have_begun_anew_twice(tmp_path: Path) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    clock = Clock()
    meter = EnergyMeter(tmp_path, clock=clock)
    (folder / "energy_uj").write_text("1000000\n")
    clock.now += 500.0
    assert meter.used_j() == 1.0
    clock.now += 100.0
    assert meter.used_j() is None


@pytest.mark.parametrize("hidden", ["intel-rapl:0", "intel-rapl:1"])
def test_no_figure_where_one_processor_cannot_be_read(tmp_path: Path, hidden: str) -> None:
    for number, name in enumerate(("intel-rapl:0", "intel-rapl:1")):
        zone(tmp_path, name, f"package-{number}", None if name == hidden else 1)
    assert EnergyMeter(tmp_path).used_j() is None


def test_a_battery_tells_when_enough_was_used(tmp_path: Path) -> None:
    battery(tmp_path, "Discharging", 50_000_000)
    meter = EnergyMeter(tmp_path)
    battery(tmp_path, "Discharging", 49_900_000)
    assert meter.used_j() is None  # 360 J: the gauge's steps are too large for that
    battery(tmp_path, "Discharging", 49_700_000)
    assert meter.used_j() == 1080.0


@pytest.mark.parametrize(("before", "after"), [("Charging", "Charging"), ("Discharging", "Full")])
def test_a_battery_that_is_not_emptied_tells_nothing(
    tmp_path: Path, before: str, after: str
) -> None:
    battery(tmp_path, before, 50_000_000)
    meter = EnergyMeter(tmp_path)
    battery(tmp_path, after, 49_000_000)
    assert meter.used_j() is None


def test_a_machine_without_counters_tells_nothing(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path).used_j() is None


def test_an_answer_tells_what_this_machine_does(workspace: Workspace) -> None:
    can_tell = EnergyMeter().used_j() is not None
    request = AnswerRequest((Turn("user", "Hello"),), max_tokens=4)
    end = list(workspace.targets.get("").answer(request, CancelToken()))[-1]
    assert isinstance(end, Finished)
    assert (end.energy_j is not None) is can_tell
