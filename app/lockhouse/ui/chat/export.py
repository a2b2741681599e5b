"""Exports a chat: as Markdown on the clipboard, or as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication, QWidget

from lockhouse.chat.conversations import Conversation, Conversations
from lockhouse.storage.exports import export_text
from lockhouse.ui.chat.page_head import EXPORT_FORMATS
from lockhouse.ui.chat.values import Note
from lockhouse.ui.files import ask_path
from lockhouse.ui.jobs import Jobs


class Export(QObject):
    """Writes conversations in the formats of ``chat.import_export``; never waits for the disk."""

    noticed = Signal(object)  # Note
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, conversations: Conversations, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self._jobs = jobs

    def copy(self, conversation_id: str) -> None:
        """As Markdown, on the clipboard."""

        def take(text: str) -> None:
            QApplication.clipboard().setText(text)
            self.noticed.emit(Note("Copied the chat as Markdown"))

        self._write(conversation_id, "md", take)

    def choose_file(self, conversation: Conversation, fmt: str, over: QWidget) -> None:
        """Ask for a file name, then save."""
        kept = "".join(
            sign if sign.isalnum() or sign in " -_" else " " for sign in conversation.title
        )
        name = " ".join(kept.split())[:60] or "chat"
        kind = next(words for key, _, words in EXPORT_FORMATS if key == fmt)
        if path := ask_path(over, "Save the chat", f"{name}.{fmt}", kind):
            self.save(conversation.id, fmt, path)

    def save(self, conversation_id: str, fmt: str, path: Path) -> None:
        """As a file."""

        def write(text: str) -> None:
            self._jobs.run(
                lambda: export_text(path, text),
                lambda _: self.noticed.emit(Note(f"Saved {path.name}", "success")),
                self.failed.emit,
            )

        self._write(conversation_id, fmt, write)

    def _write(self, conversation_id: str, fmt: str, take: Callable[[str], None]) -> None:
        def work() -> str:
            from lockhouse.chat.import_export import export

            return export(self._conversations, conversation_id, fmt)

        if conversation_id:
            self._jobs.run_in_order(work, take, self.failed.emit)
