"""The whole window, over homes with network access to loopback providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockhouse.gate import broker_launch
from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider
from lockhouse.places import paths_for
from tests.remote.server import RemoteServer
from tests.ui.window.conftest import checked_cache, home, nobody_else, open_window
from tests.ui.window.driving import OpenWindow, Window

__all__ = ["checked_cache", "home", "nobody_else", "open_window"]

KEY = "sk-good-0123456789"


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's keyring is touched: keys are held for a session only."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer("openai") as made:
        yield made


def office(*servers: RemoteServer) -> Provider:
    """A server of one's own, or several equal ones."""
    return Provider(
        "office", "Office", "openai", "lan", tuple(one.endpoint for one in servers), key="optional"
    )


@pytest.fixture
def start_open(
    open_window: OpenWindow, home: Path
) -> Iterator[Callable[[tuple[str, ...], tuple[Provider, ...]], Window]]:
    """Start a window whose home is open to these hosts, with the broker that a start brings."""

    def start(hosts: tuple[str, ...], providers: tuple[Provider, ...] = ()) -> Window:
        paths = paths_for(home)
        Network(paths.network).open((), lan_hosts=hosts)
        broker_launch.start_broker(paths.network, paths.run, paths.logs)

        def prepare(workspace: object) -> None:
            for provider in providers:
                workspace.providers.add(provider)  # type: ignore[attr-defined] # a Workspace

        return open_window(home, prepare=prepare)

    yield start
    for channel in broker_launch._started:
        channel.close()
    broker_launch._started.clear()


@pytest.fixture
def window_of_a_home(open_window: OpenWindow, home: Path) -> Window:
    """A first start, sealed."""
    return open_window(home)
