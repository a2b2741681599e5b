"""Work that takes long, or never ends, holds up nothing else in the window."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockhouse.gate import broker_launch
from lockhouse.gate.network import Network
from lockhouse.library.starter import starter_model
from lockhouse.places import paths_for
from lockhouse.ui.chat.palette import Palette
from lockhouse.ui.models.controller import CheckProgress
from lockhouse.workspace import Workspace
from tests.hub.content import Blob, Fault
from tests.hub.server import HubServer
from tests.ui.window.driving import OpenWindow, Window

if sys.platform == "win32":
    pytest.skip("named pipes and stopped processes are those of Unix", allow_module_level=True)

HUGE = 200 << 30  # a hole in a file: it takes no room, and minutes to read
CHECKS = 4
RESCUE_S = 15.0
REPO = "friends/Tiny-135M-GGUF"
FILE = "Tiny-135M-Q4_1.gguf"


@pytest.fixture
def slow_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub whose one file comes a little at a time."""
    starter = starter_model()
    assert starter is not None
    blob = Blob(starter.read_bytes() + b"\0")
    blob.faults.append(Fault("drip", at=1_000_000, length=200_000, times=-1))
    with HubServer() as server:
        server.add(REPO, {FILE: blob}, downloads=12_000)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def hub_home(home: Path, slow_hub: HubServer) -> Iterator[Path]:
    """A home whose network is open to that hub, with the broker that a start brings."""
    paths = paths_for(home)
    Network(paths.network).open(slow_hub.hosts, endpoint=slow_hub.url)
    broker_launch.start_broker(paths.network, paths.run, paths.logs)
    yield home
    for channel in broker_launch._started:
        channel.close()
    broker_launch._started.clear()


def _import_huge(workspace: Workspace, folder: Path) -> None:
    starter = starter_model()
    assert starter is not None
    folder.mkdir()
    for number in range(CHECKS):
        path = folder / f"Huge-{number}-Q4_1.gguf"
        shutil.copyfile(starter, path)
        os.truncate(path, HUGE + number)
        workspace.models.import_files([path])


@contextmanager
def _four_checks(window: Window) -> Iterator[list[CheckProgress]]:
    """Meanwhile four models are checked; gives the checks that ended."""
    models = window.app.models
    ended: list[CheckProgress] = []
    models.checked.connect(lambda check: ended.append(check) if check.outcome else None)
    huge = [model.name for model in models.installed.models if not model.included]
    assert len(huge) == CHECKS
    try:
        for name in huge:
            models.verify(name)
        yield ended
    finally:
        for name in huge:
            models.cancel_check(name)
    window.until(lambda: len(ended) == CHECKS)


def test_seal_now_seals_while_four_models_are_being_checked(
    open_window: OpenWindow, open_home: Path, tmp_path: Path
) -> None:
    window = open_window(open_home, prepare=lambda ws: _import_huge(ws, tmp_path / "huge"))
    window.until(lambda: window.app.network.view.is_open)
    with _four_checks(window) as ended:
        window.main.show_page("gate")
        window.press("gate_seal")
        window.until(lambda: not window.app.network.view.is_open)
        assert not window.workspace.gate.state.is_open
        assert not ended


def test_search_finds_a_message_while_four_models_are_being_checked(
    open_window: OpenWindow, home: Path, tmp_path: Path
) -> None:
    def prepare(workspace: Workspace) -> None:
        made = workspace.conversations.create(title="Rivers")
        workspace.conversations.add_user(made.id, "Why do they meander?", parent_id=None)
        _import_huge(workspace, tmp_path / "huge")

    window = open_window(home, prepare=prepare)
    with _four_checks(window) as ended:
        window.main.show_palette()
        palette = window.dialog("palette")
        assert isinstance(palette, Palette)
        window.qtbot.keyClicks(palette.edit, "meander")
        window.until(lambda: any("\x02" in line.detail for line in palette.model.lines))
        assert not ended
        palette.close()


def test_the_window_closes_though_the_process_that_downloads_hangs(
    open_window: OpenWindow, hub_home: Path
) -> None:
    window = open_window(hub_home)
    window.until(lambda: window.app.network.view.is_open)
    repo = window.workspace.hub.repo(REPO)
    transfers = window.app.transfers
    transfers.change(lambda queue: queue.add(repo, repo.files, label="Q4_1"))
    window.until(lambda: bool(transfers.transfers) and transfers.transfers[0].done_bytes > 0)
    broker = broker_launch._started[-1].broker_pid
    rescued = threading.Event()

    def rescue() -> None:
        rescued.set()
        os.kill(broker, signal.SIGCONT)

    timer = threading.Timer(RESCUE_S, rescue)
    os.kill(broker, signal.SIGSTOP)
    try:
        transfers.set_limit(50_000)
        window.until(lambda: transfers.limit_bytes_per_s == 50_000)
        window.stored()
        timer.start()
        window.main.close()
        assert not rescued.is_set(), "the window waited for the process that hangs"
    finally:
        timer.cancel()
        os.kill(broker, signal.SIGCONT)
