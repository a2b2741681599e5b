"""The transcript as a reader meets it: staying in place, and streaming."""

from __future__ import annotations

import itertools
from dataclasses import replace

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptAction, TranscriptView
from lockhouse.ui.transcript.card import MessageCard
from lockhouse.ui.transcript.parts import TablePart
from lockhouse.ui.transcript.reasoning import ReasoningBox
from tests.ui.transcript.reader import (
    answer,
    card_of,
    cards,
    leaf_with,
    many,
    stream,
    user,
    visible_leaves,
)

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


def test_a_wide_table_is_scrolled_in_its_own_frame(view: TranscriptView) -> None:
    head = " | ".join(f"column_number_{n}" for n in range(12))
    table = f"| {head} |\n|{'---|' * 12}\n| {' | '.join('ab' for _ in range(12))} |"
    view.set_messages((user("q", "Show it."), answer("a", table)))
    QApplication.processEvents()
    [part] = view.findChildren(TablePart)
    assert part.width() < part.body.content.ideal_width()
    turn = QWheelEvent(
        QPointF(20, 20), part.body.mapToGlobal(QPointF(20, 20)), QPoint(), QPoint(-400, 0),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,  # noqa: FBT003
    )  # fmt: skip
    QApplication.sendEvent(part.body, turn)
    assert part.body.shift > 0
    view.resize(3000, 600)
    QApplication.processEvents()
    assert part.body.shift == 0 or part.width() < part.body.content.ideal_width()
