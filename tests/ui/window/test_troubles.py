"""What goes wrong: told where it happened, with a way on, and nothing typed is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from lockhouse.answer.target import TargetInfo
from lockhouse.core.errors import StorageError
from lockhouse.ui.app import _recover, run
from lockhouse.ui.error_views import BannerStack, ChoiceDialog, CrashCatcher
from lockhouse.ui.startup import tell_storage_error
from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.values import TranscriptAction
from lockhouse.workspace import Workspace, open_workspace
from tests.ui.window.driving import OpenWindow, Window

LONG = "Tell me a very long story about a river."


def test_a_target_that_is_gone_gives_the_question_back(window: Window) -> None:
    window.page.new_chat()
    window.app.settings.set("default_target", "not-there")
    window.stored()
    window.type_and_send("Is anybody there?")
    window.until(lambda: bool(window.page.banners.messages))
    assert window.page.composer.draft == "Is anybody there?"
    assert not window.app.asking.runs.all_running()
    # With a model that is there, the same question goes through.
    window.app.settings.set("default_target", "")
    window.app.settings.set("answer_max_tokens", 6)
    window.stored()
    window.press("send")
    window.until(lambda: len(window.messages) == 2)
    window.idle()
    assert window.last.status == "complete"


def test_a_crash_is_a_sentence_and_the_answer_can_be_tried_more_safely(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(home, prepare=lambda workspace: workspace.save_settings(temperature=0.0))
    window.page.new_chat()
    window.type_and_send(LONG)
    window.until(lambda: len(window.messages) == 2 and len(window.last.text) > 20)
    seen = window.last.text
    os.kill(window.workspace.engines.list()[0].pid, signal.SIGKILL)
    window.idle()
    failed = window.last
    assert failed.status == "failed"
    assert failed.text.startswith(seen[:20])
    assert failed.error_message
    assert failed.retry_safer
    window.app.settings.set("answer_max_tokens", 8)
    window.stored()
    action = TranscriptAction(failed.id, "retry_safer")
    window.page.transcript.action_requested.emit(action)
    window.until(lambda: window.last.id != failed.id)
    window.idle()
    assert window.last.status == "complete"
    assert window.last.text.strip()
    assert window.last.version_count == 2


def test_what_does_not_fit_offers_the_context_that_would(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(
        home,
        prepare=lambda workspace: workspace.save_settings(
            context_length=16_000_000, answer_max_tokens=6
        ),
    )
    window.page.new_chat()
    window.type_and_send("Hello")
    dialog = window.dialog("choice_dialog")
    window.press("dialog_context", dialog)
    window.until(lambda: window.last.status == "complete")
    assert window.app.settings.current.context_length == 16_000_000  # of other chats
    chat = window.workspace.conversations.get(window.app.chat.conversation_id)
    assert 512 <= int(str(chat.parameters["context_length"])) <= 8192
    assert window.last.text.strip()


def test_a_chat_longer_than_the_context_can_go_on_without_its_oldest_messages(
    open_window: OpenWindow, home: Path
) -> None:
    def long_chat(workspace: Workspace) -> None:
        workspace.save_settings(context_length=512, answer_max_tokens=6)
        chat = workspace.conversations.create(title="Long")
        parent = None
        for number in range(12):
            words = f"Message {number}. " + "All work and no play makes a dull day. " * 6
            parent = workspace.conversations.add_user(chat.id, words, parent_id=parent).id
            parent = workspace.conversations.begin_answer(
                chat.id, parent, target=TargetInfo("smollm2-135m-instruct", "local")
            ).id
            workspace.conversations.finish_answer(
                parent, content="Indeed.", reasoning="", status="complete"
            )

    window = open_window(home, prepare=long_chat)
    window.open(window.workspace.conversations.list()[0])
    window.type_and_send("And now?")
    dialog = window.dialog("choice_dialog")
    assert "512" in dialog.findChild(QLabel, "dialog_message").text()  # type: ignore[union-attr]
    window.press("dialog_cut", dialog)
    window.until(lambda: window.last.role == "assistant" and window.last.status == "complete")
    assert window.app.settings.current.when_full == "stop"  # of other chats
    chat = window.workspace.conversations.get(window.app.chat.conversation_id)
    assert chat.parameters["when_full"] == "cut_oldest"
    assert window.page.details.prompt._own["when_full"] == "cut_oldest"
    assert any("left out" in words or "cut" in words for words in window.page.banners.messages)


def test_what_cannot_help_against_a_long_question_is_not_offered(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(
        home,
        prepare=lambda workspace: workspace.save_settings(context_length=512, answer_max_tokens=6),
    )
    window.page.new_chat()
    window.page.composer.edit.setPlainText("All work and no play. " * 4000)
    window.qtbot.keyClick(window.page.composer.edit, Qt.Key.Key_Return)
    dialog = window.dialog("choice_dialog")
    names = {button.objectName() for button in dialog.findChildren(QAbstractButton)}
    assert "dialog_cut" not in names  # there is nothing older
    assert "dialog_context" not in names  # longer than the model was trained for
    assert "dialog_models" in names


def test_a_damaged_database_is_told_and_nothing_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], qapp: QApplication
) -> None:
    (tmp_path / "lockhouse.db").write_bytes(b"this is not a database" * 500)
    assert run(["--home", str(tmp_path), "--smoke"]) == StorageError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert told["error"]["code"].startswith("database_")


def test_the_dialog_for_a_database_names_file_and_way_on(theme: Theme, qtbot: QtBot) -> None:
    error = StorageError(
        "The database /home/someone/lockhouse.db is damaged.",
        hint="The newest backup is /home/someone/backups/one.db.",
        code="database_damaged",
    )
    words: list[str] = []

    def read_and_close() -> None:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, ChoiceDialog) and widget.objectName() == "storage_dialog":
                words.extend(label.text() for label in widget.findChildren(QLabel))
                widget.reject()

    QTimer.singleShot(0, read_and_close)
    tell_storage_error(theme, error)
    assert "The database is damaged" in words
    assert error.message in words
    assert error.hint in words


def test_a_damaged_database_can_be_recovered_in_its_dialog(
    theme: Theme, qtbot: QtBot, home: Path
) -> None:
    workspace = open_workspace(home)
    chat = workspace.conversations.create(title="Before the damage")
    workspace.conversations.add_user(chat.id, "What was said.", parent_id=None)
    file = workspace.paths.database
    workspace.close()
    data = bytearray(file.read_bytes())
    data[:100] = bytes(100)
    file.write_bytes(bytes(data))
    with pytest.raises(StorageError) as damaged:
        open_workspace(home)
    words: list[str] = []

    def press(dialog: str, button: str, then: Callable[[], None]) -> None:
        for widget in QApplication.topLevelWidgets():
            named = isinstance(widget, ChoiceDialog) and widget.objectName() == dialog
            if named and widget.isVisible():
                words.extend(label.text() for label in widget.findChildren(QLabel))
                QTimer.singleShot(0, then)
                found = widget.findChild(QPushButton, button)
                assert found is not None
                found.click()

    def accept_report() -> None:
        press("recovered_dialog", "dialog_close", lambda: None)

    QTimer.singleShot(0, lambda: press("storage_dialog", "dialog_recover", accept_report))
    assert tell_storage_error(theme, damaged.value, lambda: _recover(home))
    assert any("Recovered 1 conversation with 1 message." in text for text in words)
    workspace = open_workspace(home)
    assert [one.title for one in workspace.conversations.list()] == ["Before the damage"]
    workspace.close()


def test_a_bug_opens_the_crash_window_once_with_a_report_to_copy(
    theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[type] = []
    monkeypatch.setattr(sys, "__excepthook__", lambda kind, *_: written.append(kind))
    catcher = CrashCatcher(theme, "1.2.3")
    for _ in range(3):
        try:
            raise ZeroDivisionError("a slip")
        except ZeroDivisionError as error:
            catcher._hook(type(error), error, error.__traceback__)
    window = catcher._window
    assert window is not None
    qtbot.addWidget(window)
    box = window.findChild(QPlainTextEdit)
    assert box is not None
    assert "ZeroDivisionError: a slip" in box.toPlainText()
    assert "Lockhouse 1.2.3" in box.toPlainText()
    window._copy()
    assert QApplication.clipboard().text() == window.text
    assert any("Nothing is sent" in label.text() for label in window.findChildren(QLabel))
    window.accept()
    assert catcher._window is None
    assert written == [ZeroDivisionError] * 3


def test_banners_say_each_thing_once_and_at_most_three(theme: Theme, qtbot: QtBot) -> None:
    stack = BannerStack(theme)
    qtbot.addWidget(stack)
    stack.show()
    for words in ("one", "one", "two", "three", "four"):
        stack.say(words)
    assert stack.messages == ("two", "three", "four")
    stack.clear()
    assert stack.messages == ()
    assert not stack.isVisible()


def test_the_action_of_a_banner_is_done_and_the_banner_goes(theme: Theme, qtbot: QtBot) -> None:
    stack = BannerStack(theme)
    qtbot.addWidget(stack)
    done: list[str] = []
    stack.say("No model", actions=[("import", "Import…", lambda: done.append("import"))])
    banner = stack._shown["No model"]
    banner.action_chosen.emit("import")
    assert done == ["import"]
    assert stack.messages == ()


def _one_chat(workspace: Workspace) -> None:
    made = workspace.conversations.create(title="Alpha")
    workspace.conversations.add_user(made.id, "About Alpha", parent_id=None)


@pytest.fixture
def deleted_elsewhere(open_window: OpenWindow, home: Path) -> Window:
    """A window on a chat that a command has deleted."""
    window = open_window(home, prepare=_one_chat)
    chat = window.workspace.conversations.list()[0]
    window.open(chat)
    other = open_workspace(home)
    other.conversations.delete([chat.id])
    other.close()
    return window


GONE = "This chat was deleted elsewhere."


def test_a_chat_deleted_elsewhere_can_be_restored(deleted_elsewhere: Window) -> None:
    window = deleted_elsewhere
    window.until(lambda: GONE in window.page.banners.messages)
    window.press("banner-restore")
    window.until(lambda: "Alpha" in window.titles)
    assert [one.text for one in window.messages] == ["About Alpha"]
    assert GONE not in window.page.banners.messages


def test_a_chat_deleted_elsewhere_can_be_kept_as_a_new_one(deleted_elsewhere: Window) -> None:
    window = deleted_elsewhere
    before = window.app.chat.conversation_id
    window.until(lambda: GONE in window.page.banners.messages)
    window.press("banner-keep")
    window.until(lambda: window.app.chat.conversation_id != before)
    window.until(lambda: [one.text for one in window.messages] == ["About Alpha"])


def test_asking_in_a_chat_deleted_elsewhere_gives_the_words_back(
    deleted_elsewhere: Window,
) -> None:
    window = deleted_elsewhere
    window.type_and_send("And Beta?")
    window.until(lambda: GONE in window.page.banners.messages)
    window.until(lambda: window.page.composer.draft == "And Beta?")
    window.idle()
    assert window.page.banners.messages == (GONE,)


def test_a_home_that_cannot_be_written_opens_for_reading(
    open_window: OpenWindow, home: Path
) -> None:
    workspace = open_workspace(home)
    chat = workspace.conversations.create(title="Before the disk was full")
    workspace.conversations.add_user(chat.id, "What was said.", parent_id=None)
    other = workspace.conversations.create(title="Another")
    workspace.close()
    # In the way of what SQLite shares between connections, whoever runs the tests.
    (home / "lockhouse.db-shm").mkdir()
    window = open_window(home)
    [told] = window.page.banners.messages
    assert "cannot write" in told
    assert {"Before the disk was full", "Another"} < set(window.titles)
    window.open(other)
    window.open(chat)
    assert [message.text for message in window.messages] == ["What was said."]
    assert window.page.banners.messages == (told,)
    window.type_and_send("Can this be sent?")
    window.until(lambda: window.page.composer.draft == "Can this be sent?")
    window.idle()
    assert window.page.banners.messages == (told,)
    assert len(window.messages) == 1
