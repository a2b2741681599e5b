"""Three models asked for at once, by three commands, on a machine with memory for one."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

from lockhouse import processes
from lockhouse.answer.local import LoadPlanner
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.library.fit import MARGIN_BYTES
from tests.cli.command import Command
from tests.planting import planted_python

SMALL_MACHINE = """
import json, pathlib, psutil
real = psutil.virtual_memory
def small():
    taken = 0
    for record in pathlib.Path(@RUN@).glob("*.json"):
        try:
            held = psutil.Process(json.loads(record.read_bytes())["pid"]).memory_info()
            taken += held.rss - held.shared
        except (psutil.Error, OSError, ValueError, KeyError):
            pass
    return real()._replace(total=@TOTAL@, available=max(0, @LIMIT@ - taken))
psutil.virtual_memory = small
"""


def test_three_models_asked_at_once_never_take_more_memory_than_there_is(
    tmp_path: Path, checked: Path, starter: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(checked, home / "cache")
    need = LoadPlanner(EngineCheckup(checked), starter)(
        EngineSpec(str(starter), "starter", LoadSettings(context_length=1024))
    ).memory_bytes
    plant = SMALL_MACHINE.replace("@RUN@", repr(str(home / "run")))
    plant = plant.replace("@LIMIT@", str(need + need // 2 + MARGIN_BYTES))
    plant = plant.replace("@TOTAL@", str(4 * need))
    python = planted_python(tmp_path / "plant", sitecustomize=plant)
    command = Command(home, {**os.environ, "LOCKHOUSE_THREADS": "1"}, python)
    for number in range(3):
        (tmp_path / f"{number}.gguf").write_bytes(starter.read_bytes() + bytes(number + 1))
    asked = [
        command.start("ask", "-m", str(tmp_path / f"{number}.gguf"), "--ctx", "1024",
                      "--max-tokens", "150", "Tell a story.", "--json")
        for number in range(3)
    ]  # fmt: skip
    most = 0
    while any(one.poll() is None for one in asked):
        most = max(most, sum(map(runs, (home / "run").glob("*.json"))))
        threading.Event().wait(0.02)
    outcomes = [(one.communicate()[0], one.returncode) for one in asked]
    command.end_engines()
    assert most == 1
    codes = sorted(code for _, code in outcomes)
    assert codes[0] == 0
    assert set(codes) <= {0, 5}, outcomes
    for out, code in outcomes:
        if code == 5:
            assert json.loads(out)["error"]["code"] == "out_of_memory"


def runs(record: Path) -> bool:
    """Whether the engine on record is there."""
    try:
        stored = json.loads(record.read_bytes())
        return processes.is_alive(stored["pid"], stored["birth"])
    except (OSError, ValueError, KeyError):
        return False
