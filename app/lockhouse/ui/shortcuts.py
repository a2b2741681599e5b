"""Every keyboard shortcut of the window, in one table.

The table makes the actions and also the list that Ctrl+/ shows, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

Handler = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One action of the window and its keys; the first is the one that is shown."""

    name: str
    group: str
    label: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that a widget handles by itself, told in the list beside the shortcuts."""

    group: str
    label: str
    shown: str


SHORTCUTS: tuple[Shortcut, ...] = (
    Shortcut("new_chat", "Chats", "New chat", ("Ctrl+N", "Ctrl+Shift+O")),
    Shortcut("search", "Chats", "Search all chats", ("Ctrl+K",)),
    Shortcut("sidebar", "Chats", "Show or hide the list", ("Ctrl+B",)),
    Shortcut("rename", "Chats", "Rename the chat", ("F2",)),
    Shortcut("find", "Chats", "Find in this chat", ("Ctrl+F",)),
    Shortcut("stop", "Answers", "Stop the answer, or close what is open", ("Esc",)),
    Shortcut("regenerate", "Answers", "Answer again", ("Ctrl+R",)),
    Shortcut("ask_elsewhere", "Answers", "Ask this of somebody else", ("Ctrl+Shift+A",)),
    Shortcut("copy_answer", "Answers", "Copy the last answer", ("Ctrl+Shift+C",)),
    Shortcut("focus_composer", "Answers", "Go to the message box", ("Shift+Esc",)),
    Shortcut("details", "Answers", "Show or hide details", ("Ctrl+I",)),
    Shortcut("page_1", "Window", "Chat", ("Ctrl+1",)),
    Shortcut("page_2", "Window", "Models", ("Ctrl+2",)),
    Shortcut("page_3", "Window", "Gate", ("Ctrl+3",)),
    Shortcut("settings", "Window", "Settings", ("Ctrl+,",)),
    Shortcut("larger", "Window", "Larger text", ("Ctrl++", "Ctrl+=")),
    Shortcut("smaller", "Window", "Smaller text", ("Ctrl+-",)),
    Shortcut("normal_size", "Window", "Normal text size", ("Ctrl+0",)),
    Shortcut("shortcuts", "Window", "This list", ("Ctrl+/", "F1")),
    Shortcut("quit", "Window", "Quit", ("Ctrl+Q",)),
)

OTHER_KEYS: tuple[Keys, ...] = (
    Keys("Answers", "Recall the last question", "Up, in an empty box"),
    Keys("Chats", "Delete the chat", "Del, in the list"),
    Keys("Chats", "Take a deletion back", "Ctrl+Z, while it is offered"),
)


def bind(window: QWidget, handlers: Mapping[str, Handler]) -> dict[str, QAction]:
    """Make the actions on the window. Every handler needs an entry, every entry a handler."""
    names = {shortcut.name for shortcut in SHORTCUTS}
    if unknown := names ^ set(handlers):
        raise KeyError(f"shortcuts and handlers differ: {sorted(unknown)}")
    actions: dict[str, QAction] = {}
    for shortcut in SHORTCUTS:
        action = QAction(shortcut.label, window)
        action.setObjectName(f"action_{shortcut.name}")
        action.setShortcuts([QKeySequence(keys) for keys in shortcut.keys])
        handler = handlers[shortcut.name]
        action.triggered.connect(lambda _checked=False, call=handler: call())
        window.addAction(action)
        actions[shortcut.name] = action
    return actions


def shown_keys(name: str) -> str:
    """The keys as the platform writes them, for tool tips."""
    shortcut = next(entry for entry in SHORTCUTS if entry.name == name)
    return QKeySequence(shortcut.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)


def with_keys(text: str, name: str) -> str:
    """A tool tip that teaches its shortcut."""
    return f"{text}  ({shown_keys(name)})"
