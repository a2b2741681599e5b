"""What is typed and not sent is kept: after a pause, and before another chat comes."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from lockhouse.chat.conversations import Conversation
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.controller import ChatController

_PAUSE_MS = 400


class Drafts(QObject):
    """Keeps the draft of the chat that the composer writes into, and no other."""

    def __init__(self, chat: ChatController, composer: Composer) -> None:
        super().__init__(composer)
        self._chat = chat
        self._composer = composer
        self._loaded_id: str | None = None
        self._kept = ""
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self.keep)
        composer.draft_changed.connect(self._pause.start)

    @property
    def has_loaded(self) -> bool:
        """Whether the composer writes into a chat, be it one that is stored or a new one."""
        return self._loaded_id is not None

    def load(self, conversation: Conversation | None) -> None:
        """Write into that one from now on; None is a new one."""
        self._loaded_id = conversation.id if conversation else ""
        self._kept = conversation.draft if conversation else self._chat.new_draft
        self._composer.load(self._kept, self._loaded_id)

    def keep(self) -> None:
        """Store what is typed."""
        self._pause.stop()
        draft = self._composer.draft
        if self._loaded_id is not None and draft != self._kept:
            self._kept = draft
            self._chat.save_draft(self._loaded_id, draft)

    def forget_sent(self, chat: str, text: str) -> None:
        """What was typed in a chat that is not open any more is on its way: no draft of it now."""
        if chat != self._loaded_id:
            self._chat.drop_draft(chat, text)

    def forget(self) -> None:
        """Its chat is gone: there is nothing to keep it in."""
        self._loaded_id = None
