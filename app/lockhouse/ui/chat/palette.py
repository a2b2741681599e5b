"""The search palette (Ctrl+K): finds chats, messages and commands of the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from lockhouse.chat.conversations import Conversation, SearchHit
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.search_list import SearchDialog, SearchLine
from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import column
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once

_SEARCH_DELAY_MS = 120
_MOST_CHATS = 8


@dataclass(frozen=True, slots=True)
class Command:
    """Something the window can do."""

    icon: str
    words: str
    keys: str
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A chat, and the message in it where the words were found; "" for the chat itself."""

    conversation_id: str
    message_id: str = ""


class Palette(SearchDialog):
    """Type to search, move with the arrows, open with Enter."""

    open_wanted = Signal(str, str, str)  # conversation, message or "", words to highlight

    def __init__(
        self,
        controller: ListController,
        theme: Theme,
        conversations: Sequence[Conversation],
        commands: Sequence[Command],
        parent: QWidget,
    ) -> None:
        prompt = "Search chats, messages and commands"
        super().__init__(theme, parent, "palette", prompt=prompt, listed="Results", parts="palette")
        self._controller = controller
        self._conversations = sorted(conversations, key=lambda one: one.updated_at, reverse=True)
        self._commands = commands
        self._messages: list[SearchLine] = []
        self.setWindowTitle("Search")
        self.setModal(True)
        px = theme.px
        self.nothing.setContentsMargins(px(8), px(8), px(8), px(8))
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        keys = label("Enter to open   ↑ ↓ to move   Esc to close", role="caption", ink="3")
        parts = (self.edit, (self.view, 1), (self.nothing, 1), keys)
        column(theme, *parts, gap=8, margins=(13, 13, 13, 9), on=self)
        self._delay = once(self, _SEARCH_DELAY_MS, self._search)
        self.fill()
        self._place(parent)

    def _place(self, parent: QWidget) -> None:
        window = parent.window()
        px = self._theme.px
        width = min(px(640), window.width() - px(48))
        self.resize(width, min(px(480), window.height() - px(120)))
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - width) // 2, corner.y() + px(72))

    def fill(self) -> None:
        """What is known at once; messages that hold the words are looked for."""
        has_words = bool(self.edit.text().strip())
        self._messages = []
        self._show(nothing="" if has_words else "Nothing here yet.")
        if has_words:
            self._delay.start()
        else:
            self._delay.stop()

    def _search(self) -> None:
        words = self.edit.text()

        def show(hits: list[SearchHit]) -> None:
            if words == self.edit.text():
                self._messages = [_message_line(hit) for hit in hits if hit.message_id]
                self._show(nothing=f"Nothing found for “{words.strip()}”.")

        self._controller.search(words, show)

    def _show(self, *, nothing: str) -> None:
        """Titles and commands are known without asking the database; messages come later."""
        wanted = self.edit.text().casefold().split()

        def matches(text: str) -> bool:
            return all(word in text.casefold() for word in wanted)

        chats = [_chat_line(one) for one in self._conversations if matches(one.title)]
        commands = [
            SearchLine(one.words, one.icon, right=one.keys, value=one)
            for one in self._commands
            if matches(one.words)
        ]
        lines: list[SearchLine] = []
        for heading, group in (
            ("Chats" if wanted else "Recent chats", chats[:_MOST_CHATS]),
            ("Messages", self._messages),
            ("Commands", commands),
        ):
            if group:
                lines += [SearchLine(heading), *group]
        self.show_lines(lines, "" if lines else nothing)
        self.view.setVisible(bool(lines))

    def choose(self, line: SearchLine) -> None:
        """Open what was found, or carry the command out."""
        self.accept()
        if isinstance(line.value, Command):
            line.value.run()
        elif isinstance(line.value, FoundMessage):
            found = line.value
            words = self.edit.text().strip() if found.message_id else ""
            self.open_wanted.emit(found.conversation_id, found.message_id, words)


def _chat_line(chat: Conversation) -> SearchLine:
    when = formatting.short_time(chat.updated_at, formatting.local_now())
    title = chat.title or "New chat"
    return SearchLine(title, "message-square", right=when, value=FoundMessage(chat.id))


def _message_line(hit: SearchHit) -> SearchLine:
    return SearchLine(
        hit.title or "New chat",
        "message-square" if hit.role == "user" else "box",
        " ".join(hit.snippet.split()),
        formatting.short_time(hit.created_at, formatting.local_now()),
        value=FoundMessage(hit.conversation_id, hit.message_id or ""),
    )
