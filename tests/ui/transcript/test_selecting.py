"""Selecting and finding, over blocks and messages."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from lockhouse.ui.transcript import TranscriptView
from tests.ui.transcript.reader import (
    answer,
    card_of,
    drag,
    leaf_with,
    many,
    stream,
    user,
)

# selecting


def test_a_selection_goes_over_blocks_and_messages(view: TranscriptView) -> None:
    view.set_messages(
        [
            user("q", "the question"),
            answer("a", "First.\n\n- point\n\n```\ncode()\n```\n\nLast words."),
        ]
    )
    start, end = leaf_with(view, "the question"), leaf_with(view, "Last words.")
    drag(view, (start, 4), (end, 4))
    assert view.selected_text() == "question\n\nFirst.\n\n• point\n\ncode()\n\nLast"
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == view.selected_text()
    drag(view, (end, 4), (start, 4))  # backwards is the same
    assert view.selected_text().startswith("question")


def test_double_and_triple_click(view: TranscriptView) -> None:
    view.set_messages([answer("a", "some plain words here")])
    part = leaf_with(view, "plain")
    box = part.content.rect_of(6).center().toPoint()
    QTest.mouseClick(part, Qt.MouseButton.LeftButton, pos=box)
    QTest.mouseDClick(part, Qt.MouseButton.LeftButton, pos=box)
    assert view.selected_text() == "plain"
    QTest.mouseClick(part, Qt.MouseButton.LeftButton, pos=box)
    assert view.selected_text() == "some plain words here"


def test_selecting_while_it_streams_is_not_disturbed(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(many(6))
    view.begin_stream(answer("a", "", status="streaming"))
    stream(view, qtbot, "a", "These words stay selected.\n\nmore", "more")
    part = leaf_with(view, "These words")
    drag(view, (part, 6), (part, 11))
    assert view.selected_text() == "words"
    stream(view, qtbot, "a", " and more " * 100 + "\n\nfinally", "finally")
    assert view.selected_text() == "words"
    assert leaf_with(view, "These words").selection == (6, 11)


def test_everything_selected_copies_messages_that_are_not_on_screen(view: TranscriptView) -> None:
    view.set_messages(many(60))
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    text = view.selected_text()
    assert text.startswith("question 0\n\nAnswer number 1.\n\n• one\n• two")
    assert text.endswith("The end of answer 59.")


def test_the_button_by_a_selection_leaves_the_name_of_who_answered_free(
    view: TranscriptView,
) -> None:
    view.set_messages([user("q", "the question"), answer("a", "First.\n\nLast words.")])
    view.offers_selection = True
    part = leaf_with(view, "the question")
    drag(view, (part, 0), (part, 6))
    ask = view.findChild(QPushButton, "ask-selection")
    assert ask.isVisible()
    assert not ask.geometry().intersects(card_of(view, "a").name_line())


# finding


def test_finding_counts_everywhere_and_walks(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([*many(300), answer("n", "The needle, a **needle** and `needle`.")])
    view.append_message(user("end", "done"))
    assert view.find("NEEDLE") == 3
    assert view.find("answer number 7") == 6  # 7, 71, 73, 75, 77, 79
    assert view.find("needle") == 3
    view.scroll_to("m10")
    with qtbot.waitSignal(view.find_moved) as moved:
        view.find_next()
    assert moved.args == [1, 3]
    part = leaf_with(view, "needle")
    assert [mark.current for mark in part.marks] == [True, False, False]
    view.find_previous()
    assert [mark.current for mark in part.marks] == [False, False, True]
    view.clear_find()
    assert not part.marks


def test_going_to_a_message_shows_the_words_that_were_found(view: TranscriptView) -> None:
    view.set_messages(many(300))
    view.scroll_to("m101", highlight="end of answer 101")
    part = leaf_with(view, "end of answer 101")
    assert part.marks
    assert 0 <= part.mapTo(view.viewport(), QPoint(0, 0)).y() < view.height()
