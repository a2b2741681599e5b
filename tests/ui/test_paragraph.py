"""Wrapped text: enough height for its lines, and still a label to everyone else."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from lockhouse.ui.frame_parts import label
from lockhouse.ui.paragraph import Paragraph
from lockhouse.ui.theme import Theme

WORDS = "Your chats are kept on this machine only, and nowhere else. " * 4


def test_it_is_as_high_as_its_lines(theme: Theme, qtbot: QtBot) -> None:
    text = label(WORDS, wrap=True)
    qtbot.addWidget(text)
    text.setFont(theme.font("body"))
    assert isinstance(text, Paragraph)
    line = theme.line_height("body")
    wide, narrow = text.heightForWidth(2000), text.heightForWidth(200)
    assert wide == line
    assert narrow % line == 0
    assert narrow >= 6 * line


def test_breaks_in_the_text_are_kept(theme: Theme, qtbot: QtBot) -> None:
    text = label("one\ntwo\nthree", wrap=True)
    qtbot.addWidget(text)
    text.setFont(theme.font("body"))
    assert text.heightForWidth(500) == 3 * theme.line_height("body")


def test_it_never_reads_markup(theme: Theme, qtbot: QtBot) -> None:
    text = label("<b>bold</b><img src='http://x'>", wrap=True)
    qtbot.addWidget(text)
    assert text.text().startswith("<b>")
    text.resize(300, 60)
    assert not text.grab().isNull()
