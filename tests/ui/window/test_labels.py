"""The label of a chat: what it forbids is said before anything is prepared, and nothing is sent."""

from __future__ import annotations

from tests.remote.server import RemoteServer
from tests.ui.window.driving import Window
from tests.ui.window.remote_chat import choose_cloud


def _choose_label(window: Window, number: int) -> None:
    window.page.aside.open("prompt")
    window.page.details.prompt._label._group.button(number).click()


def test_a_confidential_chat_is_not_sent_to_an_api(cloud: Window, server: RemoteServer) -> None:
    cloud.workspace.consents.give(cloud.workspace.providers.get("cloudy"))
    choose_cloud(cloud)
    _choose_label(cloud, 2)
    assert "Not for confidential chats" in cloud.page.head.destination.text()
    assert "This chat is confidential" in cloud.page.composer.line.words
    cloud.type_and_send("A secret")
    cloud.until(lambda: bool(cloud.page.banners.messages))
    cloud.idle()
    assert "confidential" in cloud.page.banners.messages[0]
    assert cloud.page.composer.draft == "A secret"
    assert cloud.messages == []
    assert not server.asked()


def test_a_label_stays_with_its_chat(cloud: Window, server: RemoteServer) -> None:
    cloud.app.settings.set("answer_max_tokens", 6)
    _choose_label(cloud, 2)
    cloud.ask("What is the capital of France?")
    chat = cloud.workspace.conversations.get(cloud.app.chat.conversation_id)
    assert chat.label == "confidential"
    cloud.page.new_chat()
    assert cloud.app.chat.label == "public"
    assert cloud.page.details.prompt._label.current() == "public"
    cloud.open(chat)
    assert cloud.page.details.prompt._label.current() == "confidential"
    choose_cloud(cloud)
    cloud.type_and_send("And of Italy?")
    cloud.until(lambda: bool(cloud.page.banners.messages))
    cloud.idle()
    assert not server.asked()
