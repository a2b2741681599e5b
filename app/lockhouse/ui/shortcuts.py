"""Every keyboard shortcut of the window, in one table; those of pages are in the table of pages.

Actions and the list that Ctrl+/ shows are made from the same entries, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import STRETCH, column, row
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import KeyCap

if TYPE_CHECKING:
    from lockhouse.ui.pages import PageEntry

Handler = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One action of the window and its keys; the first is the one that is shown."""

    name: str
    group: str
    label: str
    keys: tuple[str, ...]


SHORTCUTS: tuple[Shortcut, ...] = (
    Shortcut("new_chat", "Chats", "New chat", ("Ctrl+N", "Ctrl+Shift+O")),
    Shortcut("search", "Chats", "Search all chats", ("Ctrl+K",)),
    Shortcut("sidebar", "Chats", "Show or hide the sidebar", ("Ctrl+B",)),
    Shortcut("rename", "Chats", "Rename the chat", ("F2",)),
    Shortcut("find", "Chats", "Find in this chat", ("Ctrl+F",)),
    Shortcut("stop", "Answers", "Stop the answer, or close a panel", ("Esc",)),
    Shortcut("regenerate", "Answers", "Regenerate the answer", ("Ctrl+R",)),
    Shortcut("ask_elsewhere", "Answers", "Ask another model…", ("Ctrl+Shift+A",)),
    Shortcut("copy_answer", "Answers", "Copy the last answer", ("Ctrl+Shift+C",)),
    Shortcut("focus_composer", "Answers", "Go to the message box", ("Shift+Esc",)),
    Shortcut("details", "Answers", "Show or hide details", ("Ctrl+I",)),
    Shortcut("larger", "Window", "Larger text", ("Ctrl++", "Ctrl+=")),
    Shortcut("smaller", "Window", "Smaller text", ("Ctrl+-",)),
    Shortcut("normal_size", "Window", "Default text size", ("Ctrl+0",)),
    Shortcut("shortcuts", "Window", "Keyboard shortcuts", ("Ctrl+/", "F1")),
    Shortcut("quit", "Window", "Quit", ("Ctrl+Q",)),
)

# Keys that a widget handles itself; only listed beside the shortcuts. Group, label, keys.
OTHER_KEYS = (
    ("Answers", "Recall the last question", "Up, in an empty message box"),
    ("Chats", "Delete the chat", "Del, in the sidebar"),
    ("Chats", "Undo delete", "Ctrl+Z, while Undo is shown"),
)


def with_pages(pages: Sequence[PageEntry]) -> tuple[Shortcut, ...]:
    """All shortcuts, with those of the pages first in their group."""
    first = next(at for at, entry in enumerate(SHORTCUTS) if entry.group == "Window")
    own = tuple(
        Shortcut(f"page_{page.key}", "Window", page.title, (page.shortcut,)) for page in pages
    )
    return SHORTCUTS[:first] + own + SHORTCUTS[first:]


def bind(window: QWidget, entries: Sequence[Shortcut], handlers: Mapping[str, Handler]) -> None:
    """Make the actions on the window. Every handler needs an entry, every entry a handler."""
    names = {entry.name for entry in entries}
    if unknown := names ^ set(handlers):
        raise KeyError(f"shortcuts and handlers differ: {sorted(unknown)}")
    for entry in entries:
        action = QAction(entry.label, window)
        action.setObjectName(f"action_{entry.name}")
        action.setShortcuts([QKeySequence(keys) for keys in entry.keys])
        handler = handlers[entry.name]
        action.triggered.connect(lambda _checked=False, call=handler: call())
        window.addAction(action)


def native_keys(keys: str) -> str:
    """The keys as the platform writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)


def shown_keys(name: str) -> str:
    """The first keys of a shortcut, as the platform writes them."""
    return native_keys(next(entry for entry in SHORTCUTS if entry.name == name).keys[0])


def with_keys(text: str, name: str) -> str:
    """A tool tip that names its shortcut."""
    return f"{text}  ({shown_keys(name)})"


def claims_escape(event: QEvent) -> bool:
    """Whether a widget with the keyboard is asked for Esc; it then gets the key itself.

    The shortcuts of the window would otherwise take it first.
    """
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.key() != Qt.Key.Key_Escape or event.modifiers():
        return False
    event.accept()
    return True


class ShortcutList(FormDialog):
    """The list of all shortcuts (Ctrl+/), in two columns of groups."""

    def __init__(
        self, theme: Theme, shortcuts: Sequence[Shortcut], parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, "shortcut_list", "Keyboard shortcuts", width=757, parent=parent)
        self._shortcuts = shortcuts
        groups = [self._group(theme, group) for group in dict.fromkeys(s.group for s in shortcuts)]
        left, right = column(theme, *groups[:-1], STRETCH), column(theme, groups[-1], STRETCH)
        self.content.addLayout(row(theme, left, right, gap=40))
        self.add_button("Close", self.accept, name="shortcuts_close").setDefault(True)

    def _group(self, theme: Theme, group: str) -> QWidget:
        px = theme.px
        box = QWidget()
        box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, px(12))
        grid.setHorizontalSpacing(px(24))
        grid.setVerticalSpacing(px(4))
        grid.addWidget(label(group, role="strong"), 0, 0)
        lines = [
            (one.label, _key_caps(theme, one)) for one in self._shortcuts if one.group == group
        ]
        lines += [
            (words, row(theme, label(shown, role="caption", ink="2")))
            for where, words, shown in OTHER_KEYS
            if where == group
        ]
        for number, (words, keys) in enumerate(lines, 1):
            grid.addWidget(label(words, ink="2"), number, 0)
            grid.addLayout(keys, number, 1, Qt.AlignmentFlag.AlignRight)
            grid.setRowMinimumHeight(number, px(24))
        return box


def _key_caps(theme: Theme, shortcut: Shortcut) -> QHBoxLayout:
    caps: list[QWidget] = []
    for key in shortcut.keys:
        if caps:
            caps.append(label("or", role="caption", ink="3"))
        caps.append(KeyCap(native_keys(key)))
    return row(theme, STRETCH, *caps, gap=4)
