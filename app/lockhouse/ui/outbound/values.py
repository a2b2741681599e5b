"""What is put before a person before something leaves, and what they may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lockhouse.gate.outbound import Outbound
from lockhouse.ui.outbound.words import Money

SubjectKind = Literal["message", "turn", "selection", "document"]
WayOn = Literal["key", "door", "models", "providers", "limits", ""]

WAY_WORDS: dict[WayOn, str] = {
    "key": "Set key…",
    "door": "Open a door…",
    "models": "Choose its models…",
    "providers": "Add a provider or a server…",
    "limits": "Change limit…",
}

INSTRUCTIONS: tuple[tuple[str, str], ...] = (
    ("Explain", "Explain this."),
    ("Summarize", "Summarize this in a few sentences."),
    ("Translate", "Translate this into English."),
    ("Improve", "Improve the wording of this. Keep its meaning and its length."),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about. ``words`` name it: "Your message", "the selection, 312 characters".

    ``has_before``: there is a conversation before it that may go along. ``takes_instruction``:
    what to do with it is still to be said.
    """

    kind: SubjectKind
    words: str
    has_before: bool = False

    @property
    def takes_instruction(self) -> bool:
        """A selection or a document says nothing of what is wanted."""
        return self.kind in ("selection", "document")

    @property
    def is_task(self) -> bool:
        """A single task is forwarded while the conversation stays where it is."""
        return self.kind != "message"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a provider from answering now. ``word`` is short: "No key", "Sealed"."""

    code: str
    word: str
    message: str
    hint: str = ""
    way: WayOn = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The exact request, and what has to be known to decide."""

    outbound: Outbound
    has_consent: bool = False
    money: Money = field(default_factory=Money)
    local_title: str = ""  # who would answer on this machine; "" nobody
    obstacle: Obstacle | None = None


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How the request is wanted: another one is made when it changes."""

    instruction: str = ""
    alone: bool = True
