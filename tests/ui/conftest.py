"""One theme for the window's tests: light, nothing moves by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from lockhouse.ui.theme import Theme


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    made = Theme(qapp, choice="light", reduce_motion="on")
    yield made
    # Nothing may reach it any more while it is being taken apart.
    qapp.focusChanged.disconnect(made._move_ring)
    made.setParent(None)
    qapp.setStyleSheet("")
