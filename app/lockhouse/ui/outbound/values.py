"""What the send dialog shows, and what may be answered there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lockhouse.gate.outbound import Outbound
from lockhouse.ui.outbound.words import Money

SubjectKind = Literal["message", "turn", "selection", "document"]
WayOn = Literal["key", "network", "models", "providers", "limits", ""]

WAY_WORDS: dict[WayOn, str] = {
    "key": "Set key…",
    "network": "Allow network access…",
    "models": "Choose models…",
    "providers": "Add provider or server…",
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
    """What is asked about. ``words`` name it: "Your message", "The selection, 312 characters".

    ``has_before``: there is a chat history that can be sent too.
    """

    kind: SubjectKind
    words: str
    has_before: bool = False

    @property
    def takes_instruction(self) -> bool:
        """Whether what to do with it is still to be said."""
        return self.kind in ("selection", "document")

    @property
    def is_task(self) -> bool:
        """Whether only this is sent elsewhere, and the chat keeps its own model."""
        return self.kind != "message"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a provider cannot answer now. ``word`` is short: "No key", "Sealed"."""

    code: str
    word: str
    message: str
    hint: str = ""
    way: WayOn = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The exact request, and what is needed to decide about it."""

    outbound: Outbound
    has_consent: bool = False
    money: Money = field(default_factory=Money)
    local_title: str = ""  # the model that could answer on this machine
    obstacle: Obstacle | None = None


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How the request is wanted. When it changes, another one is prepared."""

    instruction: str = ""
    alone: bool = True
