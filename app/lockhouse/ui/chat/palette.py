"""Search over everything: chats, messages and what the window can do (Ctrl+K)."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QFrame, QVBoxLayout, QWidget

from lockhouse.chat.conversations import Conversation, SearchHit
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.palette_delegate import PaletteDelegate
from lockhouse.ui.chat.palette_values import Command, Entry
from lockhouse.ui.frame_parts import label
from lockhouse.ui.search_list import SearchList
from lockhouse.ui.theme import Theme

_PAUSE_MS = 120
_RECENT = 8


class Palette(QDialog):
    """Type, move with the arrows, Enter opens."""

    open_wanted = Signal(str, str, str)  # conversation, message or "", words to highlight

    def __init__(
        self,
        controller: ListController,
        theme: Theme,
        conversations: Sequence[Conversation],
        commands: Sequence[Command],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._theme = theme
        self._conversations = conversations
        self._commands = commands
        self.setObjectName("palette")
        self.setWindowTitle("Search")
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setModal(True)
        self._make_parts()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._search)
        self._list.edit.textChanged.connect(self._typed)
        self._list.taken.connect(self._choose)
        self._show_plain("")
        self._place(parent)

    def _make_parts(self) -> None:
        theme, px = self._theme, self._theme.px
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        frame = QFrame()
        frame.setObjectName("palette_frame")
        frame.setStyleSheet(
            f"QFrame#palette_frame {{ background: {theme.hex('surface')};"
            f" border: 1px solid {theme.hex('border-strong')}; }}"
        )
        outer.addWidget(frame)
        column = QVBoxLayout(frame)
        column.setContentsMargins(px(12), px(12), px(12), px(8))
        column.setSpacing(px(8))
        self._list: SearchList[Entry] = SearchList(
            theme,
            PaletteDelegate(theme, self),
            words="Search chats, messages and commands",
            listed="Results",
            name="palette",
        )
        self.model, self.edit = self._list.model, self._list.edit
        column.addWidget(self.edit)
        column.addWidget(self._list.view, 1)
        self._none = label("", ink="3", wrap=True, name="palette_nothing")
        self._none.setContentsMargins(px(8), px(8), px(8), px(8))
        column.addWidget(self._none)
        self._none.hide()
        column.addWidget(label("Enter opens   ↑ ↓ move   Esc closes", role="caption", ink="3"))

    def _place(self, parent: QWidget) -> None:
        window = parent.window()
        px = self._theme.px
        width = min(px(640), window.width() - px(48))
        height = min(px(480), window.height() - px(120))
        self.resize(width, height)
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - width) // 2, corner.y() + px(72))

    # -- filling it -------------------------------------------------------------------------

    def _typed(self, words: str) -> None:
        self._show_plain(words)
        if words.strip():
            self._pause.start()
        else:
            self._pause.stop()

    def _search(self) -> None:
        words = self.edit.text()
        self._controller.search(words, lambda hits: self._show_hits(words, hits))

    def _show_plain(self, words: str) -> None:
        """What is known without asking the database: titles and commands."""
        wanted = words.casefold().split()
        now = formatting.local_now()

        def fits(text: str) -> bool:
            return all(word in text.casefold() for word in wanted)

        chats = [one for one in self._conversations if fits(one.title)]
        chats.sort(key=lambda one: one.updated_at, reverse=True)
        entries: list[Entry] = []
        commands = [one for one in self._commands if fits(one.words)]
        if chats:
            entries.append(Entry("head", "", "Chats" if wanted else "Recent chats"))
            entries += [
                Entry(
                    "chat",
                    "message-square",
                    one.title or "New chat",
                    formatting.short_time(one.updated_at, now),
                    conversation_id=one.id,
                )
                for one in chats[:_RECENT]
            ]
        if commands:
            entries.append(Entry("head", "", "Commands"))
            entries += [
                Entry("command", one.icon, one.words, one.keys, command=one) for one in commands
            ]
        self._show(entries, nothing="" if words.strip() else "Nothing here yet.")

    def _show_hits(self, words: str, hits: list[SearchHit]) -> None:
        if words != self.edit.text():
            return
        now = formatting.local_now()
        found = [
            Entry(
                "hit",
                "message-square" if hit.role == "user" else "box",
                hit.title or "New chat",
                formatting.short_time(hit.created_at, now),
                snippet=" ".join(hit.snippet.split()),
                conversation_id=hit.conversation_id,
                message_id=hit.message_id or "",
            )
            for hit in hits
            if hit.message_id
        ]
        entries = [
            entry
            for entry in self.model.lines
            if entry.kind != "hit" and not (entry.is_head and entry.title == "Messages")
        ]
        if found:
            place = next(
                (
                    number
                    for number, entry in enumerate(entries)
                    if entry.kind == "head" and entry.title == "Commands"
                ),
                len(entries),
            )
            entries[place:place] = [Entry("head", "", "Messages"), *found]
        self._show(entries, nothing=f"Nothing found for “{words.strip()}”.")

    def _show(self, entries: list[Entry], *, nothing: str) -> None:
        self._list.show(entries)
        self._list.view.setVisible(bool(entries))
        self._none.setText(nothing)
        self._none.setVisible(not entries and bool(nothing))

    def _choose(self, entry: Entry) -> None:
        self.accept()
        if entry.command is not None:
            entry.command.run()
        else:
            words = self.edit.text().strip() if entry.kind == "hit" else ""
            self.open_wanted.emit(entry.conversation_id, entry.message_id, words)
