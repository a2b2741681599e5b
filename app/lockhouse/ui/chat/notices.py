"""What the Chat page tells in a banner or in passing, with the ways on from it."""

from __future__ import annotations

from collections.abc import Callable

from lockhouse.chat.conversations import Conversation
from lockhouse.ui.chat.controller import ChatController
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.transcript_model import TranscriptModel
from lockhouse.ui.chat.values import Note, Refused
from lockhouse.ui.chat.work_area import WorkArea


class Notices:
    """Errors themselves are the page's: they also end what it waits for."""

    def __init__(
        self,
        chat: ChatController,
        listing: ListController,
        thread: TranscriptModel,
        work: WorkArea,
        *,
        import_model: Callable[[], None],
    ) -> None:
        self._chat = chat
        self._listing = listing
        self._thread = thread
        self._work = work
        self._import_model = import_model

    def say(self, note: Note) -> None:
        """Something in passing."""
        if note.kind == "warning":
            self._work.banners.say(note.text, tone="warning")
        else:
            self._work.toast.say(note.text, undo_token=note.undo_token)

    def tell_refused(self, refused: Refused) -> None:
        """A question was not even stored: it is given back, and why is told."""
        composer, banners = self._work.composer, self._work.banners
        has_any = bool(refused.text.strip() or refused.images)
        if refused.conversation_id == self._chat.conversation_id:
            composer.set_running(running=False)
            if has_any:
                composer.take_back(refused.text, refused.images)
        elif has_any:
            self._chat.give_back(refused.conversation_id, refused.text, refused.images)
        if refused.is_gone:
            return  # told by itself
        failed = refused.failed
        if failed.code == "no_model":
            ways = [("import", "Import a file…", self._import_model)]
            banners.say(failed.message, "Import a GGUF file to start.", actions=ways)
        else:
            banners.say(failed.message, failed.hint)

    def tell_gone(self, gone: Conversation) -> None:
        """The open chat was deleted by somebody else."""

        def restore() -> None:
            self._listing.restore(gone.id)
            self._chat.reload()

        ways: list[tuple[str, str, Callable[[], None]]] = [("restore", "Restore", restore)]
        if self._thread.messages:
            last = self._thread.messages[-1].id
            ways.append(("keep", "Keep as new chat", lambda: self._chat.versions.branch(last)))
        self._work.banners.say("This chat was deleted elsewhere.", tone="warning", actions=ways)
