"""The status bar: what is shown when there is little room."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from lockhouse.ui.machine_monitor import MachineState
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.status_bar import StatusBar
from lockhouse.ui.theme import Theme

HOSTS = ("api.openai.com:443", "api.anthropic.com:443")


def _visible(bar: StatusBar, name: str) -> QWidget:
    found = bar.findChild(QWidget, name)
    assert found is not None
    return found


@pytest.mark.parametrize("width", [1280, 900, 700, 640])
def test_the_seal_is_whole_beside_model_download_and_speed(
    theme: Theme, qtbot: QtBot, width: int
) -> None:
    bar = StatusBar(theme, "kernel")
    qtbot.addWidget(bar)
    bar.resize(width, 28)
    bar.show()
    bar.show_downloads("2 downloads, 45 %, 12 min left")
    bar.show_machine(MachineState((), 14_200_000_000, 32_000_000_000))
    bar.show_network(NetworkView(way="open", hosts=HOSTS, bytes_out=123_456))
    QApplication.processEvents()
    seal = _visible(bar, "seal")
    assert isinstance(seal, QPushButton)
    assert seal.text().startswith("Open to api.openai.com and 1 more")
    assert seal.width() >= seal.sizeHint().width()
    assert seal.geometry().right() < bar.width()
    for name in ("loaded_model", "downloads", "memory_meter"):
        part = _visible(bar, name)
        if part.isVisible():
            assert part.width() >= part.sizeHint().width(), name


def test_memory_is_the_first_to_go(theme: Theme, qtbot: QtBot) -> None:
    bar = StatusBar(theme, "kernel")
    qtbot.addWidget(bar)
    bar.show()
    bar.show_downloads("2 downloads, 45 %, 12 min left")
    bar.show_machine(MachineState((), 14_200_000_000, 32_000_000_000))
    bar.resize(1280, 28)
    assert _visible(bar, "memory_meter").isVisible()
    bar.resize(600, 28)
    assert not _visible(bar, "memory_meter").isVisible()
    assert _visible(bar, "downloads").isVisible()
    bar.resize(1280, 28)
    assert _visible(bar, "memory_meter").isVisible()
