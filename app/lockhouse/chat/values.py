"""What a conversation is made of, as the window and the command line see it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.core.events import Failed, Finished
from lockhouse.core.messages import File, Part, Role, ToolCall, ToolResult

Status = Literal["complete", "streaming", "cut", "cancelled", "failed"]


class Provenance(msgspec.Struct, frozen=True):
    """What produced an answer, and how."""

    target: TargetInfo
    finished: Finished


class Conversation(msgspec.Struct, frozen=True):
    """A conversation without its messages. ``draft`` is what was typed and not yet sent."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    pinned: bool = False
    folder_id: str | None = None
    target: str = ""
    system: str = ""
    label: str = ""
    draft: str = ""
    active_leaf_id: str | None = None
    message_count: int = 0  # of all versions
    parameters: dict[str, object] = {}
    deleted: bool = False


class Picture(msgspec.Struct, frozen=True):
    """A picture of a message without its bytes; ``Conversations.picture`` has them."""

    sha256: str
    media_type: str
    name: str
    size_bytes: int


class Message(msgspec.Struct, frozen=True):
    """One message. Versions are the messages of one role under the same parent.

    ``status`` other than complete only for answers: ``cut`` lost its writer (a crash, a kill),
    ``cancelled`` was stopped by the user, ``failed`` ended in ``error``. ``target`` is known
    from the first moment of an answer, ``provenance`` from its end.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    role: Role
    content: str
    reasoning: str
    created_at: datetime
    status: Status = "complete"
    provenance: Provenance | None = None
    error: Failed | None = None
    version_index: int = 0
    version_count: int = 1
    target: TargetInfo | None = None
    pictures: tuple[Picture, ...] = ()
    parts: tuple[Part, ...] = ()  # beside the text: files, tool calls, results of tools

    @property
    def is_imported(self) -> bool:
        """Whether the answer came with an export that does not say which host gave it.

        Our own answers of remote targets name their host from the first moment.
        """
        target = self.target
        is_remote = target is not None and target.kind != "local" and not target.host
        return self.role == "assistant" and is_remote and self.provenance is None

    @property
    def is_edited(self) -> bool:
        """Whether a person wrote this version of an answer: a target's own has a provenance.

        One of a remote target keeps its target; one imported from another program's export has
        no provider of ours.
        """
        if self.role != "assistant" or self.status != "complete" or self.provenance is not None:
            return False
        if self.is_imported:
            return False
        return self.version_count > 1 if self.target is None else bool(self.target.provider)

    @property
    def begins_edited(self) -> bool:
        """Whether an answer, or what it went on from, is in a person's words."""
        return self.is_edited or bool(self.provenance and self.provenance.finished.begins_edited)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """What an answer wanted called."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def files(self) -> tuple[File, ...]:
        """The files that went along with a question."""
        return tuple(part for part in self.parts if isinstance(part, File))

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """What tools gave back; of messages with the role "tool"."""
        return tuple(part for part in self.parts if isinstance(part, ToolResult))


class Folder(msgspec.Struct, frozen=True):
    """A named group of conversations."""

    id: str
    name: str


class SearchHit(msgspec.Struct, frozen=True):
    """A place where the words occur; in ``snippet`` they stand between \\x02 and \\x03.

    A hit in a title has the role "title" and no message.
    """

    conversation_id: str
    title: str
    message_id: str | None
    role: Role | Literal["title"]
    snippet: str
    created_at: datetime
