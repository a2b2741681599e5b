"""What may pass to somebody elsewhere: however the target is named, and when a turn has come."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.providers import Provider
from lockhouse.ui.chat.attachments import from_clipboard
from lockhouse.ui.chat.target_picker import TargetPopup
from tests.remote.server import RemoteServer
from tests.ui.window.driving import Window
from tests.ui.window.remote_chat import (
    act,
    choose_cloud,
    offscreen_popups,
    pick_cloud,
    sheet_of,
)


def waiting(window: Window) -> list[str]:
    return [entry.question.text for entry in window.page.composer._queue]


def type_while_it_answers(window: Window, words: str) -> None:
    """Of a local answer that ends by itself; the chat goes elsewhere from then on."""
    window.app.settings.set("answer_max_tokens", 160)
    window.type_and_send("Write the numbers from one to five hundred in words.")
    window.until(lambda: len(window.messages) == 2)
    window.app.settings.set("answer_max_tokens", 8)
    choose_cloud(window)
    window.type_and_send(words)


def test_what_waited_is_looked_at_when_its_turn_comes(cloud: Window, server: RemoteServer) -> None:
    type_while_it_answers(cloud, "For all to read")
    sheet = sheet_of(cloud)
    assert "For all to read" in sheet.box.view.text
    cloud.qtbot.keyClick(sheet.box.view, Qt.Key.Key_Escape)
    cloud.until(lambda: not sheet.isVisible())
    cloud.stored()
    assert waiting(cloud) == ["For all to read"]
    assert len(cloud.messages) == 2
    cloud.type_and_send("And this")
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 4)
    cloud.until(lambda: cloud.last.status == "complete")
    assert cloud.messages[2].text == "For all to read"
    assert cloud.last.leaves
    sheet = sheet_of(cloud)  # once was once: the next one is looked at too
    assert waiting(cloud) == ["And this"]
    sheet.close()
    assert len(server.asked()) == 1


def test_what_waits_in_a_chat_that_nobody_looks_at_is_not_sent(
    cloud: Window, server: RemoteServer
) -> None:
    type_while_it_answers(cloud, "For all to read")
    there = cloud.app.chat.conversation_id
    cloud.page.new_chat()
    cloud.idle()
    assert not server.asked()
    assert not any(one.isVisible() for one in cloud.main.findChildren(QPushButton, "outbound_send"))
    cloud.page.open_chat(there)  # what it holds has to be confirmed where it is seen
    sheet = sheet_of(cloud)
    assert "For all to read" in sheet.box.view.text
    assert waiting(cloud) == ["For all to read"]
    sheet.close()
    assert not server.asked()


def test_a_provider_that_a_command_named_alone_is_told_and_asked_about(
    cloud: Window, server: RemoteServer
) -> None:
    cloud.open(cloud.workspace.conversations.create(target="cloudy"))
    cloud.until(lambda: cloud.page.head.destination.text() == f"Goes to {server.host}")
    assert cloud.page.composer.line.words.startswith(f"Goes to {server.host}")
    cloud.type_and_send("Who is there?")
    cloud.press("outbound_send", sheet_of(cloud))
    cloud.until(lambda: len(cloud.messages) == 2)
    cloud.idle()
    assert cloud.last.leaves
    assert len(server.asked()) == 1


def test_nothing_passes_before_the_list_of_targets_came(
    cloud: Window, server: RemoteServer
) -> None:
    targets = cloud.app.targets
    cloud.open(cloud.workspace.conversations.create(target="cloudy/large"))
    targets.remote = ()  # a keyring that does not answer keeps it waiting
    cloud.type_and_send("Who is there?")
    assert sheet_of(cloud).shown is not None
    assert not server.asked()


def test_what_was_read_before_a_choice_does_not_take_it_back(
    cloud: Window, server: RemoteServer
) -> None:
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    choose_cloud(cloud)
    cloud.ask("Who is there?")
    chat = cloud.app.chat
    targets: list[str] = []
    chat.conversation_changed.connect(lambda now: targets.append(now.target))
    chat.reload()  # reads whom it goes to, and tells it after another was chosen
    cloud.page.next_target.choose("smollm2-135m-instruct")
    cloud.stored()
    assert targets
    assert set(targets) == {"smollm2-135m-instruct"}


def test_going_on_elsewhere_with_a_local_answer_is_looked_at_first(
    cloud: Window, server: RemoteServer
) -> None:
    answer = cloud.ask("What is the capital of France? Answer in one sentence.")
    choose_cloud(cloud)
    act(cloud, "continue", answer.id)
    sheet = sheet_of(cloud)
    assert sheet._local.isHidden()
    assert answer.text[:20] in sheet.box.view.text
    assert not server.asked()
    cloud.press("outbound_send", sheet)
    cloud.until(lambda: cloud.last.leaves)
    cloud.idle()
    assert cloud.last.text.startswith(answer.text[:20])


def test_a_new_chat_that_finds_no_room_on_the_disk_loses_nothing(cloud: Window) -> None:
    def fill_the_disk() -> None:
        with cloud.workspace.database.write() as database:
            pages = database.execute("PRAGMA page_count").fetchone()[0]
            database.execute(f"PRAGMA max_page_count = {pages}")

    cloud.app.jobs.run_in_order(fill_the_disk, lambda _: None, lambda _: None)
    cloud.app.chat.set_system("Be brief. " * 50_000)
    picture = QImage(60, 40, QImage.Format.Format_RGB32)
    picture.fill(0xFF54B4C0)
    composer = cloud.page.composer
    composer.add_picture(from_clipboard(picture))
    cloud.qtbot.keyClicks(composer.edit, "Do not lose this")
    composer.sent.emit(composer.message, composer.images)
    cloud.until(lambda: bool(cloud.page.banners.messages))
    assert composer.draft == "Do not lose this"
    assert len(composer.images) == 1


def test_an_edited_answer_keeps_its_mark(cloud: Window, server: RemoteServer) -> None:
    choose_cloud(cloud)
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    cloud.ask("Who is there?")
    act(cloud, "edit", cloud.last.id, "Somebody else altogether.")
    cloud.until(lambda: cloud.last.text == "Somebody else altogether.")
    assert cloud.last.badge == f"API · {server.host} · edited by you"
    assert cloud.last.leaves


@offscreen_popups
def test_the_keyboard_asks_somebody_else(cloud: Window, server: RemoteServer) -> None:
    cloud.ask("What is the capital of France? Answer in one sentence.")
    cloud.page.ask_another_model()
    pick_cloud(cloud)
    sheet = sheet_of(cloud)
    assert "capital of France" in sheet.box.view.text
    sheet.close()
    cloud.page.transcript.setFocus()
    cloud.qtbot.keyClick(cloud.page.transcript, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    cloud.page.ask_another_model()
    pick_cloud(cloud)
    assert "The selection" in sheet_of(cloud)._subject.words
    assert not server.asked()


@offscreen_popups
def test_a_key_set_on_the_way_to_another_model_leads_back_to_the_list(
    cloud: Window, server: RemoteServer
) -> None:
    cloud.ask("What is the capital of France? Answer in one sentence.")
    answered = cloud.last.id
    cloud.page.ask_another_model()
    popup = cloud.page.findChild(TargetPopup)
    assert popup is not None
    cloud.qtbot.keyClicks(popup.edit, "mistral")
    cloud.qtbot.keyClick(popup.edit, Qt.Key.Key_Return)
    dialog = cloud.dialog("key_dialog")
    assert cloud.main.page == "gate"
    dialog.reject()
    cloud.until(lambda: cloud.main.page == "chat")
    cloud.until(lambda: any(one.isVisible() for one in cloud.page.findChildren(TargetPopup)))
    again = next(one for one in cloud.page.findChildren(TargetPopup) if one.isVisible())
    cloud.qtbot.keyClicks(again.edit, "cloudy")
    cloud.qtbot.keyClick(again.edit, Qt.Key.Key_Return)
    sheet = sheet_of(cloud)
    assert "capital of France" in sheet.box.view.text
    assert cloud.last.id == answered
    sheet.close()


def test_a_message_that_was_in_the_way_of_a_key_is_shown_again_after_it(cloud: Window) -> None:
    cloud.page.next_target.choose("mistral/mistral-medium-latest")
    cloud.type_and_send("Anybody?")
    cloud.press("banner-key", sheet_of(cloud))
    cloud.dialog("key_dialog").reject()
    cloud.until(lambda: cloud.main.page == "chat")
    assert "Anybody?" in sheet_of(cloud).box.view.text
    assert cloud.page.composer.draft == "Anybody?"


def test_a_port_that_the_broker_of_this_window_may_not_use_is_told(cloud: Window) -> None:
    with RemoteServer() as later:
        cloud.workspace.providers.add(
            Provider("later", "Later", "openai", "cloud", (later.endpoint,), key="none")
        )
        cloud.workspace.providers.choose("later", "large")
        cloud.app.network.open_to((later.host,), add=True)
        cloud.until(lambda: later.host in cloud.app.network.view.hosts)

        def word() -> str:
            found = cloud.app.targets.find("later/large")
            return found.obstacle.word if found and found.obstacle else ""

        cloud.until(lambda: word() == "Needs a restart")


def test_what_could_not_be_sealed_is_told_where_one_looks(cloud: Window) -> None:
    cloud.app.network.failed.emit(LockhouseError("The disk is full."))
    assert "The disk is full." in " ".join(cloud.page.banners.messages)
