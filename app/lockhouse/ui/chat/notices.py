"""What the Chat page tells in a banner or a toast, with what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from lockhouse.chat.conversations import Conversation
from lockhouse.ui.chat.asking import Asking
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.open_chat import OpenChat
from lockhouse.ui.chat.values import Note, Rejected
from lockhouse.ui.chat.work_area import WorkArea

_Actions = list[tuple[str, str, Callable[[], None]]]


class Notices:
    """Errors of the page itself are shown by the page: they also end what it waits for."""

    def __init__(
        self,
        chat: OpenChat,
        asking: Asking,
        listing: ListController,
        work: WorkArea,
        *,
        import_model: Callable[[], None],
    ) -> None:
        self._chat = chat
        self._asking = asking
        self._listing = listing
        self._work = work
        self._import_model = import_model

    def say(self, note: Note) -> None:
        """Warnings stay in a banner, all else passes in a toast."""
        if note.kind == "warning":
            self._work.banners.say(note.text, tone="warning")
        else:
            self._work.toast.say(note.text, undo_token=note.undo_token)

    def tell_rejected(self, rejected: Rejected) -> None:
        """A question was not stored: it goes back where it was typed, and why is told."""
        conversation_id = self._chat.id_of(rejected.chat)
        is_here = conversation_id == self._chat.conversation_id
        if question := rejected.returned:
            if is_here:
                self._work.composer.take_back(question.text, question.images)
            else:
                self._chat.give_back(conversation_id, question.text, question.images)
        failed = rejected.failed
        if failed is None or rejected.is_gone:
            return
        if not is_here:
            self._asking.note(rejected.chat, Note(f"{failed.message} {failed.hint}", "warning"))
            self._work.toast.say("A message in another chat could not be sent")
            return
        actions: _Actions = []
        hint = failed.hint
        if failed.code == "no_model":
            actions = [("import", "Import a file…", self._import_model)]
            hint = "Import a GGUF file to start."
        self._work.banners.say(failed.message, hint, actions=actions)

    def tell_gone(self, gone: Conversation) -> None:
        """The open chat was deleted by another process."""

        def restore() -> None:
            self._listing.restore(gone.id)
            self._chat.reload()

        actions: _Actions = [("restore", "Restore", restore)]
        leaf = gone.active_leaf_id
        if leaf is not None:
            actions.append(("keep", "Keep as new chat", lambda: self._chat.branch(leaf)))
        words = "This chat was deleted elsewhere."
        self._work.banners.say(words, tone="warning", actions=actions)
