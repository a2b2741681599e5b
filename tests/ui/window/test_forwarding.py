"""Answers from elsewhere in the window: a real broker, and nothing is sent that was not seen."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from lockhouse.chat.text_attachments import Attachment
from lockhouse.gate.providers import Provider
from lockhouse.ui.transcript.files import Thumbnail
from tests.remote.replies import Fault
from tests.remote.server import RemoteServer
from tests.ui.window.driving import OpenWindow, Window, close
from tests.ui.window.remote_chat import (
    CLOUD,
    act,
    choose_cloud,
    offscreen_popups,
    pick_cloud,
    sheet_of,
)


def test_what_was_seen_is_what_is_sent_and_the_answer_keeps_its_mark(
    cloud: Window, server: RemoteServer, open_window: OpenWindow, open_home: Path
) -> None:
    choose_cloud(cloud)
    assert cloud.page.head.destination.text() == f"Goes to {server.host}"
    cloud.type_and_send("Who is there?")
    sheet = sheet_of(cloud)
    seen = sheet.box.view.text.encode()
    assert not server.asked()
    assert cloud.page.composer.draft == "Who is there?"
    cloud.press("outbound_send", sheet)
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    assert [sent.body for sent in server.asked()] == [seen]
    assert cloud.last.text == "Grüße from elsewhere."
    assert cloud.last.badge == f"API · {server.host}"
    assert cloud.last.leaves
    assert cloud.page.composer.draft == ""
    cloud.type_and_send("And again?")  # once is once
    cloud.press("outbound_edit", sheet_of(cloud))
    assert cloud.page.composer.draft == "And again?"
    close(cloud)
    again = open_window(open_home)
    again.until(lambda: len(again.messages) == 2)
    assert again.last.badge == f"API · {server.host}"
    assert len(server.asked()) == 1


def test_the_system_prompt_that_is_shown_is_the_one_that_is_sent(
    cloud: Window, server: RemoteServer
) -> None:
    made = cloud.workspace.conversations.create(title="Before there was one")
    cloud.app.settings.set("system_prompt", "Answer like a pirate.")
    cloud.stored()
    cloud.page.aside.open("prompt")
    prompt = cloud.page.details.prompt

    def shown() -> str:
        return prompt._system.toPlainText()

    def sent() -> list[str]:
        cloud.type_and_send("Who is there?")
        cloud.press("outbound_send", sheet_of(cloud))
        cloud.until(lambda: not cloud.app.asking.runs.all_running())
        turns = json.loads(server.asked()[-1].body)["messages"]
        return [turn["content"] for turn in turns if turn["role"] == "system"]

    cloud.page.new_chat()
    choose_cloud(cloud)
    assert shown() == "Answer like a pirate."
    assert sent() == [shown()]

    cloud.page.new_chat()  # the prompt of the settings can be left out
    choose_cloud(cloud)
    prompt._system.clear()
    prompt.flush()
    assert "no system prompt is sent" in prompt._system_note.text()
    assert sent() == []

    cloud.open(made)  # and an older chat does not get it
    choose_cloud(cloud)
    assert shown() == ""
    assert "pirate" not in prompt._system.placeholderText()
    assert sent() == []


def test_the_starter_models_own_instructions_are_shown(window: Window) -> None:
    window.press("start_chatting")
    window.page.aside.open("prompt")
    prompt = window.page.details.prompt
    window.until(lambda: "helpful AI assistant" in prompt._system_note.text())


def test_always_asks_no_more(cloud: Window, server: RemoteServer) -> None:
    choose_cloud(cloud)
    cloud.type_and_send("Who is there?")
    cloud.press("outbound_always", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    cloud.ask("And who else?")
    assert len(server.asked()) == 2
    assert cloud.workspace.consents.given(cloud.workspace.providers.get("cloudy"))


def test_what_waited_stays_on_this_machine_though_the_chat_goes_elsewhere_now(
    cloud: Window, server: RemoteServer
) -> None:
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    cloud.app.settings.set("answer_max_tokens", 0)
    cloud.type_and_send("Write the numbers from one to five hundred in words.")
    cloud.until(lambda: len(cloud.messages) == 2 and bool(cloud.last.text))
    cloud.app.settings.set("answer_max_tokens", 8)
    cloud.type_and_send("A secret of this machine")
    choose_cloud(cloud)
    cloud.page.stop_or_close()
    cloud.idle()
    cloud.type_and_send("For all to read")
    cloud.until(lambda: len(cloud.messages) == 6)
    cloud.idle()
    assert [message.text for message in cloud.messages[2::2]] == [
        "A secret of this machine",
        "For all to read",
    ]
    assert cloud.messages[3].badge == "Local"
    assert cloud.last.badge == f"API · {server.host}"
    assert len(server.asked()) == 1


def test_a_new_chat_begins_on_this_machine(cloud: Window, server: RemoteServer) -> None:
    choose_cloud(cloud)
    cloud.type_and_send("Who is there?")
    cloud.press("outbound_always", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    cloud.page.new_chat()
    assert cloud.page.head.destination.text() == "On this machine"
    cloud.ask("Hello")
    assert cloud.last.badge == "Local"
    assert len(server.asked()) == 1


def test_escape_sends_nothing_and_keeps_the_draft(cloud: Window, server: RemoteServer) -> None:
    choose_cloud(cloud)
    cloud.type_and_send("Not yet")
    sheet = sheet_of(cloud)
    cloud.qtbot.keyClick(sheet.box.view, Qt.Key.Key_Return)  # Enter alone is no consent
    cloud.qtbot.keyClick(sheet.box.view, Qt.Key.Key_Escape)
    cloud.until(lambda: not sheet.isVisible())
    cloud.stored()
    assert cloud.page.composer.draft == "Not yet"
    assert cloud.messages == []
    assert not server.asked()


def test_keeping_it_local_is_answered_here(cloud: Window, server: RemoteServer) -> None:
    choose_cloud(cloud)
    cloud.type_and_send("What is the capital of France? Answer in one sentence.")
    cloud.press("outbound_local", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    assert cloud.last.badge == "Local"
    assert "Paris" in cloud.last.text
    assert not server.asked()


@offscreen_popups
def test_one_turn_is_forwarded_while_the_chat_stays_here(
    cloud: Window, server: RemoteServer
) -> None:
    first = cloud.ask("What is the capital of France? Answer in one sentence.")
    cloud.ask("And of Italy?")
    act(cloud, "forward", cloud.last.id)
    pick_cloud(cloud)
    sheet = sheet_of(cloud)
    assert "Paris" not in sheet.box.view.text  # only this, unless it is wanted
    sheet._reach._group.button(1).click()
    cloud.until(lambda: sheet.shown is not None and first.text[:10] in sheet.box.view.text)
    sheet._reach._group.button(0).click()
    cloud.until(lambda: sheet.shown is not None and "Paris" not in sheet.box.view.text)
    assert sheet._always.isHidden()
    cloud.press("outbound_send", sheet)
    cloud.until(lambda: cloud.last.leaves)
    cloud.idle()
    assert (cloud.last.version_index, cloud.last.version_count) == (2, 2)
    (sent,) = server.asked()
    assert [turn["content"] for turn in sent.json["messages"]] == ["And of Italy?"]
    assert cloud.app.chat.target == ""
    act(cloud, "previous_version", cloud.last.id)
    cloud.until(lambda: not cloud.last.leaves)
    assert cloud.last.badge == "Local"


@offscreen_popups
def test_a_selection_goes_with_an_instruction_and_nothing_else(
    cloud: Window, server: RemoteServer
) -> None:
    answer = cloud.ask("What is the capital of France? Answer in one sentence.")
    act(cloud, "forward_selection", answer.id, "capital of France")
    pick_cloud(cloud)
    sheet = sheet_of(cloud)
    cloud.press("instruction_translate", sheet)
    cloud.until(lambda: sheet.shown is not None and "Translate" in sheet.box.view.text)
    cloud.press("outbound_send", sheet)
    cloud.until(lambda: len(cloud.messages) == 4)
    cloud.idle()
    (sent,) = server.asked()
    assert [turn["content"] for turn in sent.json["messages"]] == [
        "Translate this into English.\n\ncapital of France"
    ]
    assert cloud.last.leaves
    assert cloud.app.chat.target == ""


@offscreen_popups
def test_a_document_is_asked_about_before_anything_else_was(
    cloud: Window, server: RemoteServer
) -> None:
    cloud.page.composer.document_wanted.emit(Attachment("note.md", "The meeting is on Tuesday."))
    pick_cloud(cloud)
    sheet = sheet_of(cloud)
    sheet._instruction.setText("")
    sheet._instruction.textEdited.emit("")
    cloud.until(lambda: sheet.shown is not None)
    assert not sheet._once.isEnabled()  # nothing is wanted of it yet
    cloud.press("instruction_summarize", sheet)
    cloud.until(lambda: sheet.shown is not None and "Summarize" in sheet.box.view.text)
    cloud.press("outbound_send", sheet)
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    assert server.asked()[0].json["messages"][0]["content"].startswith("File note.md:\n")
    assert cloud.messages[0].files[0].name == "note.md"


def test_details_tell_who_got_what_and_show_it_again(cloud: Window, server: RemoteServer) -> None:
    choose_cloud(cloud)
    cloud.type_and_send("Who is there?")
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    act(cloud, "details", cloud.last.id)
    words = " ".join(
        one.accessibleName() or one.text() for one in cloud.page.details.findChildren(QLabel)
    )
    stored = cloud.workspace.conversations.message(cloud.last.id)
    assert stored.provenance is not None
    assert f"Sent hash: {stored.provenance.finished.sent_sha256}" in words
    assert "Provider: Cloudy" in words
    assert "Cost: Not known" in words
    cloud.press("show_sent", cloud.page.details)
    dialog = cloud.dialog("sent_dialog")
    from lockhouse.ui.outbound.body_view import BodyView

    view = dialog.findChild(BodyView)
    assert view is not None
    assert view.text.encode() == server.asked()[0].body
    dialog.close()


def test_a_limit_of_the_provider_counts_down_and_a_local_model_can_be_asked(
    cloud: Window, server: RemoteServer
) -> None:
    choose_cloud(cloud)
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    server.faults.append(Fault("429", retry_after="600"))
    cloud.ask("What is the capital of France? Answer in one sentence.")
    assert cloud.last.status == "failed"
    again = cloud.page.transcript.findChild(QPushButton, "note-regenerate")
    assert again is not None
    assert not again.isEnabled()
    assert again.text().startswith("Try again in ")
    cloud.press("note-ask_local", cloud.page.transcript)
    cloud.until(lambda: cloud.last.badge == "Local")
    cloud.idle()
    assert "Paris" in cloud.last.text


def test_a_key_that_is_not_there_leads_to_where_it_is_set(
    open_window: OpenWindow, open_home: Path, qtbot: QtBot
) -> None:
    window = open_window(open_home)
    window.until(lambda: bool(window.app.targets.remote))
    window.page.new_chat()
    window.page.next_target.choose("mistral/mistral-medium-latest")
    wanted: list[str] = []
    window.page.way_wanted.disconnect()
    window.page.way_wanted.connect(lambda way, name: wanted.append(f"{way} {name}"))
    window.type_and_send("Anybody?")
    sheet = sheet_of(window)
    assert not sheet._once.isEnabled()
    window.press("banner-key", sheet)
    assert wanted == ["key mistral"]
    assert window.page.composer.draft == "Anybody?"


def test_the_clipboard_and_the_toast_say_where_an_answer_came_from(
    cloud: Window, server: RemoteServer
) -> None:
    choose_cloud(cloud)
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    cloud.ask("Who is there?")
    act(cloud, "copy", cloud.last.id)
    assert server.host in cloud.page.toast.accessibleName()
    cloud.app.chat.export.copy(cloud.app.chat.conversation_id)
    cloud.until(lambda: "elsewhere" in QApplication.clipboard().text())
    assert CLOUD in QApplication.clipboard().text()


def test_a_picture_goes_along_and_is_shown(
    cloud: Window, server: RemoteServer, tmp_path: Path
) -> None:
    path = tmp_path / "shop.png"
    shop = QImage(60, 40, QImage.Format.Format_RGB32)
    shop.fill(0xFF54B4C0)
    shop.save(str(path))
    cloud.page.composer.take_files([path])  # nobody here can see
    assert "does not accept pictures" in cloud.page.composer.problem.words
    assert cloud.page.composer.images == ()
    choose_cloud(cloud)
    cloud.page.composer.take_files([path])
    cloud.until(lambda: len(cloud.page.composer.images) == 1)
    cloud.type_and_send("What is it?")
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    (sent,) = server.asked()
    parts = sent.json["messages"][0]["content"]
    address = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    assert base64.b64decode(address.partition(",")[2]) == path.read_bytes()
    assert [picture.name for picture in cloud.messages[0].pictures] == ["shop.png"]
    thumbnail = cloud.page.transcript.findChild(Thumbnail)
    assert thumbnail is not None
    cloud.until(lambda: not thumbnail._picture.isNull())
    assert cloud.page.composer.images == ()


def test_the_line_under_the_words_tells_where_they_go(cloud: Window, server: RemoteServer) -> None:
    line = cloud.page.composer.line
    assert line.isHidden()
    choose_cloud(cloud)
    assert line.words == f"Goes to {server.host}"
    assert server.host in cloud.page.composer.edit.placeholderText()
    cloud.qtbot.keyClicks(cloud.page.composer.edit, "Hello")
    cloud.until(lambda: line.words == f"Goes to {server.host} · price unknown")
    cloud.page.next_target.choose("smollm2-135m-instruct")
    assert line.isHidden()
    assert cloud.page.head.destination.text() == "On this machine"
    assert not server.asked()


def test_a_server_of_this_machine_keeps_its_marks_while_one_types(
    cloud: Window, server: RemoteServer
) -> None:
    desk = Provider("desk", "Desk", "openai", "lan", (server.endpoint,), key="none")
    cloud.workspace.providers.add(desk)
    cloud.workspace.providers.choose("desk", "large")
    targets, composer = cloud.app.targets, cloud.page.composer
    targets.refresh()
    cloud.until(lambda: targets.find("desk/large") is not None)
    cloud.page.next_target.choose("desk/large")
    assert "server on this machine" in composer._picker.accessibleName()
    assert composer.line._icon.icon == "house"
    cloud.qtbot.keyClicks(composer.edit, "Hello")
    cloud.until(lambda: cloud.page.next_target._estimated is not None)
    assert composer.line._icon.icon == "house"


def test_sealed_meanwhile_the_line_says_that_nothing_can_be_sent(cloud: Window) -> None:
    choose_cloud(cloud)
    cloud.app.network.seal()
    line = cloud.page.composer.line
    cloud.until(lambda: "sealed" in line.words)
    assert line.words == "The network was sealed: nothing can be sent."
    cloud.qtbot.keyClicks(cloud.page.composer.edit, "Hello")
    cloud.press("send")
    sheet = cloud.dialog("outbound_sheet")
    cloud.until(lambda: any("sealed" in one.text() for one in sheet.findChildren(QLabel)))
    sheet.close()


def test_what_was_chosen_last_holds_at_once(cloud: Window, server: RemoteServer) -> None:
    """The next message goes where the head says, however fast it is sent."""
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    choose_cloud(cloud)
    cloud.ask("Who is there?")
    cloud.page.next_target.choose("smollm2-135m-instruct")
    cloud.type_and_send("What is the capital of France? Answer in one sentence.")
    cloud.until(lambda: len(cloud.messages) == 4)
    cloud.idle()
    assert cloud.last.badge == "Local"
    assert len(server.asked()) == 1


@offscreen_popups
def test_what_began_elsewhere_goes_on_there_and_keeps_its_mark(
    cloud: Window, server: RemoteServer
) -> None:
    cloud.ask("What is the capital of France? Answer in one sentence.")
    server.faults.append(Fault("cut"))
    act(cloud, "forward", cloud.last.id)
    pick_cloud(cloud)
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: cloud.last.status == "failed")
    cloud.idle()
    begun = cloud.last.text
    assert begun
    cloud.press("note-continue", cloud.page.transcript)
    sheet = sheet_of(cloud)
    assert sheet._local.isHidden()  # another's words would not be theirs
    assert begun in sheet.box.view.text
    cloud.press("outbound_send", sheet)
    cloud.until(lambda: len(server.asked()) == 2)
    cloud.idle()
    assert cloud.last.text.startswith(begun)
    assert cloud.last.leaves
