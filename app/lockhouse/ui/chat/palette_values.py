"""What the search palette lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import Qt

ENTRY: Final = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Command:
    """Something the window can do."""

    icon: str
    words: str
    keys: str
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the palette."""

    kind: Literal["head", "chat", "hit", "command"]
    icon: str
    title: str
    right: str = ""
    snippet: str = ""
    conversation_id: str = ""
    message_id: str = ""
    command: Command | None = None
