"""Exports of other programs, small and whole, for tests to break."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]


def node(
    key: str, parent: str | None, role: str = "", words: object = None, **fields: Any
) -> Record:
    """A node of ChatGPT's tree; without a role it holds no message."""
    if not role:
        return {"id": key, "message": None, "parent": parent, "children": []}
    kind = fields.pop("kind", "text")
    content = {"content_type": kind, **fields.pop("content", {})}
    if words is not None:
        content["parts"] = words if isinstance(words, list) else [words]
    message = {
        "id": key,
        "author": {"role": role, "name": fields.pop("name", None)},
        "create_time": fields.pop("at", None),
        "content": content,
        "metadata": fields.pop("metadata", {}),
        "recipient": fields.pop("to", "all"),
        **fields,
    }
    return {"id": key, "message": message, "parent": parent, "children": []}


def chatgpt(nodes: Sequence[Record], title: str = "Talk", **fields: Any) -> Record:
    """A conversation of ChatGPT's that shows its last node."""
    return {
        "title": title,
        "create_time": 1700000000.0,
        "update_time": 1700000100.0,
        "mapping": {one["id"]: one for one in nodes},
        "current_node": nodes[-1]["id"],
        "conversation_id": f"c-{title}",
        **fields,
    }


def gpt_talk(title: str = "Talk") -> Record:
    """A question and an answer."""
    return chatgpt(
        [
            node("r", None),
            node("u", "r", "user", f"hello from {title}", at=1.0),
            node("a", "u", "assistant", f"answer of {title}", at=2.0),
        ],
        title,
    )


def webui_message(key: str, parent: str | None, role: str, words: object, **fields: Any) -> Record:
    """A message of Open WebUI's."""
    return {
        "id": key,
        "parentId": parent,
        "childrenIds": [],
        "role": role,
        "content": words,
        "timestamp": 1700000000,
        **fields,
    }


def webui(messages: Sequence[Record], title: str = "Talk", **fields: Any) -> Record:
    """A conversation of Open WebUI's that shows its last message."""
    history = {"messages": {one["id"]: one for one in messages}, "currentId": messages[-1]["id"]}
    return {
        "id": f"id-{title}",
        "title": title,
        "chat": {"title": title, "models": ["llama3:8b"], "history": history},
        "created_at": 1700000000,
        "updated_at": 1700000100,
        **fields,
    }


def webui_talk(title: str = "Talk") -> Record:
    """A question and an answer."""
    return webui(
        [
            webui_message("1", None, "user", f"hello {title}"),
            webui_message("2", "1", "assistant", f"answer {title}", model="llama3:8b"),
        ],
        title,
    )


def many(count: int, *, words: int = 100) -> list[Record]:
    """That many conversations of six messages each."""
    found = []
    for number in range(count):
        messages = [
            webui_message(
                f"m{place}",
                f"m{place - 1}" if place else None,
                "assistant" if place % 2 else "user",
                f"conv {number} msg {place} " + f"word{number} " * words,
            )
            for place in range(6)
        ]
        found.append(webui(messages, f"Conv {number}"))
    return found
