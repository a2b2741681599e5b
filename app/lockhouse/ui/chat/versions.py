"""The tree of the open conversation: other versions of a message, and branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockhouse.chat.conversations import Conversation, Conversations, Message
from lockhouse.ui.chat.values import Note, Question
from lockhouse.ui.jobs import Jobs

if TYPE_CHECKING:
    from lockhouse.ui.chat.controller import ChatController


class Versions:
    """Nothing is ever overwritten: an edit is another version beside the one before."""

    def __init__(self, chat: ChatController, conversations: Conversations, jobs: Jobs) -> None:
        self._chat = chat
        self._conversations = conversations
        self._jobs = jobs

    def edit(self, message: Message, text: str, *, send: bool) -> None:
        """A new version of a message; ``send`` has a question answered again."""
        opened = self._chat.conversation
        if opened is None or not text.strip() or (text == message.content and not send):
            return
        if message.role != "user" or not send:
            self._edit_only(message, text)
            return
        if self._chat.runs.running(opened.id):
            words = "Stop the answer first, then edit the question."
            self._chat.noticed.emit(Note(words, "warning"))
            return
        self._chat.tasks.message(Question(text, parent_id=message.parent_id, edits=message.id))

    def _edit_only(self, message: Message, text: str) -> None:
        def work() -> int:
            path = [one.id for one in self._conversations.path(message.conversation_id)]
            later = len(path) - 1 - path.index(message.id) if message.id in path else 0
            self._conversations.edit(message.id, text)
            return later

        def told(later: int) -> None:
            if later:
                what = "message after it stays" if later == 1 else "messages after it stay"
                words = f"Edited. The {later} {what} with the version before: ‹ under it goes back."
                self._chat.noticed.emit(Note(words))

        self._chat.change(work, told)

    def select(self, message_id: str, offset: int) -> None:
        """The version before (-1) or after (+1)."""
        if self._chat.runs.running(self._chat.conversation_id):
            words = "Versions can be changed once the answer has ended."
            self._chat.noticed.emit(Note(words))
            return
        self._chat.change(lambda: self._conversations.select_version(message_id, offset))

    def branch(self, message_id: str) -> None:
        """A new conversation that begins with everything up to that message."""

        def show(created: Conversation) -> None:
            self._chat.stored.emit(created.id)
            self._chat.open(created.id)
            self._chat.noticed.emit(Note(f"Branched into “{created.title}”", "success"))

        self._jobs.run_in_order(
            lambda: self._conversations.branch(message_id), show, self._chat.fail
        )
