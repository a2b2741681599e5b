"""What the search (Ctrl+K) can do besides finding: every action of the window, in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from lockhouse.ui import shortcuts
from lockhouse.ui.chat.page import ChatPage
from lockhouse.ui.chat.page_head import EXPORT_FORMATS
from lockhouse.ui.chat.palette import Command
from lockhouse.ui.shortcuts import Shortcut

_ICONS = {  # of the actions that have a shortcut
    "new_chat": "square-pen",
    "sidebar": "panel-left",
    "rename": "pencil",
    "find": "search",
    "stop": "square",
    "regenerate": "refresh-cw",
    "ask_elsewhere": "arrow-up-right",
    "copy_answer": "copy",
    "focus_composer": "pen-line",
    "details": "panel-right",
    "larger": "plus",
    "smaller": "minus",
    "normal_size": "rotate-ccw",
    "shortcuts": "keyboard",
    "quit": "power",
}
_OF_A_STORED_CHAT = ("rename", "find", "regenerate", "copy_answer", "ask_elsewhere")


def with_shortcuts(
    entries: Sequence[Shortcut], handlers: Mapping[str, Callable[[], object]], chat: ChatPage
) -> Iterator[Command]:
    """The actions that have keys; those of a chat only while one is open."""
    for entry in entries:
        icon = _ICONS.get(entry.name)
        if icon and (chat.has_chat or entry.name not in _OF_A_STORED_CHAT):
            keys = shortcuts.native_keys(entry.keys[0])
            yield Command(icon, entry.label, keys, handlers[entry.name])


def of_chats(chat: ChatPage) -> Iterator[Command]:
    """What menus and buttons of the Chat page do, and no key does."""
    yield Command("paperclip", "Attach files…", "", chat.composer.choose_files)
    yield Command("box", "Choose a model…", "", chat.choose_model)
    yield Command("sliders-horizontal", "Chat settings", "", partial(chat.aside.open, "prompt"))
    yield Command("folder-plus", "New folder…", "", chat.list_panel.new_folder)
    yield Command("file-input", "Import chats…", "", chat.list_panel.import_chats)
    if not chat.has_chat:
        return
    yield Command("copy", "Copy the chat as Markdown", "", chat.copy_chat)
    for fmt, words, _ in EXPORT_FORMATS:
        yield Command("file-down", f"Export the chat as {words}", "", partial(chat.export, fmt))
    yield Command("pin", "Pin or unpin the chat", "", chat.toggle_pin)
    yield Command("trash-2", "Delete the chat", "", chat.delete_chat)
