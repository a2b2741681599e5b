"""What the chat controllers announce: frozen values, one per signal."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import EllipsisType
from typing import Literal

from lockhouse.chat.conversations import Conversation, Folder, Message
from lockhouse.core.events import Failed, Finished
from lockhouse.core.messages import Image

Phase = Literal["loading", "reading", "thinking", "answering"]


@dataclass(frozen=True, slots=True)
class Listing:
    """All conversations and folders, in the order of the service."""

    conversations: tuple[Conversation, ...] = ()
    folders: tuple[Folder, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedChat:
    """The conversation on the page now; None is a new one that nothing was asked in yet.

    ``is_begun`` says that it was such a new one until this moment.
    """

    conversation: Conversation | None
    messages: tuple[Message, ...] = ()
    scroll_to: str = ""
    highlight: str = ""
    is_begun: bool = False


@dataclass(frozen=True, slots=True)
class PathChanged:
    """The messages of the open conversation as they are now."""

    conversation: Conversation
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """One message of the open conversation, as it is stored now."""

    conversation: Conversation
    message: Message


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """A question was stored and its answer begins."""

    conversation_id: str
    user: Message | None
    answer: Message


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
    """An answer is over: finished, failed, or neither when it was cancelled on the way."""

    conversation_id: str
    message_id: str
    finished: Finished | None = None
    failed: Failed | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell in passing. ``undo_token`` makes it offer to take the step back."""

    text: str
    kind: Literal["info", "success", "warning"] = "info"
    undo_token: str = ""


@dataclass(frozen=True, slots=True)
class QueuedText:
    """A message typed while the model was still answering, and whom it was meant for then."""

    id: str
    text: str
    images: tuple[Image, ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to be asked in a conversation. ``alone``: nothing of it goes along.

    ``edits`` names the message of which this is another version: its pictures stay with it.
    """

    text: str
    images: tuple[Image, ...] = ()
    parent_id: str | EllipsisType | None = ...
    edits: str = ""
    alone: bool = False
    task: str = ""

    @property
    def is_task(self) -> bool:
        """Not typed into the composer: nothing has to be cleared or given back."""
        return bool(self.task or self.edits)


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits to be sent in the open conversation."""

    conversation_id: str
    waiting: tuple[QueuedText, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Refused:
    """A question that could not even be stored; what was typed is given back."""

    conversation_id: str
    text: str
    failed: Failed
    is_gone: bool = False  # because its chat was deleted elsewhere
    images: tuple[Image, ...] = ()
