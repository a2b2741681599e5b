"""What the search palette lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


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

    @property
    def is_head(self) -> bool:
        """A heading, which cannot be taken."""
        return self.kind == "head"

    @property
    def spoken(self) -> str:
        """The whole line for a screen reader; what was found is not marked in it."""
        plain = self.snippet.replace("\x02", "").replace("\x03", "")
        return ", ".join(part for part in (self.title, plain, self.right) if part)
