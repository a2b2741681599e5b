"""Answers from elsewhere in the transcript: ways on, counting down, beginning again, pictures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptMessage, TranscriptView
from lockhouse.ui.transcript.files import Thumbnail
from lockhouse.ui.transcript.values import ShownPicture


@pytest.fixture
def view(qtbot: QtBot, theme: Theme) -> TranscriptView:
    made = TranscriptView(theme)
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


def failed(retry_at: datetime | None = None) -> TranscriptMessage:
    return TranscriptMessage(
        "a",
        "assistant",
        status="failed",
        error_message="Mistral asks to wait.",
        ways=(("regenerate", "Try again"), ("ask_local", "Ask a local model instead")),
        retry_at=retry_at,
    )


def note(view: TranscriptView, kind: str) -> QPushButton:
    button = view.findChild(QPushButton, f"note-{kind}")
    assert button is not None
    return button


def test_the_ways_on_of_a_message_are_its_buttons(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([failed()])
    with qtbot.waitSignal(view.action_requested) as acted:
        note(view, "ask_local").click()
    assert acted.args[0].kind == "ask_local"


def test_trying_again_waits_until_the_provider_wants_it(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([failed(datetime.now(UTC) + timedelta(hours=1))])
    assert not note(view, "regenerate").isEnabled()
    assert note(view, "ask_local").isEnabled()
    view.update_message(failed(datetime.now(UTC) + timedelta(seconds=0.3)))
    qtbot.waitUntil(lambda: note(view, "regenerate").isEnabled())
    assert note(view, "regenerate").text() == "Try again"


def test_an_answer_that_starts_over_has_none_of_what_came_before(view: TranscriptView) -> None:
    answer = TranscriptMessage("a", "assistant", status="streaming", header_name="qwen")
    view.begin_stream(answer)
    view.feed("a", text="The first server says **this")
    view._flush()
    view.feed("a", text=" and more")
    view.restart_stream(
        TranscriptMessage("a", "assistant", status="streaming", remark="Began again")
    )
    view.feed("a", text="The second says that.")
    view._flush()
    item = view._board.item("a")
    assert item is not None
    assert item.text() == "The second says that."
    assert item.message.remark == "Began again"


def test_what_is_waited_for_is_told_before_the_first_word(view: TranscriptView) -> None:
    view.begin_stream(TranscriptMessage("a", "assistant", status="streaming"))
    view.set_progress("a", "waiting", 0, 0, "Mistral asks to wait 12 seconds.")
    view._flush()
    card = view._board.live["a"]
    assert card._waiting is not None
    assert card._waiting.accessibleName() == "Mistral asks to wait 12 seconds."


def test_pictures_of_a_question_are_loaded_when_they_are_seen(view: TranscriptView) -> None:
    asked: list[str] = []

    def load(sha256: str, take: Callable[[QImage], None]) -> None:
        asked.append(sha256)
        take(QImage(8, 8, QImage.Format.Format_RGB32))

    view.load_picture = load
    pictures = (ShownPicture("aa", "shop.png", "2 kB"), ShownPicture("bb", "", "3 kB"))
    view.set_messages([TranscriptMessage("q", "user", "What is it?", pictures=pictures)])
    assert asked == ["aa", "bb"]
    names = {one.accessibleName() for one in view.findChildren(Thumbnail)}
    assert names == {"Picture shop.png, 2 kB", "A picture, 3 kB"}


def test_the_mark_is_told_to_a_screen_reader(view: TranscriptView) -> None:
    view.set_messages(
        [
            TranscriptMessage(
                "a", "assistant", "So.", header_name="large", badge="API · x.example", leaves=True
            )
        ]
    )
    assert view._board.live["a"].accessibleName() == "Answer from large, API · x.example: So."
