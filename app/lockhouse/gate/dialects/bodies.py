"""What the bodies of all dialects share: how they are encoded, merged and checked.

The same request always gives the same bytes: keys in the order of the dialect, without white
space, in UTF-8.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable

import msgspec

from lockhouse.core.errors import InvalidInput
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import Image, Tool, Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.providers import Provider

Fields = dict[str, object]

_NO_IDENTIFIER = re.compile(r"[^A-Za-z0-9_-]")


def written(provider: Provider, fields: Fields) -> bytes:
    """The bytes of a body: the provider's fields merged in, those it refuses left out."""
    body = _merged(fields, provider.body)
    for name in provider.omit:
        _leave_out(body, name.split("."))
    return msgspec.json.encode(body)


def _merged(fields: Fields, more: Fields) -> Fields:
    """Objects are merged into objects; anything else is replaced."""
    body = dict(fields)
    for name, value in more.items():
        before = body.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            body[name] = _merged(before, value)
        else:
            body[name] = value
    return body


def _leave_out(body: Fields, path: list[str]) -> None:
    inner = body.get(path[0])
    if len(path) == 1:
        body.pop(path[0], None)
    elif isinstance(inner, dict):
        _leave_out(inner, path[1:])


def chosen(request: AnswerRequest, names: Iterable[str]) -> dict[str, float]:
    """The sampler settings among ``names`` that were chosen; the provider decides the rest."""
    return {
        name: getattr(request.sampling, name) for name in names if name not in request.left_open
    }


def schema(text: str, what: str) -> Fields:
    """A JSON object from its text. Raises InvalidInput, which names it as ``what``."""
    try:
        return decoded(text.encode(), dict[str, object])
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{what}: invalid JSON ({error}).") from error


def described(tool: Tool) -> tuple[Fields, Fields]:
    """Name and description of a tool, and the schema of its parameters."""
    entry: Fields = {"name": tool.name}
    if tool.description:
        entry["description"] = tool.description
    return entry, schema(tool.parameters, f"The parameters of {tool.name}")


def base64_of(image: Image) -> str:
    """The bytes of a picture as text."""
    return base64.b64encode(image.data).decode("ascii")


def identifier(call_id: str) -> str:
    """The id of a tool call in a form that every provider accepts."""
    return _NO_IDENTIFIER.sub("_", call_id) or "call"


def system_text(turns: Iterable[Turn]) -> str:
    """All system turns as one text, for dialects with a separate field for it."""
    return "\n\n".join(turn.content for turn in turns if turn.role == "system" and turn.content)


def alternating(
    turns: Iterable[Turn], assistant: str, parts_of: Callable[[Turn], list[Fields]]
) -> list[tuple[str, list[Fields]]]:
    """Roles and parts, with turns of the same role joined; without empty and system turns.

    ``assistant`` is that role in the dialect; all others are the user's.
    """
    messages: list[tuple[str, list[Fields]]] = []
    for turn in turns:
        parts = parts_of(turn) if turn.role != "system" else []
        if not parts:
            continue
        role = assistant if turn.role == "assistant" else "user"
        if messages and messages[-1][0] == role:
            messages[-1][1].extend(parts)
        else:
            messages.append((role, parts))
    return messages


def refuse_grammar(request: AnswerRequest, who: str) -> None:
    """Raise InvalidInput when the request has a grammar, which APIs do not support."""
    if request.grammar is not None:
        raise InvalidInput(
            f"{who} does not support grammars.",
            hint="Use a JSON schema instead, or choose a model on this machine.",
        )
