"""JSON with the whole tree: the layout of Open WebUI, with fields of our own beside it.

Open WebUI can read what is written here, and its own exports can be read. Our own fields, all
under the key "lockhouse", make the way out and in again lossless.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.image_store import MOST_BYTES, MOST_PICTURES, picture_of
from lockhouse.chat.interchange import (
    CarriedConversation,
    CarriedMessage,
    as_written,
    by_time,
    moment,
    parents_first,
)
from lockhouse.chat.values import Conversation, Message, Status
from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import Failed, Finished
from lockhouse.core.json_decoding import converted
from lockhouse.core.messages import Image, Part, Role, ToolCall

FORMAT = 1
OWN = "lockhouse:"  # how the origin of a conversation of ours begins

_DETAILS = re.compile(r'\s*<details type="reasoning"[^>]*>(.*?)</details>\s*', re.DOTALL)
_SUMMARY = re.compile(r"^\s*<summary>.*?</summary>\s*", re.DOTALL)


class _OwnMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    content: str
    created_at: datetime
    reasoning: str = ""
    status: Status = "complete"
    target: TargetInfo | None = None
    finished: Finished | None = None
    error: Failed | None = None
    tool_calls: tuple[ToolCall, ...] = ()  # of earlier exports
    parts: tuple[Part, ...] = ()


class _OwnConversation(msgspec.Struct, frozen=True):
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
    lockhouse: _OwnMessage | None = None
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
    lockhouse: _OwnConversation | None = None


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
        lockhouse=_OwnConversation(
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
        lockhouse=_OwnMessage(
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


def _images(message: _Message) -> tuple[Image, ...]:
    """The pictures of a message; anything else that is attached is left out."""
    found: list[Image] = []
    for file in (message.files or []) if isinstance(message.files, list) else []:
        url = file.get("url") if isinstance(file, dict) else None
        if not isinstance(url, str) or len(found) == MOST_PICTURES:
            continue
        head, comma, text = url.partition(",")
        if not comma or not head.endswith(";base64") or len(text) > MOST_BYTES * 4 // 3 + 4:
            continue
        name = file.get("name")
        try:
            data = base64.b64decode(text, validate=True)
            found.append(picture_of(data, name if isinstance(name, str) else ""))
        except (binascii.Error, InvalidInput):
            continue
    return tuple(found)


def left_out_of(value: dict[str, Any]) -> int:
    """How many attachments of an export cannot be brought in."""
    try:
        history = converted(value, _Export).chat.history
    except msgspec.ValidationError:
        return 0
    messages = history.messages.values() if history else ()
    return sum(
        len(message.files) - len(_images(message))
        for message in messages
        if isinstance(message.files, list)
    )


def _shown(written: dict[str, _Message], leaf: str | None) -> list[Any]:
    """The messages on the way to the active leaf, as Open WebUI repeats them."""
    shown: list[_Message] = []
    while leaf is not None and leaf in written:
        shown.append(msgspec.structs.replace(written[leaf], lockhouse=None, files=msgspec.UNSET))
        leaf = written[leaf].parent_id
    return shown[::-1]


def read_tree(value: dict[str, Any], where: str) -> CarriedConversation:
    """One conversation of our own or of Open WebUI; InvalidInput says what is wrong."""
    try:
        export = converted(value, _Export)
        if export.chat.history is None or not export.chat.history.messages:
            history = _History(_in_line(export.chat.messages))
        else:
            history = export.chat.history
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where} is malformed: {error}") from error
    own = export.lockhouse
    if own is not None and own.format > FORMAT:
        raise InvalidInput(
            f"{where} was written by a newer version of Lockhouse.",
            hint="Update Lockhouse, then import it.",
        )
    carried = [_carried(key, message) for key, message in history.messages.items()]
    messages = parents_first(carried, order=as_written if own else by_time, where=where)
    shared = CarriedConversation(
        origin=(OWN if own else "open-webui:") + export.id if export.id else "",
        key=export.id,
        title=export.title or export.chat.title,
        messages=messages,
        active=history.current_id,
        created_at=moment(export.created_at) or moment(export.chat.timestamp),
        updated_at=moment(export.updated_at),
        pinned=bool(export.pinned),
        system=export.chat.system or "",
    )
    if own is None:
        return shared
    fields = msgspec.structs.asdict(own)
    del fields["format"]
    return msgspec.structs.replace(shared, **fields)


def _in_line(messages: list[Any]) -> dict[str, _Message]:
    """Old exports hold a list without a tree."""
    line: dict[str, _Message] = {}
    above: str | None = None
    for number, value in enumerate(messages):
        fields = value if isinstance(value, dict) else {}
        key = f"{number}"
        line[key] = converted({**fields, "id": key, "parentId": above}, _Message)
        above = key
    return line


def _carried(key: str, message: _Message) -> CarriedMessage:
    role = _role(message.role)
    if message.lockhouse is not None:
        own = msgspec.structs.asdict(message.lockhouse)
        earlier = own.pop("tool_calls")
        own["parts"] = own["parts"] or earlier
        return CarriedMessage(key, message.parent_id, role, images=_images(message), **own)
    content, reasoning = _without_reasoning(_plain(message.content))
    name = message.model if role == "assistant" else None
    return CarriedMessage(
        key=key,
        parent=message.parent_id,
        role=role,
        content=content,
        reasoning=reasoning,
        created_at=moment(message.timestamp),
        status="complete" if message.done is not False else "cut",
        target=TargetInfo(name, "api", title=message.model_name or "") if name else None,
        images=_images(message),
    )


def _role(role: str) -> Role:
    if role == "user":
        return "user"
    if role == "system":
        return "system"
    return "tool" if role == "tool" else "assistant"


def _plain(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n\n".join(part for part in parts if isinstance(part, str))


def _without_reasoning(content: str) -> tuple[str, str]:
    """Open WebUI keeps a reasoning trace inside the text."""
    traces: list[str] = []

    def take(found: re.Match[str]) -> str:
        body = _SUMMARY.sub("", found.group(1))
        lines = (re.sub(r"^(?:>|&gt;) ?", "", line) for line in body.strip().split("\n"))
        traces.append(html.unescape("\n".join(lines)))
        return ""

    rest = _DETAILS.sub(take, content)
    return rest, "\n\n".join(traces)
