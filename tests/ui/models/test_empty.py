"""A page with nothing in it says its whole sentence."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from lockhouse.ui.frame_parts import EmptyState
from lockhouse.ui.theme import Theme

WORDS = "A sentence that is far too long for one line of the page. " * 3


def test_no_line_of_the_sentence_is_cut(theme: Theme, qtbot: QtBot) -> None:
    state = EmptyState(theme, "download", "Nothing", "Short.")
    qtbot.addWidget(state)
    state.resize(900, 700)
    state.show()
    state.say("Nothing", WORDS)
    words = next(one for one in state.findChildren(QLabel) if one.text() == WORDS)
    qtbot.waitUntil(lambda: words.height() >= words.heightForWidth(words.width()))
    theme.set_scale(1.5)
    qtbot.waitUntil(lambda: words.height() >= words.heightForWidth(words.width()))
