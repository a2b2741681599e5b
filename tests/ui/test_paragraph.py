"""Wrapped text: enough height for its lines, and still a label to everyone else."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence, QMouseEvent
from PySide6.QtWidgets import QApplication
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


def test_a_name_without_a_break_is_wrapped_and_copied_whole(theme: Theme, qtbot: QtBot) -> None:
    name = "0123456789abcdef" * 4
    text = label(name, selectable=True)
    qtbot.addWidget(text)
    text.setFont(theme.font("body"))
    assert text.minimumSizeHint().width() < 200
    assert text.heightForWidth(200) >= 3 * theme.line_height("body")
    text.resize(200, text.heightForWidth(200))
    text.show()
    qtbot.waitExposed(text)
    text.setFocus()
    qtbot.mouseDClick(text, Qt.MouseButton.LeftButton, pos=QPoint(50, text.height() - 5))
    assert text.selection == name
    qtbot.keySequence(text, QKeySequence.StandardKey.Copy)
    assert QApplication.clipboard().text() == name


def test_what_is_dragged_over_is_selected(theme: Theme, qtbot: QtBot) -> None:
    text = label("one two\nthree", selectable=True)
    qtbot.addWidget(text)
    text.setFont(theme.font("body"))
    text.resize(300, text.heightForWidth(300))
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(text, left, pos=QPoint(0, 3))
    end = QPoint(299, text.height() - 3)
    moved = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(end),
        QPointF(end),
        left,
        left,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(text, moved)
    assert text.selection == "one two\nthree"
    text.setText("another")
    assert text.selection == ""
