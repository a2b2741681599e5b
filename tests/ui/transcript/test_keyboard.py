"""The transcript by keyboard, and as a screen reader tells it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptView
from lockhouse.ui.transcript.card import MessageCard
from lockhouse.ui.transcript.parts import TextPart
from tests.ui.transcript.reader import (
    answer,
    card_of,
    many,
    user,
)


def test_arrows_walk_from_message_to_message(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(many(40))
    view.activateWindow()
    view.setFocus()
    with qtbot.waitActive(view):
        view.activateWindow()
    QTest.keyClick(view, Qt.Key.Key_Up)
    focused = QApplication.focusWidget()
    assert isinstance(focused, MessageCard)
    assert focused.accessibleName().startswith("Answer from Model: Answer number 39")
    for _ in range(12):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Up)
    focused = QApplication.focusWidget()
    assert isinstance(focused, MessageCard)
    assert focused.item is not None
    assert focused.item.message.id == "m27"
    assert 0 <= focused.y() < view.height()
    QTest.keyClick(focused, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert view.selected_text().endswith("The end of answer 27.")


def test_tab_goes_through_what_is_on_screen_in_reading_order(theme: Theme, qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    before, view, after = QPushButton("before"), TranscriptView(theme), QPushButton("after")
    column = QVBoxLayout(window)
    for widget in (before, view, after):
        column.addWidget(widget)
    window.resize(900, 700)
    view.set_messages([user("q", "hi"), answer("a", "Hello\n\n```\ncode\n```")])
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    before.setFocus()
    names = []
    for _ in range(20):
        focus = QApplication.focusWidget()
        names.append(focus.accessibleName() or focus.text())  # type: ignore[attr-defined]
        if focus is after:
            break
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    assert names[:2] == ["before", "Conversation"]
    assert names[-1] == "after"
    inside = names[2:-1]
    assert inside[:2] == ["You: hi", "Copy message"]
    assert inside.index("Copy code") < inside.index("Copy answer") < inside.index("Details")
    QTest.keyClick(after, Qt.Key.Key_Backtab)
    assert QApplication.focusWidget() is not after


def test_finished_text_is_readable_by_a_screen_reader(view: TranscriptView) -> None:
    view.set_messages([answer("a", "A sentence. Another.\n\n- point\n\n```py\nx = 1\n```")])
    names = [p.accessibleName() for p in view.findChildren(TextPart) if p.isVisible()]
    assert names == ["A sentence. Another.", "• point", "x = 1"]


def test_an_answer_stopped_before_its_first_word_does_not_claim_to_have_kept_any(
    view: TranscriptView,
) -> None:
    view.set_messages([user("q", "hello"), answer("a", "", status="cancelled")])
    note = card_of(view, "a")._note
    assert note is not None
    assert "kept" not in note.accessibleName()
    shown = [each.objectName() for each in note.findChildren(QPushButton) if each.isVisible()]
    assert shown == ["note-regenerate"]
