"""A window under test: what a person does with it and sees of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from lockhouse.chat.conversations import Conversation
from lockhouse.ui.app import App
from lockhouse.ui.chat.page import ChatPage
from lockhouse.ui.main_window import MainWindow
from lockhouse.ui.transcript.values import TranscriptMessage
from lockhouse.workspace import Workspace

WAIT_MS = 30_000  # a loaded machine answers late; nothing here asserts a time


class Window:
    """What a person does and sees."""

    def __init__(self, app: App, workspace: Workspace, qtbot: QtBot) -> None:
        self.app = app
        self.workspace = workspace
        self.qtbot = qtbot

    @property
    def main(self) -> MainWindow:
        return self.app.window

    @property
    def page(self) -> ChatPage:
        return self.app.window.chat

    @property
    def messages(self) -> list[TranscriptMessage]:
        """What the reader sees, streamed text included."""
        items = self.page.transcript._board.items
        return [dataclasses.replace(item.message, text=item.text()) for item in items]

    @property
    def last(self) -> TranscriptMessage:
        return self.messages[-1]

    @property
    def titles(self) -> list[str]:
        model = self.page.list_panel.model
        return [model.row(number).title for number in range(model.rowCount())]

    def until(self, true: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(true, timeout=WAIT_MS)

    def idle(self) -> None:
        """Wait for all answers, and for what is still to be stored and shown.

        A question that has to be confirmed in a chat that is not open is waited for by nobody.
        """
        held = self.page.dialogs._held
        runs = self.app.asking.runs
        self.until(lambda: all(run.conversation_id in held for run in runs.all_running()))
        self.stored()

    def stored(self) -> None:
        """Wait for everything that was handed in to be stored and shown."""
        self._pass_through()
        self._pass_through()  # what came back may have handed in more

    def _pass_through(self) -> None:
        seen: list[object] = []
        self.app.jobs.run_in_order(lambda: None, seen.append, _fail)
        self.until(lambda: bool(seen))

    def type_and_send(self, text: str) -> None:
        self.page.composer.edit.setFocus()
        self.qtbot.keyClicks(self.page.composer.edit, text)
        self.qtbot.keyClick(self.page.composer.edit, Qt.Key.Key_Return)

    def ask(self, text: str) -> TranscriptMessage:
        """Ask and wait for the answer."""
        before, told = len(self.messages), self.page.banners.messages
        self.type_and_send(text)
        self.until(lambda: len(self.messages) > before or self.page.banners.messages != told)
        self.idle()
        return self.last

    def press(self, name: str, inside: QWidget | None = None) -> None:
        """Click the button of that object name."""
        button = (inside or self.main).findChild(QAbstractButton, name)
        assert button is not None, f"no button named {name}"
        assert button.isEnabled(), f"{name} is disabled"
        button.click()

    def dialog(self, name: str) -> QDialog:
        """The dialog of that object name, once it is there."""

        def find() -> QDialog | None:
            for widget in QApplication.topLevelWidgets():
                named = isinstance(widget, QDialog) and widget.objectName() == name
                if named and widget.isVisible():
                    return widget  # type: ignore[return-value]
            return None

        self.until(lambda: find() is not None)
        found = find()
        assert found is not None
        return found

    def open(self, conversation: Conversation) -> None:
        self.page.open_chat(conversation.id)
        self.until(lambda: self.app.chat.conversation_id == conversation.id)
        self.stored()


def _fail(error: Exception) -> None:
    raise error


def close(window: Window) -> None:
    """End a window as its user does, and take its widgets away."""
    if not shiboken6.isValid(window.app):
        return
    window.app.window.close()
    window.app.close()
    window.app.setParent(None)
    for part in (window.app.window, window.app):
        shiboken6.delete(part)


OpenWindow = Callable[..., Window]
