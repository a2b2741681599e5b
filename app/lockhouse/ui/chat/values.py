"""What the parts of the Chat page tell each other: frozen values, one per signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lockhouse.answer.request import Question
from lockhouse.chat.conversations import Conversation, Folder, Message
from lockhouse.core.events import Failed, Finished

Phase = Literal["loading", "reading", "thinking", "answering"]


@dataclass(frozen=True, slots=True)
class Listing:
    """All conversations and folders, in the order of the service."""

    conversations: tuple[Conversation, ...] = ()
    folders: tuple[Folder, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedChat:
    """The chat on the page, with its messages; None is a new one in which nothing was asked yet.

    ``is_begun`` says that it was such a new one until this moment.
    """

    conversation: Conversation | None
    messages: tuple[Message, ...] = ()
    scroll_to: str = ""
    highlight: str = ""
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class AnswerGrew:
    """A piece of an answer. ``from_start``: it replaces what came before."""

    conversation_id: str
    message_id: str
    text: str
    reasoning: str
    from_start: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a running answer stands. ``done`` of ``total``: percent loaded, or tokens read."""

    conversation_id: str
    message_id: str
    phase: Phase
    done: int = 0
    total: int = 0
    tokens_per_s: float = 0.0
    told: str = ""  # what is waited for before the first word

    @property
    def fraction(self) -> float | None:
        """How far loading or reading is; None where nothing is known."""
        if self.phase in ("loading", "reading") and self.total > 0:
            return min(1.0, self.done / self.total)
        return None


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """An answer is over: finished, failed, or neither when it was cancelled on the way.

    ``conversation_id`` is the key of its chat where the question of a new one was not stored.
    Without ``message_id`` nothing was stored.
    """

    conversation_id: str
    message_id: str = ""
    target: str = ""
    finished: Finished | None = None
    failed: Failed | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A short message to the reader. ``undo_token`` makes it offer to undo."""

    text: str
    kind: Literal["info", "success", "warning"] = "info"
    undo_token: str = ""


@dataclass(frozen=True, slots=True)
class QueuedQuestion:
    """A question that waits for its turn, and the target it was meant for when it was typed."""

    id: str
    question: Question
    target: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A question of which nothing was stored. ``returned`` goes back to where it was typed."""

    chat: str
    failed: Failed | None = None
    returned: Question | None = None
    is_gone: bool = False  # because its chat was deleted elsewhere
