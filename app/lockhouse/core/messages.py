"""Messages: who says what, and the parts that stand beside the text.

Frozen values that cross every boundary: from the store to a target, and to an engine process.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class Image(msgspec.Struct, frozen=True):
    """A picture in a prompt: the bytes of a PNG, JPEG, GIF or WebP file."""

    media_type: str  # "image/png"
    data: bytes
    name: str = ""


class Tool(msgspec.Struct, frozen=True):
    """Something the model may ask its caller to do. ``parameters`` is the text of a JSON schema."""

    name: str
    description: str = ""
    parameters: str = "{}"


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """The model wants a tool to be called; ``arguments`` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a tool gave back to the call of that id."""

    call_id: str
    content: str
    name: str = ""
    is_error: bool = False


class File(msgspec.Struct, frozen=True, tag="file"):
    """A text that goes along with a message: an attached file, or a passage of a document."""

    name: str
    text: str
    media_type: str = "text/plain"


Part = File | ToolCall | ToolResult
"""What a kept message holds beside its text and its pictures, in order."""


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt.

    ``reasoning`` and ``tool_calls`` only for the assistant's own turns, ``images`` for the
    user's. A turn of the role "tool" answers the call named by ``tool_call_id``. The first
    ``earlier_images`` came with messages before this one that nobody answered.
    """

    role: Role
    content: str
    reasoning: str | None = None
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    earlier_images: int = 0
