"""The palette: chats, messages and commands in one place."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QMenu

from lockhouse.ui.chat.palette import FoundMessage, Palette
from lockhouse.workspace import Workspace
from tests.ui.window.driving import OpenWindow, Window
from tests.ui.window.remote_chat import offscreen_popups


def _two(workspace: Workspace) -> None:
    chats = workspace.conversations
    first = chats.create(title="Boats")
    root = chats.add_user(first.id, "How is a lugger rigged?", parent_id=None)
    chats.add_user(first.id, "And a schooner with a topsail?", parent_id=root.id)
    second = chats.create(title="Gardens")
    chats.add_user(second.id, "When are tulips planted?", parent_id=None)


@pytest.fixture
def window(open_window: OpenWindow, home: Path) -> Window:
    return open_window(home, prepare=_two)


def _palette(window: Window) -> Palette:
    window.app.window.show_palette()
    dialog = window.dialog("palette")
    assert isinstance(dialog, Palette)
    return dialog


def _chats(palette: Palette) -> list[str]:
    found = [line for line in palette.model.lines if isinstance(line.value, FoundMessage)]
    return [line.title for line in found if not line.detail]


def test_a_word_in_a_message_leads_to_that_message(window: Window) -> None:
    palette = _palette(window)
    window.qtbot.keyClicks(palette.edit, "schoon")
    window.until(lambda: any("\x02schooner\x03" in line.detail for line in palette.model.lines))
    window.qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    window.until(lambda: len(window.messages) == 2)
    assert window.page.head.title.text() == "Boats"


def test_the_keys_stay_at_the_foot_when_nothing_is_found(window: Window) -> None:
    palette = _palette(window)
    keys = next(one for one in palette.findChildren(QLabel) if one.text().startswith("Enter"))
    at = keys.y()
    palette.edit.setText("zebra")
    window.until(palette.nothing.isVisible)
    assert "zebra" in palette.nothing.text()
    assert keys.y() == at
    palette.close()


def test_a_chat_called_as_a_heading_is_found(window: Window) -> None:
    window.workspace.conversations.create(title="Messages")
    window.app.listing.refresh()
    window.until(lambda: "Messages" in window.titles)
    palette = _palette(window)
    palette.edit.setText("mess")
    window.until(lambda: not palette._delay.isActive())
    window.stored()
    assert "Messages" in _chats(palette)
    palette.close()


def test_a_title_is_found_before_the_database_is_asked(window: Window) -> None:
    palette = _palette(window)
    palette.edit.setText("gard")
    assert _chats(palette) == ["Gardens"]
    palette.close()


def test_commands_are_found_and_done(window: Window) -> None:
    palette = _palette(window)
    palette.edit.setText("settings")
    window.qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert window.app.window.page == "settings"


def test_every_action_is_found(window: Window) -> None:
    window.open(next(one for one in window.workspace.conversations.list()))
    commands = {one.words: one for one in window.main._commands()}
    shown = {entry.label for entry in window.main._shortcuts} - {"Search all chats"}
    assert shown <= set(commands)
    for kind in ("Markdown", "Web page", "JSON, every version", "JSONL"):
        assert any(words.startswith(f"Export the chat as {kind}") for words in commands)
    for words in ("Import chats…", "Import a model…", "Attach files…", "Delete the chat"):
        assert words in commands
    palette = _palette(window)
    palette.edit.setText("chat settings")
    window.qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    window.until(window.page.details.prompt.isVisible)
    palette = _palette(window)
    palette.edit.setText("model folders")
    window.qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    window.dialog("folders_dialog").close()
    window.press("rail_chat")
    palette = _palette(window)
    palette.edit.setText("delete the chat")
    window.qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    window.until(lambda: not window.app.chat.conversation_id)
    window.page.toast.undo()


@offscreen_popups
def test_chats_can_be_imported_when_there_are_some(window: Window) -> None:
    assert window.titles
    window.press("list_more")
    menu = window.page.list_panel.findChild(QMenu)
    assert menu is not None
    assert "Import chats…" in [action.text() for action in menu.actions()]
    menu.close()


def test_nothing_found_says_so(window: Window) -> None:
    palette = _palette(window)
    window.qtbot.keyClicks(palette.edit, "zeppelin")
    window.until(lambda: "zeppelin" in palette.nothing.text())
    assert palette.nothing.isVisible()
    palette.close()


def test_hostile_words_are_just_words(window: Window) -> None:
    palette = _palette(window)
    for words in ('"', "a* OR", "NEAR(", "'; drop table", "\x00"):
        palette.edit.setText(words)
        palette._search()
        window.stored()
    assert window.page.banners.messages == ()
    palette.close()


def test_arrows_pass_over_headings(window: Window) -> None:
    palette = _palette(window)
    for _ in range(len(palette.model.lines) * 2):
        window.qtbot.keyClick(palette.edit, Qt.Key.Key_Down)
        row = palette.view.currentIndex().row()
        assert not palette.model.lines[row].is_heading
    palette.close()


def test_find_in_the_open_chat(window: Window) -> None:
    chat = next(one for one in window.workspace.conversations.list() if one.title == "Boats")
    window.open(chat)
    window.page.work.open_find()
    window.qtbot.keyClicks(window.page.work.find_bar.edit, "lugger")
    window.until(lambda: window.page.work.find_bar._count.text() == "1 of 1")
    window.page.work.find_bar.edit.setText("nowhere")
    window.until(lambda: window.page.work.find_bar._count.text() == "Not found")
    window.page.stop_or_close()
    assert not window.page.work.find_bar.isVisible()


def test_find_scrolls_to_its_first_hit_while_one_types(window: Window) -> None:
    chats = window.workspace.conversations
    made, parent = chats.create(title="Long"), None
    for number in range(60):
        words = f"Message {number}. " + "Some words that fill the screen. " * 20
        words += "The anchor lies here." if number == 2 else ""
        parent = chats.add_user(made.id, words, parent_id=parent).id
    window.open(chats.get(made.id))
    window.until(lambda: len(window.messages) == 60)
    transcript = window.page.transcript
    hit = window.messages[2].id
    assert hit not in transcript._board.live  # far above what is shown
    window.page.work.open_find()
    window.qtbot.keyClicks(window.page.work.find_bar.edit, "anchor")
    window.until(lambda: hit in transcript._board.live)
    card = transcript._board.live[hit]
    leaf = card.leaves()[0]
    place = leaf.content.rect_of(leaf.content.raw_text().index("anchor"))
    top = leaf.mapTo(transcript.viewport(), QPoint(0, round(place.top()))).y()
    assert 0 <= top < transcript.viewport().height()


def test_a_hit_in_another_branch_turns_to_it(window: Window) -> None:
    chats = window.workspace.conversations
    boats = next(one for one in chats.list() if one.title == "Boats")
    root = chats.path(boats.id)[0]
    chats.edit(root.id, "What is a catamaran?")
    window.open(boats)
    assert [message.text for message in window.messages] == ["What is a catamaran?"]
    hit = next(one for one in chats.search("schooner") if one.message_id)
    assert hit.message_id is not None
    window.page.open_chat(boats.id, hit.message_id, "schooner")
    window.until(lambda: len(window.messages) == 2)
    # What is asked next belongs below what is shown.
    assert chats.get(boats.id).active_leaf_id == hit.message_id
