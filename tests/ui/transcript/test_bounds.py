"""Nothing leaves through a message, and nothing in one breaks the view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QMenu,
    QPushButton,
)
from pytestqt.qtbot import QtBot

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptAction, TranscriptMessage, TranscriptView
from lockhouse.ui.transcript.block_document import SealedDocument
from lockhouse.ui.transcript.parts import CodePart, TextPart, save_text
from tests.ui.transcript.reader import (
    answer,
    card_of,
    leaf_with,
    user,
)


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
        "Ask another model…",
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


def test_code_can_be_copied_wrapped_and_saved(
    view: TranscriptView, qtbot: QtBot, tmp_path: Path
) -> None:
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
