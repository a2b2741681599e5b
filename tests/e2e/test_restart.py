"""After allowing network access the window starts again by itself, in the same chat."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lockhouse import processes
from lockhouse.gate.network import Network
from lockhouse.gate.running_brokers import Brokers
from lockhouse.places import paths_for
from tests.e2e.restart_session import DRAFT, HOST

ROOT = Path(__file__).parents[2]
WAIT_S = 120
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sealed windows are Linux's")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("ends", ["", "quit"])
def test_the_window_restarts_with_network_access_and_its_draft(tmp_path: Path, ends: str) -> None:
    home = tmp_path / "home"
    first = subprocess.run(
        [sys.executable, "-m", "tests.e2e.restart_session", "--home", str(home), ends],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": f"{ROOT / 'app'}:{ROOT}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=WAIT_S,
        check=False,
    )
    assert first.returncode == 0
    paths = paths_for(home)
    network = Network(paths.network)
    assert network.state().all_hosts == (HOST,)
    brokers = Brokers(paths.run)
    give_up_at = time.monotonic() + WAIT_S
    while not brokers.list() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    (broker,) = brokers.list()  # of the window that was started in its place
    state = paths.settings.with_name("window.json")
    assert json.loads(state.read_text())["draft"] == DRAFT
    os.kill(broker.launcher_pid, signal.SIGTERM)
    while processes.exists(broker.launcher_pid) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not processes.exists(broker.launcher_pid)
    assert json.loads(state.read_text())["draft"] == DRAFT
    assert network.state().is_open is (ends == "")  # until it is sealed, or until that window ended


@pytest.mark.timeout(200)
def test_what_waits_to_restart_a_window_ends_with_it(tmp_path: Path) -> None:
    """Also where the window is killed: nothing unsealed is left behind."""
    window = subprocess.Popen(
        [sys.executable, "-m", "lockhouse", "--home", str(tmp_path / "home")],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    give_up_at = time.monotonic() + WAIT_S
    here = psutil.Process(window.pid)
    while time.monotonic() < give_up_at and not here.children():
        time.sleep(0.02)
    (waiting, *_) = here.children()
    started = waiting.create_time()
    window.kill()
    window.wait()
    while time.monotonic() < give_up_at and _runs(waiting.pid, started):
        time.sleep(0.02)
    assert not _runs(waiting.pid, started)


def _runs(pid: int, started: float) -> bool:
    try:
        found = psutil.Process(pid)
        return found.create_time() == started and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
