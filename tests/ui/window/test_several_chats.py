"""Two chats at once: what is asked, decided or told in one leaves the other alone."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QLineEdit, QTextEdit

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Conversation
from lockhouse.ui.widgets import SegmentedControl
from lockhouse.workspace import Workspace
from tests.remote.server import RemoteServer
from tests.ui.window.driving import OpenWindow, Window
from tests.ui.window.remote_chat import CLOUD, act, choose_cloud, sheet_of


def stored(window: Window) -> list[Conversation]:
    return window.workspace.conversations.list()


def questions(window: Window, conversation_id: str) -> list[str]:
    path = window.workspace.conversations.path(conversation_id)
    return [message.content for message in path if message.role == "user"]


def test_two_quick_messages_in_a_new_chat_belong_to_one_chat(answering: Window) -> None:
    before = len(stored(answering))
    answering.app.settings.set("answer_max_tokens", 8)
    answering.type_and_send("What is the capital of France?")
    answering.type_and_send("And of Italy?")
    answering.until(lambda: len(answering.messages) == 4)
    answering.idle()
    assert len(stored(answering)) == before + 1
    assert questions(answering, answering.app.chat.conversation_id) == [
        "What is the capital of France?",
        "And of Italy?",
    ]


def test_a_message_is_sent_while_another_chat_waits_for_consent(
    cloud: Window, server: RemoteServer
) -> None:
    first = cloud.workspace.conversations.create(title="First", target=CLOUD)
    cloud.open(first)
    cloud.type_and_send("From the first chat")
    cloud.page.new_chat()
    cloud.page.next_target.choose(CLOUD)
    cloud.type_and_send("From the second chat")
    for number in (1, 2):
        if number == 2 and not questions(cloud, first.id):
            cloud.page.open_chat(first.id)
        cloud.press("outbound_send", sheet_of(cloud))
        cloud.until(lambda number=number: len(server.asked()) == number)  # type: ignore[misc]
        cloud.idle()
    asked = [questions(cloud, chat.id) for chat in stored(cloud)]
    assert sorted(asked) == [["From the first chat"], ["From the second chat"]]


def test_a_chat_that_begins_does_not_take_the_page_from_another(answering: Window) -> None:
    other = answering.workspace.conversations.create(title="Other")
    answering.app.settings.set("answer_max_tokens", 8)
    answering.type_and_send("What is the capital of France?")
    answering.page.open_chat(other.id)
    answering.until(lambda: answering.app.chat.conversation_id == other.id)
    answering.idle()
    assert answering.app.chat.conversation_id == other.id
    assert answering.messages == []


def test_another_answer_that_is_decided_later_comes_in_its_own_chat(
    cloud: Window, server: RemoteServer
) -> None:
    choose_cloud(cloud)
    cloud.type_and_send("Who is there?")
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    asked, answer = cloud.app.chat.conversation_id, cloud.last.id
    other = cloud.workspace.conversations.create(title="Other")
    act(cloud, "regenerate", answer)
    cloud.page.open_chat(other.id)
    cloud.until(lambda: cloud.app.chat.conversation_id == other.id)
    cloud.stored()
    if not any(one.objectName() == "outbound_sheet" and one.isVisible() for one in _dialogs()):
        cloud.page.open_chat(asked)
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: len(server.asked()) == 2)
    cloud.idle()
    if cloud.app.chat.conversation_id == other.id:
        assert cloud.messages == []
    assert cloud.workspace.conversations.path(asked)[-1].version_count == 2


def _dialogs() -> list[object]:
    from PySide6.QtWidgets import QApplication

    return list(QApplication.topLevelWidgets())


def _long_chat(workspace: Workspace) -> Conversation:
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
    return chat


def test_a_warning_about_an_answer_is_shown_in_its_own_chat(
    open_window: OpenWindow, home: Path
) -> None:
    def prepare(workspace: Workspace) -> None:
        workspace.save_settings(
            context_length=256, answer_max_tokens=2, when_full="cut_oldest", temperature=0.0
        )
        _long_chat(workspace)

    window = open_window(home, prepare=prepare)
    long_chat = stored(window)[0]
    window.open(long_chat)
    window.type_and_send("And now?")
    window.until(lambda: window.last.text == "" and window.last.role == "assistant")
    window.page.new_chat()
    window.until(lambda: bool(window.workspace.engines.list()))
    window.idle()
    assert window.page.banners.messages == ()
    window.open(long_chat)
    assert any("left out" in words or "cut" in words for words in window.page.banners.messages)


def test_what_does_not_fit_is_tried_again_in_its_own_chat(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(
        home,
        prepare=lambda workspace: workspace.save_settings(
            context_length=16_000_000, answer_max_tokens=6
        ),
    )
    other = window.workspace.conversations.create(title="Other")
    asked = window.workspace.conversations.add_user(other.id, "Hello", parent_id=None)
    window.page.new_chat()
    window.type_and_send("What is the capital of France?")
    window.until(lambda: len(window.messages) == 2)
    failed = window.app.chat.conversation_id
    window.page.open_chat(other.id)
    window.press("dialog_context", window.dialog("choice_dialog"))
    conversations = window.workspace.conversations
    window.until(
        lambda: any(
            one.status == "complete" and one.role == "assistant"
            for chat in stored(window)
            for one in conversations.path(chat.id)
        )
    )
    window.idle()
    assert conversations.path(failed)[-1].status == "complete"
    assert [one.id for one in conversations.path(other.id)] == [asked.id]


def test_the_prompt_of_one_chat_is_not_shown_in_another(answering: Window) -> None:
    answering.page.aside.open("prompt")
    system = answering.page.details.findChild(QTextEdit, "chat_system_prompt")
    assert system is not None
    first = answering.workspace.conversations.create(title="First", system="You are a pirate.")
    second = answering.workspace.conversations.create(title="Second", system="You are a poet.")
    answering.open(first)
    assert system.toPlainText() == "You are a pirate."
    answering.main.activateWindow()
    system.setFocus()
    answering.until(system.hasFocus)
    answering.qtbot.keyClicks(system, "Arr. ")
    answering.open(second)
    assert system.toPlainText() == "You are a poet."
    answering.stored()
    conversations = answering.workspace.conversations
    assert conversations.get(first.id).system == "Arr. You are a pirate."
    assert conversations.get(second.id).system == "You are a poet."


def test_a_system_prompt_outlives_what_is_changed_right_after_it(answering: Window) -> None:
    """It is stored after a pause; what another field brought along was the old one."""
    answering.page.aside.open("prompt")
    details = answering.page.details
    system = details.findChild(QTextEdit, "chat_system_prompt")
    field = details.findChild(QLineEdit, "parameter_temperature")
    label = details.findChild(SegmentedControl, "chat_label")
    assert system is not None
    assert field is not None
    assert label is not None
    chat = answering.workspace.conversations.create(title="Third", system="You are a pirate.")
    answering.open(chat)
    answering.main.activateWindow()
    for words, change in (
        ("Arr. ", lambda: answering.qtbot.keyClicks(field, "0.5")),
        ("Ahoy. ", lambda: label.selected.emit("internal")),
    ):
        system.setFocus()
        answering.until(system.hasFocus)
        system.moveCursor(QTextCursor.MoveOperation.Start)
        answering.qtbot.keyClicks(system, words)
        field.setFocus()
        change()
        answering.stored()
    kept = answering.workspace.conversations.get(chat.id)
    assert kept.system == system.toPlainText() == "Ahoy. Arr. You are a pirate."
    assert (kept.parameters["temperature"], kept.label) == (0.5, "internal")
