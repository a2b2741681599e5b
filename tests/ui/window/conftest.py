"""The whole window over a real workspace, driven through its widgets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lockhouse.gate import broker_launch
from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider
from lockhouse.ui.app import build
from lockhouse.ui.pages import PAGES, PageEntry
from lockhouse.ui.theme import Theme
from lockhouse.workspace import Workspace, open_workspace, paths_for
from tests.remote.replies import Reply
from tests.remote.server import RemoteServer
from tests.ui.window.driving import OpenWindow, Window, close
from tests.ui.window.remote_chat import CLOUD


@pytest.fixture(scope="session")
def checked_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verdict on the engine, found once for all homes."""
    from lockhouse.engine.checkup import EngineCheckup
    from lockhouse.library.starter import starter_model

    folder = tmp_path_factory.mktemp("checkup")
    starter = starter_model()
    assert starter is not None
    EngineCheckup(folder).require(starter)
    return folder


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all tests that only need answers: its engine is loaded once."""
    home = tmp_path_factory.mktemp("home") / "shared"
    yield home
    workspace = open_workspace(home)
    workspace.engines.stop()
    workspace.close()


@pytest.fixture(autouse=True)
def nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder without other programs' models, whoever runs the tests."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def open_window(qtbot: QtBot, theme: Theme, checked_cache: Path) -> Iterator[OpenWindow]:
    """Open a window on a home; several may follow each other."""
    opened: list[Window] = []

    def make(
        home: Path,
        *,
        prepare: Callable[[Workspace], None] | None = None,
        pages: Sequence[PageEntry] = PAGES,
    ) -> Window:
        cache = home / "cache"
        if not cache.exists():
            shutil.copytree(checked_cache, cache)
        workspace = open_workspace(home)
        if prepare is not None:
            prepare(workspace)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        app = build(application, theme, workspace, pages)
        window = Window(app, workspace, qtbot)
        opened.append(window)
        app.window.show()
        qtbot.waitExposed(app.window)
        app.start()
        window.until(lambda: app.is_usable)
        window.stored()
        return window

    yield make
    for window in opened:
        close(window)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home of the test's own. Its engine, if one was started, ends with the test."""
    folder = tmp_path / "home"
    yield folder
    if (folder / "run").exists():
        workspace = open_workspace(folder)
        workspace.engines.stop()
        workspace.close()


@pytest.fixture
def window(open_window: OpenWindow, home: Path) -> Window:
    """A first start."""
    return open_window(home)


@pytest.fixture
def answering(open_window: OpenWindow, shared_home: Path) -> Window:
    """A window whose model is loaded already, on a new chat."""

    def brief(workspace: Workspace) -> None:
        workspace.save_settings(temperature=0.0, answer_max_tokens=24)

    made = open_window(shared_home, prepare=brief)
    made.page.new_chat()
    return made


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer(reply=Reply(pieces=("Grüße", " from", " elsewhere."))) as running:
        yield running


@pytest.fixture
def open_home(home: Path, server: RemoteServer) -> Iterator[Path]:
    """A home that is open for the loopback provider and nobody else."""
    paths = paths_for(home)
    Network(paths.network).open([server.host])
    broker_launch.start_broker(paths.network, paths.run, paths.logs)
    yield home
    for channel in broker_launch._started:
        channel.close()
    broker_launch._started.clear()


@pytest.fixture
def cloud(open_window: OpenWindow, open_home: Path, server: RemoteServer) -> Window:
    """A window that knows the provider as an API that takes no key."""

    def prepare(workspace: Workspace) -> None:
        workspace.save_settings(temperature=0.0, answer_max_tokens=24)
        workspace.providers.add(
            Provider("cloudy", "Cloudy", "openai", "cloud", (server.endpoint,), key="none")
        )
        workspace.providers.choose("cloudy", "large")

    window = open_window(open_home, prepare=prepare)
    window.until(lambda: window.app.targets.find(CLOUD) is not None)
    window.until(lambda: window.app.network.view.is_open)
    window.page.new_chat()
    return window
