"""The search palette (Ctrl+K): finds chats, messages and commands of the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QFrame, QVBoxLayout, QWidget

from lockhouse.chat.conversations import Conversation, SearchHit
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.search_list import SearchLine, SearchList
from lockhouse.ui.frame_parts import label
from lockhouse.ui.theme import Theme

_SEARCH_DELAY_MS = 120
_MOST_CHATS = 8


@dataclass(frozen=True, slots=True)
class Command:
    """Something the window can do."""

    icon: str
    words: str
    keys: str
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A chat, and the message in it where the words were found; "" for the chat itself."""

    conversation_id: str
    message_id: str = ""


class Palette(QDialog):
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
        super().__init__(parent)
        self._controller = controller
        self._theme = theme
        self._conversations = sorted(conversations, key=lambda one: one.updated_at, reverse=True)
        self._commands = commands
        self._messages: list[SearchLine] = []
        self.setObjectName("palette")
        self.setWindowTitle("Search")
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setModal(True)
        self._make_parts()
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_SEARCH_DELAY_MS)
        self._delay.timeout.connect(self._search)
        self._list.edit.textChanged.connect(self._typed)
        self._list.chosen.connect(self._choose)
        self._show(nothing="Nothing here yet.")
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
        prompt = "Search chats, messages and commands"
        self._list = SearchList(theme, self, prompt=prompt, listed="Results", name="palette")
        self.model, self.edit = self._list.model, self._list.edit
        column.addWidget(self.edit)
        column.addWidget(self._list.view, 1)
        self._none = label("", ink="3", wrap=True, name="palette_nothing")
        self._none.setContentsMargins(px(8), px(8), px(8), px(8))
        column.addWidget(self._none)
        keys = "Enter to open   ↑ ↓ to move   Esc to close"
        column.addWidget(label(keys, role="caption", ink="3"))

    def _place(self, parent: QWidget) -> None:
        window = parent.window()
        px = self._theme.px
        width = min(px(640), window.width() - px(48))
        self.resize(width, min(px(480), window.height() - px(120)))
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - width) // 2, corner.y() + px(72))

    def _typed(self, words: str) -> None:
        self._messages = []
        self._show(nothing="" if words.strip() else "Nothing here yet.")
        if words.strip():
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
        self._list.show(lines)
        self._list.view.setVisible(bool(lines))
        self._none.setText(nothing)
        self._none.setVisible(not lines and bool(nothing))

    def _choose(self, line: SearchLine) -> None:
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
