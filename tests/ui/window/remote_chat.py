"""A window that knows an API at a real broker: what a person does to send something there."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from lockhouse.ui.chat.target_picker import TargetPopup
from lockhouse.ui.outbound.sheet import OutboundSheet
from lockhouse.ui.transcript.values import TranscriptAction
from tests.ui.window.driving import Window

CLOUD = "cloudy/large"
offscreen_popups = pytest.mark.qt_log_ignore("This plugin does not support")


def act(window: Window, kind: str, message_id: str, text: str = "") -> None:
    action = TranscriptAction(message_id, kind, text)  # type: ignore[arg-type]
    window.page.transcript.action_requested.emit(action)


def sheet_of(window: Window) -> OutboundSheet:
    """The sheet, once it shows what would leave."""
    sheet = window.dialog("outbound_sheet")
    assert isinstance(sheet, OutboundSheet)
    window.until(lambda: sheet.shown is not None)
    return sheet


def choose_cloud(window: Window) -> None:
    window.page.next_target.choose(CLOUD)
    window.stored()


def pick_cloud(window: Window) -> None:
    """Take the first one of the list that opened."""
    popup = window.page.findChild(TargetPopup)
    assert popup is not None
    window.qtbot.keyClick(popup.edit, Qt.Key.Key_Return)
