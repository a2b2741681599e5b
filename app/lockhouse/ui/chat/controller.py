"""The open conversation: which one it is, and what belongs to it.

Asking and the queue are in :attr:`ChatController.answers`, other versions in ``versions``. No
widgets in here. Stored data is read and written through ordered jobs; what is on the page follows
from the signals, never from what a method returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from lockhouse.answer.registry import TargetRegistry
from lockhouse.chat.conversations import Conversation, Conversations, Message
from lockhouse.chat.turns import Turns
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.core.messages import Image
from lockhouse.ui.chat.answering import Answering
from lockhouse.ui.chat.attachments import Pictures, PreparedPicture
from lockhouse.ui.chat.elsewhere import RemoteAccess
from lockhouse.ui.chat.export import Export
from lockhouse.ui.chat.forwarding import Forwarding
from lockhouse.ui.chat.runs import Runs
from lockhouse.ui.chat.tasks import Tasks
from lockhouse.ui.chat.values import MessageChanged, OpenedChat, PathChanged
from lockhouse.ui.chat.versions import Versions
from lockhouse.ui.jobs import Failure, Jobs, ignore
from lockhouse.ui.settings.store import SettingsStore

_Result = TypeVar("_Result")


class ChatController(QObject):
    """One conversation at a time on the page; answers of others go on behind it."""

    opened = Signal(object)  # OpenedChat
    path_changed = Signal(object)  # PathChanged
    message_changed = Signal(object)  # MessageChanged
    conversation_changed = Signal(object)  # Conversation: title, target, parameters
    noticed = Signal(object)  # Note
    failed = Signal(object)  # LockhouseError
    gone = Signal(object)  # Conversation: deleted by somebody else while it is open
    stored = Signal(str)  # id of a conversation that was written: lists follow it

    def __init__(
        self,
        conversations: Conversations,
        turns: Turns,
        targets: TargetRegistry,
        settings: SettingsStore,
        elsewhere: RemoteAccess,
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self._settings = settings
        self._jobs = jobs
        self.runs = Runs(jobs, self)
        self.exporting = Export(conversations, jobs, self)
        self.pictures = Pictures(jobs, self)
        self.forwarding = Forwarding(elsewhere, jobs, self)
        self.forwarding.failed.connect(self.fail)
        self.answers = Answering(self, conversations, turns, targets, settings, jobs)
        self.versions = Versions(self, conversations, jobs)
        self.tasks = Tasks(self, turns, targets, settings)
        self._open: Conversation | None = None
        self._wanted = ""  # id of the conversation being opened
        self._targets_to_write = 0  # until then, what is read says who was chosen before
        self._new_draft = ""
        self._new_target = ""
        self._new_system = ""
        self._new_parameters: dict[str, object] = {}

    # -- opening ----------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation | None:
        """The one on the page."""
        return self._open

    @property
    def conversation_id(self) -> str:
        """Its id, "" while it is a new one."""
        return self._open.id if self._open else ""

    def new_chat(self) -> None:
        """An empty page. Nothing is stored before the first question."""
        self._wanted = ""
        self._open = None
        self.opened.emit(OpenedChat(None))
        self.answers.tell_queue()

    def open(self, conversation_id: str, *, scroll_to: str = "", highlight: str = "") -> None:
        """Show a conversation, at a message when one is named."""
        self._wanted = conversation_id
        running = self.runs.running(conversation_id) is not None

        def read() -> tuple[Conversation, list[Message]]:
            found = self._conversations.get(conversation_id)
            path = self._conversations.path(found.id)
            if scroll_to and all(message.id != scroll_to for message in path):
                if running:  # the answer goes on below what is shown now
                    return found, self._conversations.path(found.id, scroll_to)
                self._conversations.select_version(scroll_to, 0)
                found = self._conversations.get(conversation_id)
                path = self._conversations.path(found.id)
            return found, path

        def show(result: tuple[Conversation, list[Message]]) -> None:
            if self._wanted != conversation_id:
                return
            self._open = result[0]
            self.opened.emit(OpenedChat(result[0], tuple(result[1]), scroll_to, highlight))
            self.answers.take_up()

        def fail(error: LockhouseError) -> None:
            if isinstance(error, NotFound):
                self.stored.emit(conversation_id)  # the list that offered it is behind
                error = LockhouseError("This chat is not there any more. It was deleted elsewhere.")
            self.failed.emit(error)

        self._jobs.run_in_order(read, show, fail)

    def reload(self) -> None:
        """Read the open conversation again."""
        if self._open is None:
            return
        wanted = self._open.id

        def read() -> tuple[Conversation, list[Message]]:
            return self._conversations.get(wanted), self._conversations.path(wanted)

        def show(result: tuple[Conversation, list[Message]]) -> None:
            if self.conversation_id == wanted:
                found = self._take(result[0])
                self.path_changed.emit(PathChanged(found, tuple(result[1])))
                self.conversation_changed.emit(found)

        self._jobs.run_in_order(read, show, self.fail)

    def follow(self) -> None:
        """Somebody wrote to the database: read again if it was to the open conversation."""
        known = self._open
        if known is None or self.runs.running(known.id):
            return

        def compare(now: Conversation) -> None:
            if self._open is known and now != known:
                self.reload()

        self._jobs.run_in_order(
            lambda: self._conversations.get(known.id), compare, lambda _: self.tell_gone(known)
        )

    def load_picture(self, sha256: str, take: Callable[[QImage], None]) -> None:
        """A picture of a message, small."""
        self.pictures.thumbnail(lambda: self._conversations.picture(sha256), take)

    # -- what belongs to the conversation ---------------------------------------------------

    def rename(self, title: str) -> None:
        """Give the open conversation a title."""
        wanted = self.conversation_id
        if wanted and title.strip():
            self.change(lambda: self._conversations.rename(wanted, title.strip()))

    def set_target(self, name: str) -> None:
        """Who answers from now on."""
        wanted = self.conversation_id
        if self._open is None:
            self._new_target = name
        else:  # in force at once: the next message must not go where it went before
            self._open = msgspec.structs.replace(self._open, target=name)
            self._targets_to_write += 1

            def write() -> None:
                self._conversations.set_target(wanted, name)

            self.change(write, lambda _: self._target_written(), self._target_written)

    def _target_written(self, error: LockhouseError | None = None) -> None:
        self._targets_to_write -= 1
        if error is not None:
            self.fail(error)
            self.reload()

    def _take(self, found: Conversation) -> Conversation:
        """What was read is the open conversation now, but for a choice that is still written."""
        if self._open is not None and self._open.id == found.id and self._targets_to_write:
            found = msgspec.structs.replace(found, target=self._open.target)
        self._open = found
        return found

    @property
    def target(self) -> str:
        """Who answers: a target's name, "" for the default one."""
        return self._open.target if self._open else self._new_target

    @property
    def system(self) -> str:
        """The system prompt in force."""
        if self._open:
            return self._open.system
        return self._new_system or self._settings.current.system_prompt

    @property
    def parameters(self) -> dict[str, object]:
        """What this conversation sets differently from the settings."""
        return dict(self._open.parameters) if self._open else dict(self._new_parameters)

    def set_system(self, text: str) -> None:
        """Give this conversation a system prompt of its own."""
        wanted = self.conversation_id
        if not wanted:
            self._new_system = text
        else:
            self.change(lambda: self._conversations.set_system(wanted, text))

    def set_parameters(self, parameters: dict[str, object]) -> None:
        """Set what differs from the settings in this conversation."""
        wanted = self.conversation_id
        if not wanted:
            self._new_parameters = dict(parameters)
        else:
            self.change(lambda: self._conversations.set_parameters(wanted, parameters))

    def save_draft(self, conversation_id: str, text: str) -> None:
        """Keep what is typed and not sent."""
        if not conversation_id:
            self._new_draft = text
        else:
            self._jobs.run_in_order(
                lambda: self._conversations.save_draft(conversation_id, text),
                lambda _: None,
                self.fail,
            )

    def drop_draft(self, conversation_id: str, text: str) -> None:
        """Its draft was sent; another one that was typed since stays."""
        if not conversation_id:
            self._new_draft = "" if self._new_draft.strip() == text else self._new_draft
            return

        def drop() -> None:
            if self._conversations.get(conversation_id).draft.strip() == text:
                self._conversations.save_draft(conversation_id, "")
                self._conversations.save_draft_pictures(conversation_id, ())

        self._jobs.run_in_order(drop, lambda _: None, ignore)

    def give_back(self, conversation_id: str, text: str, images: tuple[Image, ...] = ()) -> None:
        """What could not be asked in a chat that is not open becomes part of its draft."""
        if not conversation_id:
            self._new_draft = f"{self._new_draft}\n\n{text}".strip() if text else self._new_draft

        def fail(error: LockhouseError) -> None:
            if not isinstance(error, NotFound):  # that the chat is gone is told by itself
                self.fail(error)

        self._jobs.run_in_order(
            lambda: self._conversations.add_to_draft(conversation_id, text, images),
            lambda _: None,
            fail,
        )

    def save_draft_pictures(self, conversation_id: str, images: tuple[Image, ...]) -> None:
        """Keep the pictures that go along with what is typed."""
        self._jobs.run_in_order(
            lambda: self._conversations.save_draft_pictures(conversation_id, images),
            lambda _: None,
            self.fail,
        )

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

    @property
    def new_draft(self) -> str:
        """What was typed in a new chat."""
        return self._new_draft

    def restore_new_draft(self, text: str) -> None:
        """What was typed in a new chat before the last window was closed."""
        self._new_draft = text

    # -- for its parts ----------------------------------------------------------------------

    def create(self, then: Callable[[Conversation], None], failed: Failure) -> None:
        """Store the new chat as it was set up, show it, and go on with it."""
        target, system, parameters = self._new_target, self.system, self._new_parameters

        def work() -> Conversation:
            created = self._conversations.create(target=target, system=system)
            self._conversations.save_draft_pictures("", ())
            if parameters:
                self._conversations.set_parameters(created.id, parameters)
                created = self._conversations.get(created.id)
            return created

        def begin(created: Conversation) -> None:
            self._new_draft = self._new_system = ""
            self._new_parameters = {}
            if self.forwarding.is_elsewhere(target):
                self._new_target = ""  # chosen for this chat, not for those that follow
            self._open, self._wanted = created, created.id
            self.opened.emit(OpenedChat(created, is_begun=True))
            then(created)

        self._jobs.run_in_order(work, begin, failed)

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

    def read_message(self, conversation_id: str, message_id: str) -> None:
        """Only what an answer changed: a long conversation is not read for every answer."""
        if conversation_id != self.conversation_id:
            return

        def read() -> MessageChanged:
            return MessageChanged(
                self._conversations.get(conversation_id), self._conversations.message(message_id)
            )

        def show(changed: MessageChanged) -> None:
            if self.conversation_id == conversation_id:
                found = self._take(changed.conversation)
                self.message_changed.emit(changed)
                self.conversation_changed.emit(found)

        self._jobs.run_in_order(read, show, ignore)

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
        """Somebody else deleted it."""
        if self.conversation_id == known.id:
            self.gone.emit(known)
