"""The conversation list: grouping, renaming, pins, folders, deleting with undo, other writers."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from lockhouse.chat.conversations import Conversation, Folder
from lockhouse.chat.text_attachments import Attachment
from lockhouse.ui.chat.list_delegate import fitted_title
from lockhouse.ui.chat.list_model import rows_of
from lockhouse.ui.chat.target_picker import TargetPopup
from lockhouse.ui.chat.values import Listing, RunState
from lockhouse.workspace import Workspace, open_workspace
from tests.chat.exports import chatgpt, gpt_talk, many, node
from tests.ui.window.driving import OpenWindow, Window

NOW = dt.datetime(2026, 3, 18, 15, 0, tzinfo=dt.UTC)


def _chat(title: str, days: int, **more: object) -> Conversation:
    moment = NOW - dt.timedelta(days=days)
    return Conversation(title, title, moment, moment, **more)  # type: ignore[arg-type]


def test_rows_are_grouped_by_pin_folder_and_day() -> None:
    listing = Listing(
        (
            _chat("kept", 40, pinned=True),
            _chat("now", 0),
            _chat("filed", 1, folder_id="f"),
            _chat("then", 1),
            _chat("long ago", 70),
        ),
        (Folder("f", "Work"),),
    )
    rows = rows_of(listing, NOW)
    assert [(row.kind, row.title) for row in rows] == [
        ("head", "Pinned"),
        ("chat", "kept"),
        ("folder", "Work"),
        ("chat", "filed"),
        ("head", "Today"),
        ("chat", "now"),
        ("head", "Yesterday"),
        ("chat", "then"),
        ("head", "January"),
        ("chat", "long ago"),
    ]
    folded = rows_of(listing, NOW, folded=frozenset({"f"}))
    assert "filed" not in [row.title for row in folded]
    assert folded[2].count == 1


def test_a_running_chat_tells_how_much_of_the_prompt_is_read() -> None:
    run = RunState("now", "m", "reading", done=62, total=100)
    rows = rows_of(Listing((_chat("now", 0),)), NOW, runs={"now": run})
    assert rows[1].run == run
    assert run.fraction == pytest.approx(0.62)


def _three(workspace: Workspace) -> None:
    for title in ("Alpha", "Beta", "Gamma"):
        made = workspace.conversations.create(title=title)
        workspace.conversations.add_user(made.id, f"About {title}", parent_id=None)


@pytest.fixture
def three(open_window: OpenWindow, home: Path) -> Window:
    return open_window(home, prepare=_three)


def _select(window: Window, *titles: str) -> None:
    panel = window.page.list_panel
    selection = panel._view.selectionModel()
    selection.clearSelection()
    for title in titles:
        chat = _named(window, title)
        index = panel.model.index_of(chat.id)
        selection.select(index, QItemSelectionModel.SelectionFlag.Select)
        selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)


def _named(window: Window, title: str) -> Conversation:
    return next(one for one in window.workspace.conversations.list() if one.title == title)


def test_a_click_opens_a_chat(three: Window) -> None:
    panel = three.page.list_panel
    index = panel.model.index_of(_named(three, "Beta").id)
    three.qtbot.mouseClick(
        panel._view.viewport(),
        Qt.MouseButton.LeftButton,
        pos=panel._view.visualRect(index).center(),
    )
    three.until(lambda: [one.text for one in three.messages] == ["About Beta"])
    assert three.page.head.title.text() == "Beta"


def test_renaming_in_place(three: Window) -> None:
    panel = three.page.list_panel
    _select(three, "Beta")
    panel._view.setFocus()
    three.page.rename_chat()
    editor = panel._view.findChild(QLineEdit, "rename_edit")
    assert editor is not None
    editor.setText("Beta two")
    three.qtbot.keyClick(editor, Qt.Key.Key_Return)
    three.until(lambda: "Beta two" in three.titles)
    assert _named(three, "Beta two")


def test_renaming_in_the_list_shows_in_the_head_and_the_windows_title(three: Window) -> None:
    three.open(_named(three, "Beta"))
    panel = three.page.list_panel
    _select(three, "Beta")
    panel._view.setFocus()
    three.page.rename_chat()
    editor = panel._view.findChild(QLineEdit, "rename_edit")
    assert editor is not None
    editor.setText("Beta two")
    three.qtbot.keyClick(editor, Qt.Key.Key_Return)
    three.until(lambda: three.page.head.title.text() == "Beta two")
    three.until(lambda: three.main.windowTitle().startswith("Beta two"))


def test_renaming_in_the_head(three: Window) -> None:
    three.open(_named(three, "Beta"))
    title = three.page.head.title
    title.setFocus()
    title.setText("A better name")
    three.qtbot.keyClick(title, Qt.Key.Key_Return)
    three.until(lambda: "A better name" in three.titles)
    three.until(lambda: title.text() == "A better name")


def test_several_are_deleted_together_and_come_back(three: Window) -> None:
    _select(three, "Alpha", "Gamma")
    assert "2 chats selected" in three.page.list_panel._selected_words.text()
    three.press("delete_selected")
    three.until(lambda: "Alpha" not in three.titles)
    assert "Gamma" not in three.titles
    assert three.page.toast.isVisible()
    three.press("toast_undo")
    three.until(lambda: {"Alpha", "Beta", "Gamma"} <= set(three.titles))


def test_deleting_the_open_chat_leaves_an_empty_page(three: Window) -> None:
    three.open(_named(three, "Beta"))
    three.page.listing.delete([three.app.chat.conversation_id])
    three.until(lambda: three.app.chat.conversation_id == "")
    assert three.messages == []


def test_pins_and_folders_from_the_menu(three: Window) -> None:
    panel = three.page.list_panel
    menu = panel.menu_of(panel.model.index_of(_named(three, "Beta").id))
    next(action for action in menu.actions() if action.text() == "Pin").trigger()
    three.until(lambda: three.titles[:2] == ["Pinned", "Beta"])
    three.page.listing.create_folder("Work", [_named(three, "Alpha").id])
    three.until(lambda: "Work" in three.titles)
    place = three.titles.index("Work")
    assert three.titles[place + 1] == "Alpha"
    folder = three.workspace.conversations.folders()[0]
    three.page.listing.delete_folder(folder.id)
    three.until(lambda: "Work" not in three.titles)
    assert "Alpha" in three.titles


def test_what_another_program_writes_appears(three: Window) -> None:
    other = open_workspace(three.workspace.paths.home)
    other.conversations.create(title="From the terminal")
    other.close()
    three.until(lambda: "From the terminal" in three.titles)


def test_chats_are_imported_and_told(three: Window, tmp_path: Path) -> None:
    from lockhouse.chat.import_export import export

    beta = _named(three, "Beta")
    text = export(three.workspace.conversations, beta.id, "json")
    path = tmp_path / "chats.json"
    path.write_text(json.dumps(json.loads(text)), encoding="utf-8")
    three.page.listing.delete([beta.id])
    three.until(lambda: "Beta" not in three.titles)
    three.page.listing.import_files([path])
    three.until(lambda: "Beta" in three.titles)
    assert "Imported 1 chat" in three.page.toast.accessibleName()


def test_an_odd_message_is_named_and_a_long_import_tells_how_far_it_is(
    three: Window, tmp_path: Path
) -> None:
    odd = gpt_talk("Odd")
    odd["mapping"]["a"]["message"]["content"] = None
    path = tmp_path / "chats.json"
    path.write_text(json.dumps([odd, *many(60, words=1)]), encoding="utf-8")
    said: list[str] = []
    three.page.listing.noticed.connect(lambda note: said.append(note.text))
    three.page.listing.import_files([path])
    three.until(lambda: "Odd" in three.titles)
    assert any(words.startswith("Importing chats: ") for words in said)
    assert said[-1] == (
        'Imported 61 chats, 361 messages. Left out: In "Odd", 1 message cannot be read: a.'
    )


def test_files_of_an_imported_answer_can_be_asked_about(three: Window, tmp_path: Path) -> None:
    code = {"text": "print(1+1)"}
    talk = chatgpt(
        [
            node("u", None, "user", "plot"),
            node("k", "u", "assistant", None, kind="code", content=code, to="python"),
            node("a", "k", "assistant", "Done."),
        ]
    )
    path = tmp_path / "chats.json"
    path.write_text(json.dumps([talk]), encoding="utf-8")
    three.page.listing.import_files([path])
    three.until(lambda: "Talk" in three.titles)
    three.open(_named(three, "Talk"))
    asked: list[Attachment] = []
    three.page.message_actions.ask_about_document = asked.append  # type: ignore[method-assign]
    window = three.page.window()
    three.until(lambda: _button(window, "Ask about python") is not None)
    button = _button(window, "Ask about python")
    assert button is not None
    button.click()
    assert asked == [Attachment("python", "print(1+1)")]


def _button(window: QWidget, name: str) -> QAbstractButton | None:
    found = window.findChildren(QAbstractButton)
    return next((one for one in found if one.accessibleName().startswith(name)), None)


def test_a_chat_is_saved_as_a_file(three: Window, tmp_path: Path) -> None:
    three.open(_named(three, "Beta"))
    path = tmp_path / "beta.md"
    three.app.chat.export.save(three.app.chat.conversation_id, "md", path)
    three.until(lambda: path.exists() and "About Beta" in path.read_text(encoding="utf-8"))
    three.app.chat.export.save(
        three.app.chat.conversation_id, "md", tmp_path / "missing" / "beta.md"
    )
    three.until(lambda: any("could not be written" in m for m in three.page.banners.messages))


def test_progress_changes_only_its_own_row(three: Window) -> None:
    panel = three.page.list_panel
    beta = _named(three, "Beta")
    changed: list[int] = []
    resets: list[bool] = []
    panel.model.dataChanged.connect(lambda first, _last: changed.append(first.row()))
    panel.model.modelReset.connect(lambda: resets.append(True))
    for done in range(0, 100, 5):
        panel.model.show_run(beta.id, RunState(beta.id, "m", "reading", done=done, total=10_000))
    row = panel.model.index_of(beta.id).row()
    assert changed == [row, row]  # 0 % and 1 %, whatever the number of tokens
    assert panel.model.row(row).run is not None
    panel.model.show_run(beta.id, None)
    assert panel.model.row(row).run is None
    assert not resets


# The offscreen platform has no window manager and no keyboard to grab.
offscreen_menus = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def _click(window: Window, words: str) -> None:
    """Choose an entry of the menu that is open."""
    window.until(lambda: bool(_menus()))
    menu = _menus()[-1]
    action = next(one for one in menu.actions() if one.text().startswith(words))
    place = menu.actionGeometry(action).center()
    window.qtbot.mouseMove(menu, place)
    window.qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=place)


def _menus() -> list[QMenu]:
    return [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, QMenu) and widget.isVisible()
    ]


@offscreen_menus
def test_the_menus_of_the_head_do_what_they_say(three: Window) -> None:
    three.open(_named(three, "Beta"))
    three.press("more")
    _click(three, "Pin")
    three.until(lambda: three.titles[:2] == ["Pinned", "Beta"])
    three.press("share")
    _click(three, "Copy as Markdown")
    three.until(lambda: "About Beta" in QApplication.clipboard().text())
    three.press("more")
    _click(three, "Delete")
    three.until(lambda: "Beta" not in three.titles)
    assert three.app.chat.conversation_id == ""


@offscreen_menus
def test_the_target_picker_sets_who_answers(three: Window) -> None:
    three.open(_named(three, "Beta"))
    three.press("target_picker")
    popup = three.page.composer.findChild(TargetPopup)
    assert popup is not None
    three.qtbot.keyClicks(popup.edit, "smollm")
    three.qtbot.keyClick(popup.edit, Qt.Key.Key_Return)
    three.until(lambda: _named(three, "Beta").target == "smollm2-135m-instruct")


def _click_chat(window: Window, title: str) -> None:
    panel = window.page.list_panel
    place = panel._view.visualRect(panel.model.index_of(_named(window, title).id)).center()
    window.qtbot.mouseClick(panel._view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    window.until(lambda: [one.text for one in window.messages] == [f"About {title}"])
    window.stored()


def test_del_deletes_the_chat_that_was_just_clicked_and_ctrl_z_brings_it_back(
    three: Window,
) -> None:
    _click_chat(three, "Beta")
    three.qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Delete)
    three.until(lambda: "Beta" not in three.titles)
    three.stored()
    three.qtbot.keyClick(
        QApplication.focusWidget(), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier
    )
    three.until(lambda: "Beta" in three.titles)
    assert not three.page.toast.isVisible()


def test_ctrl_z_in_an_empty_message_box_brings_a_deleted_chat_back(three: Window) -> None:
    three.app.listing.delete([_named(three, "Beta").id])
    three.until(lambda: "Beta" not in three.titles)
    edit = three.page.composer.edit
    edit.setFocus()
    three.qtbot.keyClick(edit, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    three.until(lambda: "Beta" in three.titles)


def test_typing_after_a_click_in_the_list_goes_to_the_message_box(three: Window) -> None:
    _click_chat(three, "Beta")
    for letter in "hello there":
        three.qtbot.keyClicks(QApplication.focusWidget(), letter)
    assert three.page.composer.draft == "hello there"


def test_a_title_that_is_cut_keeps_the_number_that_tells_it_apart(qtbot: QtBot) -> None:
    font = QApplication.font()
    long = "Explain why the sky is blue, with a list and a table. (2)"
    shown = fitted_title(long, font, 200)
    assert shown.startswith("Explain")
    assert shown.endswith("… (2)")
    assert QFontMetrics(font).horizontalAdvance(shown) <= 200
    assert fitted_title("Short (2)", font, 200) == "Short (2)"
    assert fitted_title(long.removesuffix(" (2)"), font, 200).endswith("…")
