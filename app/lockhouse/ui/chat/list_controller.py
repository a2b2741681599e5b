"""The list of chats: pins, folders, deleting with undo, import, search.

No widgets. The list is read again when something was stored here, and when another window or a
command wrote to the same database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lockhouse.chat.conversations import Conversations, Folder, SearchHit
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError
from lockhouse.ui import formatting
from lockhouse.ui.chat.values import Listing, Note
from lockhouse.ui.jobs import JobHandle, Jobs, ignore
from lockhouse.ui.timers import OneAtATime, repetition

if TYPE_CHECKING:
    from lockhouse.chat.import_export import ImportProgress, ImportReport

_WATCH_INTERVAL_MS = 2000
_MANY = 50  # conversations: from here on an import tells how far it is
_LONGEST_REASON = 160


class ListController(QObject):
    """The conversations of this home."""

    listed = Signal(object)  # Listing
    noticed = Signal(object)  # Note
    failed = Signal(object)  # LockhouseError
    removed = Signal(object)  # tuple[str, ...] ids that were deleted
    changed = Signal()  # titles, pins or folders, from the list
    changed_outside = Signal()  # another process wrote

    def __init__(
        self, conversations: Conversations, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self._jobs = jobs
        self._search: JobHandle | None = None
        self._reading = OneAtATime(self._read)
        self._version: int | None = None
        self._watch = repetition(self, _WATCH_INTERVAL_MS, self._look)

    def start(self) -> None:
        """Read the list, and watch for changes by other processes."""
        self._look()
        self.refresh()
        self._watch.start()

    def refresh(self) -> None:
        """Read the list again; several requests at once are one reading."""
        self._reading.want()

    def _read(self) -> None:
        def read() -> Listing:
            return Listing(tuple(self._conversations.list()), tuple(self._conversations.folders()))

        self._jobs.run_in_order(read, self._show, self._refresh_failed)

    def rename(self, conversation_id: str, title: str) -> None:
        """Change the title; an empty one is ignored."""
        if title.strip():
            self._change(lambda: self._conversations.rename(conversation_id, title.strip()))

    def set_pinned(self, ids: Sequence[str], *, pinned: bool) -> None:
        """Pin to the top, or unpin."""
        set_pinned = self._conversations.set_pinned
        self._change(lambda: [set_pinned(one, pinned=pinned) for one in ids])

    def move(self, ids: Sequence[str], folder_id: str | None) -> None:
        """Into a folder, or out of all."""
        set_folder = self._conversations.set_folder
        self._change(lambda: [set_folder(one, folder_id) for one in ids])

    def create_folder(self, name: str, ids: Sequence[str] = ()) -> None:
        """A new folder, with these conversations in it."""
        if not name.strip():
            return

        def change() -> None:
            folder: Folder = self._conversations.create_folder(name.strip())
            for one in ids:
                self._conversations.set_folder(one, folder.id)

        self._change(change)

    def rename_folder(self, folder_id: str, name: str) -> None:
        """Rename a folder."""
        if name.strip():
            self._change(lambda: self._conversations.rename_folder(folder_id, name.strip()))

    def delete_folder(self, folder_id: str) -> None:
        """Remove the folder; its conversations stay."""
        self._change(lambda: self._conversations.delete_folder(folder_id))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete; the note that follows offers to undo it."""
        gone = tuple(ids)
        if not gone:
            return

        def then(token: str) -> None:
            self.removed.emit(gone)
            self.refresh()
            self.noticed.emit(
                Note(f"Deleted {formatting.counted(len(gone), 'chat')}", undo_token=token)
            )

        def work() -> str:
            self._conversations.delete(list(gone))
            return " ".join(gone)

        self._jobs.run_in_order(work, then, self.failed.emit)

    def restore(self, token: str) -> None:
        """Undo a deletion."""
        self._change(lambda: self._conversations.restore(token.split()))

    def import_files(self, paths: Sequence[Path]) -> None:
        """Chats from our own export, ChatGPT or Open WebUI."""
        cancel = CancelToken()
        reports: list[ImportReport] = []
        tenth = 0

        def steps() -> Iterator[ImportProgress | ImportReport]:
            from lockhouse.chat.import_export import import_steps

            for path in paths:
                for step in import_steps(self._conversations, path):
                    yield step
                    if cancel.cancelled:
                        return

        def take(events: list[ImportProgress | ImportReport]) -> None:
            from lockhouse.chat.import_export import ImportReport

            nonlocal tenth
            for step in events:
                if isinstance(step, ImportReport):
                    reports.append(step)
                elif step.total >= _MANY and step.done * 10 // step.total != tenth:
                    tenth = step.done * 10 // step.total
                    words = f"Importing chats: {step.done:,} of {step.total:,}"
                    self.noticed.emit(Note(words))

        def done() -> None:
            self._tell_imported(reports)
            self.refresh()

        def failed(error: LockhouseError) -> None:
            if reports:
                done()
            self.refresh()  # what came in before it stays
            self.failed.emit(error)

        self._jobs.stream(steps, take, done, failed, on_cancel=cancel.cancel)

    def _tell_imported(self, reports: Sequence[ImportReport]) -> None:
        messages = sum(report.messages for report in reports)
        chats = formatting.counted(sum(report.conversations for report in reports), "chat")
        skipped = [sentence for report in reports for sentence in report.skipped]
        text = f"Imported {chats}, {formatting.counted(messages, 'message')}"
        if skipped:
            more = f" (and {len(skipped) - 1:,} more)" if len(skipped) > 1 else ""
            text += f". Left out: {skipped[0][:_LONGEST_REASON]}{more}"
        self.noticed.emit(Note(text, "warning" if skipped else "success"))

    def search(self, words: str, show: Callable[[list[SearchHit]], None]) -> None:
        """Search all messages and titles; only the latest search is answered."""
        if self._search is not None:
            self._search.cancel()
        self._search = self._jobs.run(
            lambda: self._conversations.search(words), show, self.failed.emit
        )

    def _change(self, work: Callable[[], object]) -> None:
        def then(_: object) -> None:
            self.refresh()
            self.changed.emit()

        self._jobs.run_in_order(work, then, self.failed.emit)

    def _show(self, listing: Listing) -> None:
        self.listed.emit(listing)
        self._reading.end()

    def _refresh_failed(self, error: LockhouseError) -> None:
        self._reading.end(has_failed=True)
        self.failed.emit(error)

    def _look(self) -> None:
        if not self._reading.is_running:
            self._jobs.run_in_order(self._conversations.data_version, self._compare, ignore)

    def _compare(self, version: int) -> None:
        if self._version is not None and version != self._version:
            self.refresh()
            self.changed_outside.emit()
        self._version = version
