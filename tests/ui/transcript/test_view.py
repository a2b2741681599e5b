"""The transcript as a reader meets it: streaming, staying in place, selecting, acting, finding."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QTextDocument, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptAction, TranscriptMessage, TranscriptView
from lockhouse.ui.transcript.card import MessageCard
from lockhouse.ui.transcript.documents import SealedDocument
from lockhouse.ui.transcript.editing import EditBox
from lockhouse.ui.transcript.parts import CodePart, TextPart, save_text
from lockhouse.ui.transcript.reasoning import ReasoningBox


def user(message_id: str, text: str) -> TranscriptMessage:
    return TranscriptMessage(id=message_id, role="user", text=text)


def answer(message_id: str, text: str, **more: object) -> TranscriptMessage:
    made = TranscriptMessage(id=message_id, role="assistant", text=text, header_name="Model")
    return replace(made, **more)  # type: ignore[arg-type]


def many(count: int) -> list[TranscriptMessage]:
    return [
        user(f"m{i}", f"question {i}")
        if i % 2 == 0
        else answer(f"m{i}", f"Answer number {i}.\n\n- one\n- two\n\nThe end of answer {i}.")
        for i in range(count)
    ]


@pytest.fixture
def view(theme: Theme, qtbot: QtBot) -> Iterator[TranscriptView]:
    made = TranscriptView(theme)
    made.resize(900, 600)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.hide()


def cards(view: TranscriptView) -> list[MessageCard]:
    found = [c for c in view.viewport().findChildren(MessageCard) if not c.isHidden()]
    return sorted(found, key=lambda card: card.y())


def card_of(view: TranscriptView, message_id: str) -> MessageCard:
    return next(c for c in cards(view) if c.item is not None and c.item.message.id == message_id)


def leaf_with(view: TranscriptView, text: str) -> TextPart:
    return next(
        part
        for part in view.viewport().findChildren(TextPart)
        if part.isVisible() and text in part.content.raw_text()
    )


def button(root: QWidget, name: str) -> QAbstractButton:
    found = root.findChild(QAbstractButton, name)
    assert isinstance(found, QAbstractButton)
    return found


def drag(view: TranscriptView, start: tuple[TextPart, int], end: tuple[TextPart, int]) -> None:
    """Press at one character, move to another, release: with real mouse events."""
    places = []
    for part, position in (start, end):
        box = part.content.rect_of(position)
        places.append(
            part.mapTo(view.viewport(), QPoint(int(box.left()) + 1, int(box.center().y())))
        )
    first = view.viewport().childAt(places[0])
    assert first is not None
    QTest.mousePress(
        first, Qt.MouseButton.LeftButton, pos=first.mapFrom(view.viewport(), places[0])
    )
    for place in places:
        QTest.mouseMove(first, first.mapFrom(view.viewport(), place))
    QTest.mouseRelease(
        first, Qt.MouseButton.LeftButton, pos=first.mapFrom(view.viewport(), places[1])
    )


def stream(view: TranscriptView, qtbot: QtBot, message_id: str, text: str, shown: str) -> None:
    for start in range(0, len(text), 7):
        view.feed(message_id, text=text[start : start + 7])
    qtbot.waitUntil(lambda: any(shown in p.content.raw_text() for p in view.findChildren(TextPart)))


# scale and place


def test_ten_thousand_messages_need_only_a_few_cards(view: TranscriptView) -> None:
    view.set_messages(many(10_000))
    assert len(view.viewport().findChildren(MessageCard)) < 30
    assert card_of(view, "m9999").isVisible()
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    QApplication.processEvents()
    assert len(view.viewport().findChildren(MessageCard)) < 40
    assert cards(view)[0].item is not None


def test_cards_are_one_below_the_other_without_a_gap(view: TranscriptView) -> None:
    view.set_messages(many(50))
    view.verticalScrollBar().setValue(900)
    QApplication.processEvents()
    shown = [c for c in cards(view) if c.y() + c.height() > 0 and c.y() < view.height()]
    assert len(shown) > 3
    assert shown[0].y() <= 0
    assert shown[-1].y() + shown[-1].height() >= view.height()
    for above, below in itertools.pairwise(shown):
        assert abs(above.y() + above.height() - below.y()) <= 1


def test_it_follows_the_end_while_the_reader_is_there(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(many(20))
    view.begin_stream(answer("new", "", status="streaming"))
    stream(view, qtbot, "new", "word " * 600 + "last-word", "last-word")
    bar = view.verticalScrollBar()
    assert view.is_at_end()
    assert bar.value() == bar.maximum()
    assert not view.findChild(QPushButton, "jump-to-latest").isVisible()


def test_a_reader_who_scrolled_up_is_not_moved(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(many(40))
    view.begin_stream(answer("new", "start", status="streaming"))
    wheel = QWheelEvent(
        QPointF(400, 300), view.mapToGlobal(QPointF(400, 300)), QPoint(), QPoint(0, 2400),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,  # noqa: FBT003
    )  # fmt: skip
    QApplication.sendEvent(view.viewport(), wheel)
    top = next(c for c in cards(view) if c.y() + c.height() > 0)
    assert top.item is not None
    before = (top.item.message.id, top.y())
    view.feed("new", text="word " * 800)
    qtbot.waitUntil(lambda: view._frame.isActive() is False and not view._queue)
    assert (top.item.message.id, top.y()) == before
    assert not view.is_at_end()
    jump = view.findChild(QPushButton, "jump-to-latest")
    assert jump.isVisible()
    qtbot.mouseClick(jump, Qt.MouseButton.LeftButton)
    assert view.is_at_end()
    assert not jump.isVisible()


def test_resizing_keeps_the_line_the_reader_was_at(view: TranscriptView) -> None:
    view.set_messages(many(200))
    view.scroll_to("m100")
    assert card_of(view, "m100").y() == 0
    view.resize(520, 600)
    QApplication.processEvents()
    assert card_of(view, "m100").y() == 0


def test_truncating_and_removing(view: TranscriptView) -> None:
    view.set_messages(many(30))
    view.truncate_after("m9")
    view.remove_message("m5")
    assert [m.id for m in view.messages()] == [f"m{i}" for i in range(10) if i != 5]
    view.append_message(user("after", "after"))
    assert card_of(view, "after").isVisible()


def test_switching_the_theme_redraws_what_is_on_screen(view: TranscriptView, theme: Theme) -> None:
    view.set_messages([answer("a", "plain words")])
    before = view.grab().toImage()
    theme.set_choice("dark")
    QApplication.processEvents()
    after = view.grab().toImage()
    assert before != after


# streaming


def test_what_is_streamed_ends_as_what_is_stored(view: TranscriptView, qtbot: QtBot) -> None:
    text = (
        "# Title\n\nSome **bold** words.\n\n```python\nprint(1)\n```\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd."
    )
    live = answer("a", "", status="streaming")
    view.set_messages([user("q", "hello")])
    view.begin_stream(live)
    stream(view, qtbot, "a", text, "End.")
    streamed = [(p.y(), p.content.raw_text()) for p in visible_leaves(view, "a")]
    view.end_stream(replace(live, status="complete", text=text, stats=("3 tokens",)))
    stored = [(p.y(), p.content.raw_text()) for p in visible_leaves(view, "a")]
    view.set_messages([user("q", "hello"), answer("a", text)])
    fresh = [p.content.raw_text() for p in visible_leaves(view, "a")]
    assert streamed == stored
    assert [text for _, text in stored] == fresh


def visible_leaves(view: TranscriptView, message_id: str) -> list[TextPart]:
    return list(card_of(view, message_id).leaves().values())


def test_an_answer_that_is_continued_grows_where_it_stands(
    view: TranscriptView, qtbot: QtBot
) -> None:
    stopped = answer("a", "It began", status="cancelled")
    view.set_messages([user("q", "hello"), stopped])
    view.begin_stream(replace(stopped, status="streaming"))
    stream(view, qtbot, "a", " and went on.\n\nTo the end.", "To the end.")
    view.update_message(replace(stopped, status="streaming"))  # what is stored lags behind
    shown = [part.content.raw_text() for part in visible_leaves(view, "a")]
    assert shown == ["It began and went on.", "To the end."]
    view.end_stream(answer("a", "It began and went on.\n\nTo the end."))
    assert [part.content.raw_text() for part in visible_leaves(view, "a")] == shown


def test_closed_blocks_are_not_filled_again(view: TranscriptView, qtbot: QtBot) -> None:
    view.begin_stream(answer("a", "", status="streaming"))
    stream(view, qtbot, "a", "First paragraph.\n\nSecond one", "Second one")
    first = leaf_with(view, "First paragraph.")
    revision = first.content.document.revision()
    stream(view, qtbot, "a", " goes on.\n\nThird.", "Third.")
    assert first.content.document.revision() == revision
    assert first.isVisible()


def test_waiting_says_what_for(view: TranscriptView, qtbot: QtBot) -> None:
    view.begin_stream(answer("a", "", status="streaming"))

    def spoken() -> list[str]:
        return [
            w.accessibleName() for w in card_of(view, "a").findChildren(QWidget) if w.isVisible()
        ]

    assert "Waiting for the model" in spoken()
    view.set_progress("a", "loading", 45, 100)
    qtbot.waitUntil(lambda: "Loading the model, 45 %" in spoken())
    view.set_progress("a", "prompt", 512, 2048)
    qtbot.waitUntil(lambda: "Reading the prompt, 512 of 2,048 tokens" in spoken())
    view.feed("a", text="Hello")
    qtbot.waitUntil(lambda: not any("Reading" in words for words in spoken()))


def test_reasoning_is_folded_opens_and_can_be_cut_short(view: TranscriptView, qtbot: QtBot) -> None:
    view.begin_stream(answer("a", "", status="streaming"))
    view.feed("a", reasoning="First thought.\nSecond thought.")
    qtbot.waitUntil(lambda: bool(view.findChildren(ReasoningBox)))
    box = view.findChild(ReasoningBox)
    assert box.accessibleName().startswith("Thinking")
    assert not box.body.isVisible()
    folded = box.height()
    with qtbot.waitSignal(view.action_requested) as asked:
        qtbot.mouseClick(box.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert asked.args == [TranscriptAction("a", "answer_now")]
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(200, 10))
    assert box.body.isVisible()
    assert box.height() > folded
    view.end_stream(answer("a", "So.", reasoning="First thought.", reasoning_seconds=65.0))
    assert box.accessibleName() == "Thought for 1 min 5 s. Hide reasoning"
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert not box.body.isVisible()


# actions


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


# keyboard and screen readers


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


# nothing leaves, nothing breaks


def test_documents_load_nothing() -> None:
    document = SealedDocument()
    kinds = QTextDocument.ResourceType
    for kind in (kinds.ImageResource, kinds.StyleSheetResource, kinds.HtmlResource):
        assert document.loadResource(kind.value, QUrl("file:///etc/hostname")) is None
    document.setHtml("<img src='file:///etc/hostname'><link rel=stylesheet href='http://x/y'>")
    assert document.resource(kinds.ImageResource.value, QUrl("file:///etc/hostname")) is None


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_a_link_first_shows_where_it_leads(theme: Theme, qtbot: QtBot) -> None:
    opened: list[str] = []
    view = TranscriptView(theme, open_link=opened.append)
    qtbot.addWidget(view)
    view.resize(800, 400)
    view.show()
    view.set_messages([answer("a", "[click here](https://evil.example/login)")])
    part = leaf_with(view, "click here")
    assert "(evil.example)" in part.content.raw_text()
    QTest.mouseClick(part, Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    assert opened == []
    menu = QApplication.activePopupWidget()
    assert menu is not None
    labels = {action.text(): action for action in menu.actions()}
    assert any("https://evil.example/login" in label for label in labels)
    labels["Open evil.example in the browser"].trigger()
    assert opened == ["https://evil.example/login"]
    labels["Copy link"].trigger()
    assert QGuiApplication.clipboard().text() == "https://evil.example/login"
    menu.close()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_a_message_has_a_menu(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user("q", "hi there"), answer("a", "Hello")])
    part = leaf_with(view, "hi there")
    place = part.rect().center()
    event = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse, place, part.mapToGlobal(place), Qt.KeyboardModifier(0)
    )
    QApplication.sendEvent(part, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    labels = {action.text(): action for action in menu.actions() if action.text()}
    assert list(labels) == [
        "Copy selection",
        "Copy message",
        "Select message",
        "Ask this of…",
        "Edit",
        "New chat from here",
    ]
    assert not labels["Copy selection"].isEnabled()
    labels["Select message"].trigger()
    assert view.selected_text() == "hi there"
    with qtbot.waitSignal(view.action_requested) as asked:
        labels["New chat from here"].trigger()
    assert asked.args == [TranscriptAction("q", "branch")]
    menu.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: answer("a", "x" * 1_000_000),
        lambda: answer("a", "> " * 100_000),
        lambda: answer("a", "```\n" + "y" * 500_000 + "\n```"),
        lambda: answer("a", "```\n" + "line\n" * 20_000 + "```"),
        lambda: answer("a", "|a" * 500 + "|\n" + "|-" * 500 + "|\n" + ("|b" * 500 + "|\n") * 50),
        lambda: user("a", "z" * 1_000_000),
        lambda: user("a", "\0\ud7ff\u202e" * 5000),
        lambda: answer("a", "$" + "\\frac{" * 3000),
    ],
)
def test_hostile_messages_are_shown_bounded(
    view: TranscriptView, make: Callable[[], TranscriptMessage]
) -> None:
    view.set_messages([user("q", "before"), make(), user("r", "after")])
    QApplication.processEvents()
    assert len(view.findChildren(TextPart)) < 60
    view.scroll_to("q")
    view.jump_to_latest()
    assert card_of(view, "r").isVisible()


def test_a_formula_tells_its_source(view: TranscriptView) -> None:
    view.set_messages([answer("a", "It is $x^2 + y^2$ here.")])
    part = leaf_with(view, "x² + y²")
    assert part.tip_at(part.content.rect_of(8).center() + QPointF(2, 0)) == "x^2 + y^2"
    assert part.tip_at(part.content.rect_of(1).center() + QPointF(2, 0)) == ""


def test_a_long_question_is_folded_and_opens(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user("q", "word " * 3000)])
    card = card_of(view, "q")
    more = next(b for b in card.findChildren(QPushButton) if b.text().startswith("Show 12,000"))
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert view.selected_text() == "word " * 3000
    before = card.height()
    qtbot.mouseClick(more, Qt.MouseButton.LeftButton)
    assert card_of(view, "q").height() > 2 * before


def test_code_can_be_copied_wrapped_and_saved(view: TranscriptView, qtbot: QtBot, tmp_path) -> None:  # type: ignore[no-untyped-def]
    view.set_messages([answer("a", "```python\n" + "x = 1 + " * 60 + "1\n```")])
    part = view.findChild(CodePart)
    names = {b.accessibleName(): b for b in part.findChildren(QAbstractButton)}
    qtbot.mouseClick(names["Copy code"], Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text().startswith("x = 1 + x")
    before = part.height()
    qtbot.mouseClick(names["Wrap long lines"], Qt.MouseButton.LeftButton)
    assert part.height() > before
    target = tmp_path / "snippet.py"
    assert save_text(target, "x = 1\n")
    assert target.read_text() == "x = 1\n"
    assert not save_text(tmp_path / "no" / "such" / "file.py", "x")
