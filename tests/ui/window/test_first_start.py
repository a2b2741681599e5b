"""What someone meets who starts the program for the first time."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel

from lockhouse.library.starter import starter_model
from lockhouse.ui.models.page import ModelsPage
from tests.library.layouts import lm_studio
from tests.ui.window.driving import OpenWindow, Window, close

# of one length, so that nothing else in the header moves
NAME, OTHER_NAME = b"Smollm2 135M 8k", b"Second Model Nr"


def _words(window: Window) -> str:
    return " ".join(label.text() for label in window.page.first_start.findChildren(QLabel))


def test_the_starter_model_is_offered_with_its_size_and_memory(window: Window) -> None:
    assert window.page.first_start.isVisible()
    window.until(lambda: "of memory" in _words(window).replace("\u00a0", " "))
    words = _words(window).replace("\u00a0", " ")
    assert "A model is ready on this machine" in words
    assert "SmolLM2 135M Instruct" in words
    assert "98 MB" in words


def test_what_is_typed_on_the_first_screen_is_asked(window: Window) -> None:
    window.workspace.save_settings(answer_max_tokens=12)
    window.app.settings.set("answer_max_tokens", 12)
    window.main.activateWindow()
    edit = window.page.composer.edit
    window.until(edit.hasFocus)
    rail = window.main.findChild(QAbstractButton, "rail_chat")
    start = window.page.first_start.findChild(QAbstractButton, "start_chatting")
    assert rail is not None
    assert start is not None
    for at, part in zip("Hi ", (edit, rail, edit), strict=True):
        part.setFocus()
        window.qtbot.keyClicks(QApplication.focusWidget(), at)
    start.setFocus()
    window.qtbot.keyClicks(start, "there")
    assert edit.toPlainText() == "Hi there"
    assert edit.hasFocus()
    window.qtbot.keyClick(edit, Qt.Key.Key_Return)
    window.until(lambda: len(window.messages) == 2)
    window.idle()
    assert window.messages[0].text == "Hi there"


def test_what_is_typed_on_the_first_screen_waits_for_the_next_start(
    open_window: OpenWindow, home: Path
) -> None:
    first = open_window(home)
    first.qtbot.keyClicks(first.page.composer.edit, "Not sent yet")
    close(first)
    second = open_window(home)
    second.until(lambda: second.page.composer.edit.toPlainText() == "Not sent yet")


def test_start_chatting_leads_to_the_composer(window: Window) -> None:
    assert not window.page.work.empty.isVisible()
    window.press("start_chatting")
    assert window.page.composer.isVisible()
    assert window.page.work.empty.isVisible()
    assert window.workspace.conversations.list() == []


def test_a_suggestion_is_answered(window: Window) -> None:
    window.workspace.save_settings(answer_max_tokens=12)
    window.app.settings.set("answer_max_tokens", 12)
    window.press("suggestion_3", window.page.first_start)
    window.until(lambda: len(window.messages) == 2)
    window.idle()
    assert "why the sky is blue" in window.messages[0].text
    assert window.last.status == "complete"
    assert window.last.text.strip()
    assert window.last.header_name == "SmolLM2 135M Instruct"


def test_pages_without_a_capability_are_not_shown(window: Window) -> None:
    names = {
        button.accessibleName()
        for button in window.main.findChildren(QAbstractButton)
        if button.objectName().startswith("rail_")
    }
    assert names == {"Chat", "Models", "Gate", "Settings"}


def test_the_second_start_goes_to_an_empty_chat(open_window: OpenWindow, home: Path) -> None:
    first = open_window(home)
    first.press("start_chatting")
    close(first)
    second = open_window(home)
    assert second.page.work.empty.isVisible()
    assert second.page.composer.isVisible()


def test_what_other_programs_have_is_offered_in_place(
    open_window: OpenWindow, home: Path, nobody_else: Path
) -> None:
    starter = starter_model()
    assert starter is not None
    second = lm_studio(nobody_else, starter)
    second.write_bytes(second.read_bytes().replace(NAME, OTHER_NAME, 1))
    second.rename(second.with_name("Second-Model-Q4_1.gguf"))
    window = open_window(home)
    window.until(lambda: "Second Model" in _words(window))
    assert "Found in other programs’ folders" in _words(window)
    window.press("use_1", window.page.first_start)
    assert window.page.composer.isVisible()
    picker = window.page.composer.findChild(QAbstractButton, "target_picker")
    assert picker is not None
    window.until(lambda: "Second Model" in picker.accessibleName())


def test_get_a_model_leads_to_discover(window: Window) -> None:
    window.press("get_model", window.page.first_start)
    page = window.main.findChild(ModelsPage)
    assert page is not None
    assert page.discover.isVisible()
