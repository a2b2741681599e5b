"""What a reader does with a message: its actions, editing, ways on."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
)
from pytestqt.qtbot import QtBot

from lockhouse.ui.transcript import TranscriptAction, TranscriptView
from lockhouse.ui.transcript.edit_box import EditBox
from tests.ui.transcript.reader import (
    answer,
    button,
    card_of,
    many,
    user,
)


def test_actions_of_the_newest_answer_are_shown_and_asked_for(
    view: TranscriptView, qtbot: QtBot
) -> None:
    view.set_messages([user("q", "hi"), answer("a", "**Hello**", version_index=2, version_count=3)])
    card = card_of(view, "a")
    for kind in ("regenerate", "previous_version", "next_version", "branch", "continue", "details"):
        with qtbot.waitSignal(view.action_requested) as asked:
            qtbot.mouseClick(button(card, f"action-{kind}"), Qt.MouseButton.LeftButton)
        assert asked.args == [TranscriptAction("a", kind)]  # type: ignore[arg-type]
    qtbot.mouseClick(button(card, "action-copy"), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "**Hello**"
    assert button(card, "action-copy").accessibleName() == "Copied"
    qtbot.waitUntil(lambda: button(card, "action-copy").accessibleName() == "Copy answer")
    assert all(b.accessibleName() for b in card.findChildren(QAbstractButton))


def test_actions_of_a_question_appear_with_the_pointer(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user("q", "hi"), answer("a", "Hello")])
    card = card_of(view, "q")
    height = card.height()
    QTest.mouseMove(card, QPoint(300, 30))
    qtbot.waitUntil(lambda: card.findChild(QAbstractButton, "action-edit") is not None)
    assert button(card, "action-edit").isVisible()
    assert card.findChild(QAbstractButton, "action-regenerate").isHidden()
    assert card.height() == height  # nothing jumps


def test_editing_in_place(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user("q", "first words"), answer("a", "Hello")])
    card = card_of(view, "q")
    card.action.emit("edit")
    box = card.findChild(EditBox)
    assert box.editor.toPlainText() == "first words"
    box.editor.setPlainText("other words")
    with qtbot.waitSignal(view.action_requested) as asked:
        qtbot.mouseClick(button(box, "edit-send"), Qt.MouseButton.LeftButton)
    assert asked.args == [TranscriptAction("q", "edit", "other words", send=True)]
    assert card.edit_box is None

    answered = card_of(view, "a")
    answered.action.emit("edit")
    editing = answered.edit_box
    assert editing is not None
    assert button(editing, "edit-send").isHidden()
    with qtbot.assertNotEmitted(view.action_requested):
        qtbot.keyClick(editing.editor, Qt.Key.Key_Escape)
    assert answered.edit_box is None


def test_an_edit_is_not_lost_by_scrolling_away(view: TranscriptView) -> None:
    view.set_messages(many(200))
    view.scroll_to("m0")
    card = card_of(view, "m0")
    card.action.emit("edit")
    assert card.edit_box is not None
    card.edit_box.editor.setPlainText("half written")
    view.jump_to_latest()
    view.scroll_to("m0")
    again = card_of(view, "m0").edit_box
    assert again is not None
    assert again.text() == "half written"


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ("cut", ["continue", "regenerate"]),
        ("cancelled", ["continue", "regenerate"]),
        ("failed", ["continue", "regenerate", "retry_safer"]),
    ],
)
def test_an_unfinished_answer_says_so_and_offers_ways_on(
    view: TranscriptView, qtbot: QtBot, status: str, kinds: list[str]
) -> None:
    view.set_messages([answer("a", "Half", status=status, retry_safer=status == "failed")])
    card = card_of(view, "a")
    for kind in kinds:
        with qtbot.waitSignal(view.action_requested) as asked:
            qtbot.mouseClick(button(card, f"note-{kind}"), Qt.MouseButton.LeftButton)
        assert asked.args[0].kind == kind
