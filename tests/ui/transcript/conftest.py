"""The transcript by itself, on the screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptView


@pytest.fixture
def view(theme: Theme, qtbot: QtBot) -> Iterator[TranscriptView]:
    made = TranscriptView(theme)
    made.resize(900, 600)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.hide()
