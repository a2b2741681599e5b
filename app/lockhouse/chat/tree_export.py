"""JSON with the whole tree: the layout of Open WebUI, with fields of our own beside it.

Open WebUI can read what is written here. Our own fields, all under the key "lockhouse", make the
way out and in again lossless. What reads both is webui_export.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.values import Conversation, Message, Status
from lockhouse.core.events import Failed, Finished
from lockhouse.core.messages import Image, Part, ToolCall

FORMAT = 1
OWN = "lockhouse:"  # how the origin of a conversation of ours begins


class OwnMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message of ours has beyond those of Open WebUI."""

    content: str
    created_at: datetime
    reasoning: str = ""
    status: Status = "complete"
    target: TargetInfo | None = None
    finished: Finished | None = None
    error: Failed | None = None
    tool_calls: tuple[ToolCall, ...] = ()  # of earlier exports
    parts: tuple[Part, ...] = ()


class OwnConversation(msgspec.Struct, frozen=True):
    """What a conversation of ours has beyond those of Open WebUI."""

    format: int
    created_at: datetime
    updated_at: datetime
    folder: str = ""
    target: str = ""
    system: str = ""
    label: str = ""
    draft: str = ""
    parameters: dict[str, object] = {}


class _Message(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    role: str
    content: str | list[Any]
    parent_id: str | None = None
    children_ids: list[str] = []
    timestamp: int | float | None = None
    model: str | None = None
    model_name: str | None = None
    done: bool | None = True
    lockhouse: OwnMessage | None = None
    files: list[Any] | msgspec.UnsetType | None = msgspec.UNSET


class _History(msgspec.Struct, frozen=True, rename="camel"):
    messages: dict[str, _Message]
    current_id: str | None = None


class _Chat(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    models: list[str | None] = []
    system: str | None = ""
    history: _History | None = None
    messages: list[Any] = []
    timestamp: int | float | None = None


class _Export(msgspec.Struct, frozen=True, kw_only=True):
    id: str = ""
    title: str = ""
    chat: _Chat
    meta: Any = None
    pinned: bool | None = False
    folder_id: Any = None
    created_at: int | float | None = None
    updated_at: int | float | None = None
    lockhouse: OwnConversation | None = None


def write_tree(
    conversation: Conversation,
    messages: list[Message],
    *,
    folder: str,
    images: Mapping[str, Sequence[Image]],
) -> str:
    """The conversation with all its versions; ``images`` by the id of their message."""
    children: dict[str | None, list[str]] = {}
    for message in messages:
        children.setdefault(message.parent_id, []).append(message.id)
    models = dict.fromkeys(m.target.name for m in messages if m.target)
    written = {m.id: _written(m, children.get(m.id, []), images.get(m.id, ())) for m in messages}
    export = _Export(
        id=conversation.id,
        title=conversation.title,
        chat=_Chat(
            title=conversation.title,
            models=[*models],
            system=conversation.system,
            history=_History(written, conversation.active_leaf_id),
            messages=_shown(written, conversation.active_leaf_id),
            timestamp=int(conversation.created_at.timestamp() * 1000),
        ),
        meta={"tags": []},
        pinned=conversation.pinned,
        created_at=int(conversation.created_at.timestamp()),
        updated_at=int(conversation.updated_at.timestamp()),
        lockhouse=OwnConversation(
            format=FORMAT,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
            folder=folder,
            target=conversation.target,
            system=conversation.system,
            label=conversation.label,
            draft=conversation.draft,
            parameters=conversation.parameters,
        ),
    )
    return msgspec.json.format(msgspec.json.encode([export]), indent=2).decode() + "\n"


def _written(message: Message, children: list[str], images: Sequence[Image]) -> _Message:
    content = message.content
    if message.reasoning:
        quoted = "\n".join(f"> {line}" for line in html.escape(message.reasoning).split("\n"))
        content = (
            '<details type="reasoning" done="true">\n<summary>Reasoning</summary>\n'
            f"{quoted}\n</details>\n{content}"
        )
    name = message.target.name if message.target else None
    return _Message(
        id=message.id,
        role=message.role,
        content=content,
        parent_id=message.parent_id,
        children_ids=children,
        timestamp=int(message.created_at.timestamp()),
        model=name,
        model_name=(message.target.title or name) if message.target else None,
        done=message.status != "streaming",
        lockhouse=OwnMessage(
            content=message.content,
            created_at=message.created_at,
            reasoning=message.reasoning,
            status=message.status,
            target=message.target,
            finished=message.provenance.finished if message.provenance else None,
            error=message.error,
            parts=message.parts,
        ),
        files=[_file(image) for image in images] or msgspec.UNSET,
    )


def _file(image: Image) -> dict[str, str]:
    """A picture as Open WebUI keeps it."""
    data = base64.b64encode(image.data).decode()
    url = f"data:{image.media_type};base64,{data}"
    return {"type": "image", "name": image.name, "url": url}


def _shown(written: dict[str, _Message], leaf: str | None) -> list[Any]:
    """The messages on the way to the active leaf, as Open WebUI repeats them."""
    shown: list[_Message] = []
    while leaf is not None and leaf in written:
        shown.append(msgspec.structs.replace(written[leaf], lockhouse=None, files=msgspec.UNSET))
        leaf = written[leaf].parent_id
    return shown[::-1]
