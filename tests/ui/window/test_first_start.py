"""What someone meets who starts the program for the first time."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QAbstractButton, QLabel

from tests.ui.window.driving import OpenWindow, Window, close


def _words(window: Window) -> str:
    return " ".join(label.text() for label in window.page.first_start.findChildren(QLabel))


def test_the_starter_model_is_offered_with_its_size_and_memory(window: Window) -> None:
    assert window.page.first_start.isVisible()
    window.until(lambda: "of memory" in _words(window).replace("\u00a0", " "))
    words = _words(window).replace("\u00a0", " ")
    assert "A model is ready on this machine" in words
    assert "SmolLM2 135M Instruct" in words
    assert "98 MB" in words


def test_start_chatting_leads_to_the_composer(window: Window) -> None:
    assert not window.page.composer.isVisible()
    window.press("start_chatting")
    assert window.page.composer.isVisible()
    assert window.page.empty.isVisible()
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
    assert names == {"Chat", "Models", "Settings"}


def test_the_second_start_goes_to_an_empty_chat(open_window: OpenWindow, home: Path) -> None:
    first = open_window(home)
    first.press("start_chatting")
    close(first)
    second = open_window(home)
    assert second.page.empty.isVisible()
    assert second.page.composer.isVisible()
