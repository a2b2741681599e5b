"""Esc and half-edited messages, in the whole window where other keys and chats are near."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLineEdit

from lockhouse.ui.transcript.edit_box import EditBox
from lockhouse.workspace import Workspace
from tests.ui.window.driving import OpenWindow, Window


def _two(workspace: Workspace) -> None:
    for title in ("Alpha", "Beta"):
        made = workspace.conversations.create(title=title)
        workspace.conversations.add_user(made.id, f"About {title}", parent_id=None)


@pytest.fixture
def two(open_window: OpenWindow, home: Path) -> Window:
    window = open_window(home, prepare=_two)
    _open(window, "Alpha")
    return window


def _open(window: Window, title: str) -> None:
    window.open(next(o for o in window.workspace.conversations.list() if o.title == title))
    window.until(lambda: [one.text for one in window.messages] == [f"About {title}"])


def _edit(window: Window) -> EditBox:
    transcript = window.page.transcript
    card = next(iter(transcript._board.live.values()))
    transcript._act(card, "edit")
    box = card.edit_box
    assert box is not None
    return box


def _boxes(window: Window) -> list[EditBox]:
    found = window.page.transcript.findChildren(EditBox)
    return [box for box in found if not box.isHidden()]


def test_escape_leaves_the_editor_of_a_message(two: Window) -> None:
    box = _edit(two)
    two.qtbot.keyClicks(box.editor, " and more")
    two.qtbot.keyClick(box.editor, Qt.Key.Key_Escape)
    assert not _boxes(two)
    assert two.messages[0].text == "About Alpha"


def test_escape_clears_a_selection_in_the_transcript(two: Window) -> None:
    transcript = two.page.transcript
    card = next(iter(transcript._board.live.values()))
    transcript._mouse.select_message(card)
    assert transcript.selected_text() == "About Alpha"
    transcript.setFocus()
    two.qtbot.keyClick(transcript, Qt.Key.Key_Escape)
    assert transcript.selected_text() == ""


def test_escape_gives_up_a_title(two: Window) -> None:
    title = two.page.head.title
    title.setFocus()
    two.qtbot.keyClicks(title, "Something else")
    two.qtbot.keyClick(title, Qt.Key.Key_Escape)
    assert title.text() == "Alpha"
    assert QApplication.focusWidget() is not title


def test_escape_gives_up_renaming_in_the_list(two: Window) -> None:
    panel = two.page.list_panel
    panel._view.setFocus()
    two.page.rename_chat()
    editor = panel._view.findChild(QLineEdit, "rename_edit")
    assert editor is not None
    two.qtbot.keyClicks(editor, "Something else")
    two.qtbot.keyClick(editor, Qt.Key.Key_Escape)
    two.stored()
    assert sorted(title for title in two.titles if title != "Today") == ["Alpha", "Beta"]


def test_a_message_being_edited_waits_while_another_chat_is_looked_at(two: Window) -> None:
    box = _edit(two)
    two.qtbot.keyClicks(box.editor, " and more")
    _open(two, "Beta")
    assert not _boxes(two)
    _open(two, "Alpha")
    (again,) = _boxes(two)
    assert again.text() == "About Alpha and more"
    two.qtbot.keyClick(again.editor, Qt.Key.Key_Escape)
    _open(two, "Beta")
    _open(two, "Alpha")
    assert not _boxes(two)


def test_the_editor_says_which_key_sends(two: Window) -> None:
    box = _edit(two)
    assert "Ctrl+Enter sends" in box._keys.text()
    assert box._keys.isVisible()
    assert box._keys.mapTo(box, QPoint(0, 0)).y() >= box.editor.geometry().bottom()
