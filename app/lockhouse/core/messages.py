"""Messages of a prompt: who says what, with pictures and tool calls.

Frozen values that cross every boundary: from the store to a target, and to an engine process.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant"]
TurnRole = Literal["system", "user", "assistant", "tool"]


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


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt.

    ``reasoning`` and ``tool_calls`` only for the assistant's own turns, ``images`` for the
    user's. A turn of the role "tool" answers the call named by ``tool_call_id``. The first
    ``earlier_images`` came with messages before this one that nobody answered.
    """

    role: TurnRole
    content: str
    reasoning: str | None = None
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    earlier_images: int = 0
