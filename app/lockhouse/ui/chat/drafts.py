"""Keeps what is typed or attached and not sent: after a pause, and before another chat opens."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject

from lockhouse.chat.conversations import Conversation
from lockhouse.chat.text_attachments import Attachment, with_attachments
from lockhouse.core.messages import Image
from lockhouse.ui.chat.attachments import PreparedPicture
from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.timers import once

_PAUSE_MS = 400


class Drafts(QObject):
    """Keeps the draft of the chat that the composer writes into, and no other."""

    def __init__(self, chat: OpenChat, composer: Composer) -> None:
        super().__init__(composer)
        self._chat = chat
        self._composer = composer
        self._loaded_id: str | None = None
        self._kept = ""
        self._kept_images: tuple[Image, ...] = ()
        self._awaited: object | None = None  # the look for stored pictures that is under way
        self._pause = once(self, _PAUSE_MS, self.keep)
        composer.draft_changed.connect(self._pause.start)

    @property
    def has_loaded(self) -> bool:
        """Whether the composer writes into a chat, be it one that is stored or a new one."""
        return self._loaded_id is not None

    def load(self, conversation: Conversation | None) -> None:
        """Write into that one from now on; None is a new one."""
        here = conversation.id if conversation else ""
        if here == self._loaded_id:
            return  # what stands there may be newer than what was read
        self.leave()
        self._loaded_id = here
        self._kept = conversation.draft if conversation else self._chat.new_draft
        self._kept_images = ()
        self._composer.load(self._kept, here)
        self._awaited = look = object()
        self._chat.load_draft_pictures(here, lambda kept: self._restore(look, kept))

    def go_on_in(self, created: Conversation) -> None:
        """The new chat was stored. What was typed since its question was sent belongs to it."""
        if self._loaded_id != "":
            self.load(created)
            return
        self._loaded_id = created.id
        self._kept, self._kept_images, self._awaited = "", (), None
        self._composer.go_on_in(created.id)
        self._pause.start()

    def _restore(self, look: object, kept: Sequence[PreparedPicture]) -> None:
        if look is not self._awaited:
            return
        self._awaited = None
        self._kept_images = tuple(ready.image for ready in kept)
        self._composer.restore_pictures(kept)
        self._pause.start()  # for what was attached meanwhile

    def keep(self) -> None:
        """Store what is typed and attached."""
        self._pause.stop()
        if self._loaded_id is None:
            return
        draft, images = self._composer.draft, self._composer.images
        if draft != self._kept:
            self._kept = draft
            self._chat.save_draft(self._loaded_id, draft)
        if images != self._kept_images and self._awaited is None:
            self._kept_images = images
            self._chat.save_draft_pictures(self._loaded_id, images)

    def leave(self) -> None:
        """Store it before another chat comes, or the end of the window."""
        self.keep()
        images = self._composer.images
        if self._loaded_id is not None and self._awaited is not None and images:
            self._chat.give_back(self._loaded_id, "", images)  # beside those that did not come yet

    def add_picture(self, key: str, ready: PreparedPicture) -> None:
        """A picture was prepared for the chat of that key, which may not be open any more."""
        chat = self._chat.id_of(key)
        if chat == self._loaded_id:
            self._composer.add_picture(ready)
        else:
            self._chat.give_back(chat, "", (ready.image,))

    def add_file(self, key: str, attachment: Attachment) -> None:
        """A file was read for the chat of that key, which may not be open any more."""
        chat = self._chat.id_of(key)
        if chat == self._loaded_id:
            self._composer.add_file(attachment)
        else:
            self._chat.give_back(chat, with_attachments("", [attachment]))

    def forget_sent(self, chat: str, text: str) -> None:
        """What was typed in a chat that is not open any more was sent: it is no draft now."""
        if chat != self._loaded_id:
            self._chat.drop_draft(chat, text)

    def forget(self) -> None:
        """Its chat was deleted: there is nothing to keep it in."""
        self._loaded_id = None
