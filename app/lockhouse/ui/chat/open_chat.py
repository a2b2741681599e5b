"""The chat on the page: which one it is, its settings, drafts and versions of messages.

Knows nothing of asking, and holds no widgets. Stored data is read and written through ordered
jobs; what is on the page follows from the signals, never from what a method returns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from lockhouse.chat.conversations import Conversation, Conversations, Message
from lockhouse.chat.turns import NewChat
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.core.labels import LABELS, Label
from lockhouse.core.messages import Image
from lockhouse.ui.chat.attachments import DocumentFiles, Pictures, PreparedPicture
from lockhouse.ui.chat.export import Export
from lockhouse.ui.chat.values import Note, OpenedChat
from lockhouse.ui.jobs import Failure, Jobs, ignore
from lockhouse.ui.settings.store import SettingsStore

_Result = TypeVar("_Result")
_Found = tuple[Conversation, list[Message]]


class OpenChat(QObject):
    """One chat at a time: a stored one, or a new one of which nothing is stored yet.

    ``key`` tells chats apart: the id of a stored one, and a name of its own for each new one.
    """

    opened = Signal(object)  # OpenedChat
    path_changed = Signal(object)  # OpenedChat: the same chat with other messages
    message_changed = Signal(object)  # Message
    conversation_changed = Signal(object)  # Conversation: title, target, parameters
    noticed = Signal(object)  # Note
    failed = Signal(object)  # LockhouseError
    gone = Signal(object)  # Conversation: deleted by another process while it is open
    stored = Signal(str)  # id of a conversation that was written

    def __init__(
        self,
        conversations: Conversations,
        settings: SettingsStore,
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self._settings = settings
        self._jobs = jobs
        self.export = Export(conversations, jobs, self)
        self.pictures = Pictures(jobs, self)
        self.documents = DocumentFiles(jobs, self)
        self._open: Conversation | None = None
        self._new = NewChat()
        self._new_system: str | None = None  # of a new chat; None: that of the settings
        self._numbers = itertools.count(1)
        self._ids: dict[str, str] = {}  # of new chats by their keys, "" until they are stored
        self._key = self._next_key()
        self._wanted = ""  # id of the conversation being opened
        self._target_writes = 0  # until they are done, what is read has the target before
        self.new_draft = ""  # what is typed in a new chat; it may come from the window before

    # -- opening ----------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation | None:
        """The stored one, None while it is new."""
        return self._open

    @property
    def conversation_id(self) -> str:
        """Its id, "" while it is new."""
        return self._open.id if self._open else ""

    @property
    def key(self) -> str:
        """What tells it from all other chats, new ones included."""
        return self._open.id if self._open else self._key

    def id_of(self, key: str) -> str:
        """The conversation of that key, "" for a chat that is not stored."""
        return self._ids.get(key, key)

    def new_chat(self, *, keep_choices: bool = True) -> None:
        """An empty page. Nothing is stored before the first question."""
        if not keep_choices:
            self._new, self._new_system = NewChat(), None
        self._wanted = ""
        self._open = None
        self._key = self._next_key()
        self.opened.emit(OpenedChat(None))

    def _next_key(self) -> str:
        key = f"new-{next(self._numbers)}"
        self._ids[key] = ""
        return key

    def open(
        self, conversation_id: str, *, scroll_to: str = "", highlight: str = "", select: bool = True
    ) -> None:
        """Show a stored chat, at a message when one is named.

        ``select`` makes the branch of that message the active one; otherwise it is only shown.
        """
        self._wanted = conversation_id

        def read() -> _Found:
            found = self._conversations.get(conversation_id)
            path = self._conversations.path(found.id)
            if scroll_to and all(message.id != scroll_to for message in path):
                if not select:
                    return found, self._conversations.path(found.id, scroll_to)
                self._conversations.select_version(scroll_to, 0)
                found = self._conversations.get(conversation_id)
                path = self._conversations.path(found.id)
            return found, path

        def show(result: _Found) -> None:
            if self._wanted == conversation_id:
                self._open = result[0]
                self.opened.emit(OpenedChat(result[0], tuple(result[1]), scroll_to, highlight))

        def fail(error: LockhouseError) -> None:
            if isinstance(error, NotFound):
                self.stored.emit(conversation_id)  # the list that offered it is out of date
                error = LockhouseError("This chat no longer exists. It was deleted elsewhere.")
            self.failed.emit(error)

        self._jobs.run_in_order(read, show, fail)

    def begin(self, key: str, created: Conversation, *, next_target: str) -> None:
        """A new chat was stored with its first question; it may not be on the page any more.

        ``next_target`` stays chosen for new chats that follow.
        """
        self._ids[key] = created.id
        if self._open is not None or key != self._key:
            return
        self.new_draft = ""
        self.save_draft_pictures("", ())
        self._new, self._new_system = NewChat(target=next_target), None
        self._open = created
        if not self._wanted:
            self._wanted = created.id
        self.opened.emit(OpenedChat(created, is_begun=True))

    def reload(self) -> None:
        """Read the open conversation again."""
        if self._open is None:
            return
        wanted = self._open.id

        def show(result: _Found) -> None:
            if self.conversation_id == wanted:
                found = self._merge(result[0])
                self.path_changed.emit(OpenedChat(found, tuple(result[1])))
                self.conversation_changed.emit(found)

        self._jobs.run_in_order(
            lambda: (self._conversations.get(wanted), self._conversations.path(wanted)),
            show,
            self.fail,
        )

    def read_title(self) -> None:
        """Title, pin or folder may have changed, and nothing that was said."""
        wanted = self.conversation_id
        if wanted:
            self._jobs.run_in_order(lambda: self._conversations.get(wanted), self.update, ignore)

    def follow(self) -> None:
        """Another process wrote to the database: read again if this chat was changed."""
        known = self._open
        if known is None:
            return

        def compare(now: Conversation) -> None:
            if self._open is known and now != known:
                self.reload()

        self._jobs.run_in_order(
            lambda: self._conversations.get(known.id), compare, lambda _: self.tell_gone(known)
        )

    def read_message(self, conversation_id: str, message_id: str) -> None:
        """Only what an answer changed: a long conversation is not read for every answer."""
        if conversation_id != self.conversation_id:
            return

        def read() -> tuple[Conversation, Message]:
            conversation = self._conversations.get(conversation_id)
            return conversation, self._conversations.message(message_id)

        def show(result: tuple[Conversation, Message]) -> None:
            if self.conversation_id == conversation_id:
                found = self._merge(result[0])
                self.message_changed.emit(result[1])
                self.conversation_changed.emit(found)

        self._jobs.run_in_order(read, show, ignore)

    def update(self, conversation: Conversation) -> None:
        """It was changed by an answer that begins: title, branch, time."""
        if conversation.id == self.conversation_id:
            self.conversation_changed.emit(self._merge(conversation))

    def load_picture(self, sha256: str, take: Callable[[QImage], None]) -> None:
        """A picture of a message, small."""
        self.pictures.thumbnail(lambda: self._conversations.picture(sha256), take)

    # -- what belongs to the chat -----------------------------------------------------------

    @property
    def setup(self) -> NewChat:
        """How a new chat is set up; what is not chosen comes from the settings."""
        return msgspec.structs.replace(self._new, system=self.system)

    @property
    def target(self) -> str:
        """Who answers: a target's name, "" for the default one."""
        return self._open.target if self._open else self._new.target

    @property
    def system(self) -> str:
        """The system prompt in force."""
        if self._open:
            return self._open.system
        own = self._new_system
        return self._settings.current.system_prompt if own is None else own

    @property
    def parameters(self) -> dict[str, object]:
        """What this chat sets differently from the settings."""
        return dict(self._open.parameters if self._open else self._new.parameters)

    @property
    def label(self) -> Label:
        """How confidential the chat is."""
        stored = self._open.label if self._open else self._new.label
        return next((label for label in LABELS if label == stored), "public")

    def rename(self, title: str) -> None:
        """Give the open conversation a title."""
        wanted = self.conversation_id
        if wanted and title.strip():
            self.change(lambda: self._conversations.rename(wanted, title.strip()))

    def set_target(self, name: str) -> None:
        """Who answers from now on."""
        wanted = self.conversation_id
        if self._open is None:
            self._new = msgspec.structs.replace(self._new, target=name)
            return
        # In force at once: the next message must not go where the last one went.
        self._open = msgspec.structs.replace(self._open, target=name)
        self._target_writes += 1
        self.change(
            lambda: self._conversations.set_target(wanted, name),
            lambda _: self._target_written(),
            self._target_written,
        )

    def _target_written(self, error: LockhouseError | None = None) -> None:
        self._target_writes -= 1
        if error is not None:
            self.fail(error)
            self.reload()

    def _merge(self, found: Conversation) -> Conversation:
        """What was read is the open conversation now, but for a target that is still written."""
        if self._open is not None and self._open.id == found.id and self._target_writes:
            found = msgspec.structs.replace(found, target=self._open.target)
        self._open = found
        return found

    def set_system(self, text: str) -> None:
        """Give this chat a system prompt of its own; an empty one is none."""
        if not self.conversation_id:
            self._new_system = text
        self._set(lambda wanted: self._conversations.set_system(wanted, text))

    def set_parameters(self, parameters: dict[str, object]) -> None:
        """Set what differs from the settings in this chat."""
        self._set(
            lambda wanted: self._conversations.set_parameters(wanted, parameters),
            parameters=dict(parameters),
        )

    def set_label(self, label: str) -> None:
        """Set how confidential this chat is; in force at once."""
        if self._open is not None:
            self._open = msgspec.structs.replace(self._open, label=label)
        self._set(lambda wanted: self._conversations.set_label(wanted, label), label=label)

    def _set(self, write: Callable[[str], None], **new: object) -> None:
        wanted = self.conversation_id
        if wanted:
            self.change(lambda: write(wanted))
        else:
            self._new = msgspec.structs.replace(self._new, **new)

    # -- drafts -----------------------------------------------------------------------------

    def save_draft(self, conversation_id: str, text: str) -> None:
        """Keep what is typed and not sent."""
        if not conversation_id:
            self.new_draft = text
        else:
            self._write(lambda: self._conversations.save_draft(conversation_id, text))

    def drop_draft(self, conversation_id: str, text: str) -> None:
        """Its draft was sent; another one that was typed since stays."""
        if not conversation_id:
            self.new_draft = "" if self.new_draft.strip() == text else self.new_draft
            return

        def drop() -> None:
            if self._conversations.get(conversation_id).draft.strip() == text:
                self._conversations.save_draft(conversation_id, "")
                self._conversations.save_draft_pictures(conversation_id, ())

        self._write(drop, ignore)

    def give_back(self, conversation_id: str, text: str, images: tuple[Image, ...] = ()) -> None:
        """What could not be asked in a chat that is not open becomes part of its draft."""
        if not conversation_id:
            self.new_draft = f"{self.new_draft}\n\n{text}".strip() if text else self.new_draft

        def fail(error: LockhouseError) -> None:
            if not isinstance(error, NotFound):  # that the chat is gone is told elsewhere
                self.fail(error)

        self._write(lambda: self._conversations.add_to_draft(conversation_id, text, images), fail)

    def save_draft_pictures(self, conversation_id: str, images: tuple[Image, ...]) -> None:
        """Keep the pictures that are attached to what is typed."""
        self._write(lambda: self._conversations.save_draft_pictures(conversation_id, images))

    def load_draft_pictures(
        self, conversation_id: str, take: Callable[[tuple[PreparedPicture, ...]], None]
    ) -> None:
        """Those that were kept, none where they cannot be read; waits for what is being stored."""

        def fail(error: LockhouseError) -> None:
            self.fail(error)
            take(())

        self._jobs.run_in_order(
            lambda: self._conversations.draft_pictures(conversation_id),
            lambda kept: self.pictures.prepare_all(kept, take, fail),
            fail,
        )

    def _write(self, work: Callable[[], object], failed: Failure | None = None) -> None:
        self._jobs.run_in_order(work, lambda _: None, failed or self.fail)

    # -- versions ---------------------------------------------------------------------------

    def edit_message(self, message: Message, text: str) -> None:
        """Another version of a message, beside the one before; nothing is overwritten."""

        def work() -> int:
            path = [one.id for one in self._conversations.path(message.conversation_id)]
            later = len(path) - 1 - path.index(message.id) if message.id in path else 0
            self._conversations.edit(message.id, text)
            return later

        def tell(later: int) -> None:
            if later:
                what = "message after it stays" if later == 1 else "messages after it stay"
                words = f"Edited. The {later} {what} with the previous version: go back with ‹."
                self.noticed.emit(Note(words))

        self.change(work, tell)

    def select_version(self, message_id: str, offset: int) -> None:
        """The version before (-1) or after (+1)."""
        self.change(lambda: self._conversations.select_version(message_id, offset))

    def branch(self, message_id: str) -> None:
        """A new conversation that begins with everything up to that message."""

        def show(created: Conversation) -> None:
            self.stored.emit(created.id)
            self.open(created.id)
            self.noticed.emit(Note(f"Branched into “{created.title}”", "success"))

        self._jobs.run_in_order(lambda: self._conversations.branch(message_id), show, self.fail)

    # -- for its users ----------------------------------------------------------------------

    def change(
        self,
        work: Callable[[], _Result],
        tell: Callable[[_Result], None] | None = None,
        failed: Failure | None = None,
    ) -> None:
        """Write something of the open conversation, then read it again."""
        wanted = self.conversation_id

        def then(result: _Result) -> None:
            if tell is not None:
                tell(result)
            self.stored.emit(wanted)
            if self.conversation_id == wanted:
                self.reload()

        self._jobs.run_in_order(work, then, failed or self.fail)

    def fail(self, error: LockhouseError) -> None:
        """Tell what failed; in a chat that was deleted elsewhere, that instead."""
        known = self._open
        if known is None or not isinstance(error, NotFound):
            self.failed.emit(error)
            return
        self._jobs.run_in_order(
            lambda: self._conversations.get(known.id),
            lambda _: self.failed.emit(error),
            lambda _: self.tell_gone(known),
        )

    def tell_gone(self, known: Conversation) -> None:
        """It was deleted by another process."""
        if self.conversation_id == known.id:
            self.gone.emit(known)
