"""Conversations of a ChatGPT export: a tree in which each step of a tool is a node.

Only what was said is taken. Steps of tools and hidden nodes are left out, and what followed
them follows what was before them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.interchange import (
    CarriedConversation,
    CarriedMessage,
    as_written,
    by_time,
    moment,
    parents_first,
)
from lockhouse.core.errors import InvalidInput
from lockhouse.core.json_decoding import converted
from lockhouse.core.messages import Role


class _Author(msgspec.Struct, frozen=True):
    role: str


class _Content(msgspec.Struct, frozen=True):
    content_type: str
    parts: list[Any] | None = None
    thoughts: list[Any] | None = None


class _Message(msgspec.Struct, frozen=True):
    author: _Author
    content: _Content
    create_time: int | float | None = None
    recipient: str | None = "all"
    metadata: dict[str, Any] | None = None


class _Node(msgspec.Struct, frozen=True):
    message: _Message | None = None
    parent: str | None = None


class _Export(msgspec.Struct, frozen=True):
    mapping: dict[str, _Node]
    title: str | None = ""
    create_time: int | float | None = None
    update_time: int | float | None = None
    current_node: str | None = None
    conversation_id: str | None = None
    id: str | None = None
    is_archived: bool | None = False


class _Said(msgspec.Struct):
    """The nearest kept message at or above a node, and the thoughts since then."""

    key: str | None = None
    thoughts: str = ""


def read_chatgpt(value: dict[str, Any], where: str) -> tuple[CarriedConversation, int]:
    """One conversation, and how many images and the like were left out of it."""
    try:
        export = converted(value, _Export)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where} is malformed: {error}") from error
    nodes = [
        CarriedMessage(key, node.parent, "user", "", created_at=_time(node))
        for key, node in export.mapping.items()
    ]
    said: dict[str | None, _Said] = {None: _Said()}
    messages: list[CarriedMessage] = []
    system = ""
    left_out = 0
    for place in parents_first(nodes, order=as_written, where=where):
        above = said[place.parent]
        message = export.mapping[place.key].message
        text, missing = _text(message)
        left_out += missing
        said[place.key] = _Said(above.key, above.thoughts + _thoughts(message))
        if message is None or not text.strip():
            continue
        if message.author.role == "system":
            system = system or text
            continue
        role: Role = "user" if message.author.role == "user" else "assistant"
        messages.append(
            CarriedMessage(
                key=place.key,
                parent=above.key,
                role=role,
                content=text,
                reasoning=above.thoughts if role == "assistant" else "",
                created_at=place.created_at,
                target=_target(message) if role == "assistant" else None,
            )
        )
        said[place.key] = _Said(place.key)
    identity = export.conversation_id or export.id or ""
    carried = CarriedConversation(
        origin=f"chatgpt:{identity}" if identity else "",
        key=identity,
        title=export.title or "",
        messages=parents_first(messages, order=by_time, where=where),
        active=said.get(export.current_node, _Said()).key,
        created_at=moment(export.create_time),
        updated_at=moment(export.update_time),
        system=system,
    )
    return carried, left_out


def _time(node: _Node) -> datetime | None:
    return moment(node.message.create_time) if node.message else None


def _target(message: _Message) -> TargetInfo | None:
    name = (message.metadata or {}).get("model_slug")
    if not isinstance(name, str) or not name:
        return None
    return TargetInfo(name, "api", provider="openai", leaves_machine=True)


def _text(message: _Message | None) -> tuple[str, int]:
    """What a person said or read, and how many parts of it are no text."""
    if message is None or message.author.role not in ("system", "user", "assistant"):
        return "", 0
    hidden = (message.metadata or {}).get("is_visually_hidden_from_conversation")
    if hidden or message.recipient not in ("all", None):
        return "", 0
    if message.content.content_type not in ("text", "multimodal_text"):
        return "", 0
    texts: list[str] = []
    left_out = 0
    for part in message.content.parts or []:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            left_out += 1
    return "\n\n".join(text for text in texts if text), left_out


def _thoughts(message: _Message | None) -> str:
    if message is None or message.content.content_type != "thoughts":
        return ""
    found = (t.get("content") for t in message.content.thoughts or [] if isinstance(t, dict))
    return "".join(f"{text}\n\n" for text in found if isinstance(text, str))
