"""Conversations of our own JSON export and of Open WebUI's, which have one layout.

Open WebUI writes what its many versions and extensions left behind, so each message is read for
itself, and what is missing is taken from what is there. What cannot be read is named.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import Any

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.image_store import MOST_BYTES, MOST_PICTURES, picture_of
from lockhouse.chat.interchange import (
    CarriedConversation,
    CarriedMessage,
    Losses,
    as_written,
    by_time,
    linked,
    moment,
    parents_first,
)
from lockhouse.chat.json_values import is_keepable, list_in, record_in, text_in
from lockhouse.chat.tree_export import FORMAT, OWN, OwnConversation, OwnMessage
from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import Failed
from lockhouse.core.json_decoding import converted
from lockhouse.core.messages import Image, Role

# Each pattern ends where the next one could begin, so that a page of openings is read once.
_OPENING = re.compile(r'<details type="reasoning"[^<>]*>')
_CLOSING = "</details>"
_SUMMARY = re.compile(r"\s*<summary>.*?</summary>\s*", re.DOTALL)
_QUOTED = re.compile(r"^(?:>|&gt;) ?", re.MULTILINE)
_LONGEST_ERROR = 2000

_Written = dict[str, dict[str, object] | None]


def read_webui(value: dict[str, Any], where: str) -> tuple[CarriedConversation, Losses]:
    """One conversation, and what was left out of it; InvalidInput where it cannot be read."""
    chat, own = record_in(value.get("chat")), _own(value, where)
    history = record_in(chat.get("history"))
    written = _written(history, chat)
    if not written and own is None and not isinstance(value.get("id", ""), str):
        raise InvalidInput(f"{where} is malformed: it has no messages, and no id.")
    reading = _Reading(written)
    messages = reading.messages(is_ours=own is not None)
    if written and not messages:
        raise InvalidInput(f"{where} is malformed: none of its messages can be read.")
    identity = text_in(value.get("id"))
    instructions = chat.get("system") or record_in(chat.get("params")).get("system")
    shared = CarriedConversation(
        origin=(OWN if own else "open-webui:") + identity if identity else "",
        key=identity,
        title=text_in(value.get("title")) or text_in(chat.get("title")),
        messages=messages,
        active=reading.shown(text_in(history.get("currentId"))),
        created_at=moment(value.get("created_at")) or moment(chat.get("timestamp")),
        updated_at=moment(value.get("updated_at")),
        pinned=bool(value.get("pinned")),
        system=text_in(instructions),
    )
    return (_with_own(shared, own) if own else shared), reading.losses


def _own(value: dict[str, Any], where: str) -> OwnConversation | None:
    fields = value.get("lockhouse")
    if fields is None:
        return None
    number = record_in(fields).get("format")
    if isinstance(number, int) and number > FORMAT:
        raise InvalidInput(
            f"{where} was written by a newer version of Lockhouse.",
            hint="Update Lockhouse, then import it.",
        )
    try:
        own = converted(fields, OwnConversation)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where} is malformed: {error}") from error
    if not is_keepable(own.parameters):
        raise InvalidInput(f"{where} is malformed: its settings have no bounds.")
    return own


def _with_own(shared: CarriedConversation, own: OwnConversation) -> CarriedConversation:
    fields = msgspec.structs.asdict(own)
    del fields["format"]
    fields["created_at"] = moment(own.created_at) or shared.created_at
    fields["updated_at"] = moment(own.updated_at) or shared.updated_at
    return msgspec.structs.replace(shared, **fields)


def _written(history: dict[str, object], chat: dict[str, object]) -> _Written:
    """The messages by their keys; old exports hold a list without a tree."""
    tree = record_in(history.get("messages"))
    if tree:
        return {key: one if isinstance(one, dict) else None for key, one in tree.items()}
    line = list_in(chat.get("messages"))
    return {
        f"{number}": {**one, "parentId": f"{number - 1}"} if isinstance(one, dict) else None
        for number, one in enumerate(line)
    }


class _Reading:
    """The messages of one conversation, each read for itself."""

    def __init__(self, written: _Written) -> None:
        self.losses = Losses()
        self._written = written
        fields = {key: one or {} for key, one in written.items()}
        self._above = linked(
            {key: (one.get("parentId"), one.get("childrenIds")) for key, one in fields.items()}
        )
        self._parents = set(self._above.values())
        self._stands_for: dict[str | None, str | None] = {None: None}

    def messages(self, *, is_ours: bool) -> tuple[CarriedMessage, ...]:
        """Parents first. What followed one that cannot be read follows what was before it."""
        found = {key: self._carried(key, one) for key, one in self._written.items()}
        places = [
            found[key] or CarriedMessage(key, above, "user", "")
            for key, above in self._above.items()
        ]
        order = as_written if is_ours else by_time
        messages: list[CarriedMessage] = []
        for place in parents_first(places, order=order, losses=self.losses):
            above = self._stands_for[place.parent]
            if found[place.key] is None:
                self.losses.unreadable.append(place.key)
                self._stands_for[place.key] = above
                continue
            self._stands_for[place.key] = place.key
            messages.append(msgspec.structs.replace(place, parent=above))
        return tuple(messages)

    def shown(self, key: str) -> str | None:
        """The message that stands for one that may not have been readable."""
        return self._stands_for.get(key)

    def _carried(self, key: str, message: dict[str, object] | None) -> CarriedMessage | None:
        if message is None:
            return None
        role = self._role(key, message)
        images = _images(message)
        self.losses.attachments += len(list_in(message.get("files"))) - len(images)
        ours = _own_message(message)
        if role is not None and ours is not None:
            own = msgspec.structs.asdict(ours)
            earlier = own.pop("tool_calls")
            own["parts"] = own["parts"] or earlier
            own["created_at"] = moment(ours.created_at) or moment(message.get("timestamp"))
            return CarriedMessage(key, self._above[key], role, images=images, **own)
        words = _words(message)
        if role is None or words is None:
            return None
        name = text_in(message.get("model")) if role == "assistant" else ""
        title = text_in(message.get("modelName"))
        error = _error(message.get("error"))
        is_cut = message.get("done") is False
        return CarriedMessage(
            key=key,
            parent=self._above[key],
            role=role,
            content=words[0],
            reasoning=words[1],
            created_at=moment(message.get("timestamp")),
            status="failed" if error else "cut" if is_cut else "complete",
            target=TargetInfo(name, "api", title=title) if name else None,
            error=error,
            images=images,
        )

    def _role(self, key: str, message: dict[str, object]) -> Role | None:
        """Whose message it is; None where it belongs to nobody and to nothing."""
        role = message.get("role")
        if role in ("user", "system", "tool"):
            return "user" if role == "user" else "system" if role == "system" else "tool"
        if isinstance(role, str):
            return "assistant"
        above = self._above[key]
        if above is None and key not in self._parents and len(self._written) > 1:
            return None
        asked = (self._written.get(above or "") or {}).get("role") == "user"
        return "assistant" if asked or message.get("model") else "user"


def _own_message(message: dict[str, object]) -> OwnMessage | None:
    fields = message.get("lockhouse")
    if fields is None:
        return None
    try:
        own = converted(fields, OwnMessage)
    except msgspec.ValidationError:
        return None  # the words stand in the fields of Open WebUI as well
    return own if is_keepable((own.target, own.finished, own.error, own.parts)) else None


def _words(message: dict[str, object]) -> tuple[str, str] | None:
    """The text and the reasoning of a message; None where it has neither, nor says why."""
    content = message.get("content")
    output = [record_in(one) for one in list_in(message.get("output"))]
    if isinstance(content, str) and (content or not output):
        return _without_reasoning(content)
    if isinstance(content, list) and content:
        return _without_reasoning(_plain(content))
    if output:
        thought = [one for one in output if one.get("type") == "reasoning"]
        said = [one for one in output if one.get("type") == "message"]
        texts = (
            "\n\n".join(filter(None, (_plain(list_in(one.get("content"))) for one in ones)))
            for ones in (said, thought)
        )
        return next(texts), next(texts)
    return ("", "") if _error(message.get("error")) or content == [] else None


def _plain(content: list[object]) -> str:
    parts = (one if isinstance(one, str) else record_in(one).get("text") for one in content)
    return "\n\n".join(part for part in parts if isinstance(part, str))


def _error(value: object) -> Failed | None:
    """Why an answer failed, as Open WebUI keeps it: true, a text, or a record with one."""
    text = text_in(value) or text_in(record_in(value).get("content"))
    return Failed("imported", text[:_LONGEST_ERROR]) if text else None


def _images(message: dict[str, object]) -> tuple[Image, ...]:
    """The pictures of a message; anything else that is attached is left out."""
    found: list[Image] = []
    for file in map(record_in, list_in(message.get("files"))):
        head, comma, text = text_in(file.get("url")).partition(",")
        if not comma or len(found) == MOST_PICTURES or not head.endswith(";base64"):
            continue
        if len(text) > MOST_BYTES * 4 // 3 + 4:
            continue
        try:
            data = base64.b64decode(text, validate=True)
            found.append(picture_of(data, text_in(file.get("name"))))
        except (binascii.Error, InvalidInput, ValueError):
            continue
    return tuple(found)


def _without_reasoning(content: str) -> tuple[str, str]:
    """Open WebUI keeps a reasoning trace inside the text."""
    rest: list[str] = []
    traces: list[str] = []
    at = 0
    while opening := _OPENING.search(content, at):
        end = content.find(_CLOSING, opening.end())
        if end < 0:
            break
        rest.append(content[at : opening.start()])
        traces.append(_trace(content[opening.end() : end]))
        at = end + len(_CLOSING)
    rest.append(content[at:])
    if not traces:
        return content, ""
    first, *middle, last = rest
    pieces = [first.rstrip(), *(text.strip() for text in middle), last.lstrip()]
    return "".join(pieces), "\n\n".join(traces)


def _trace(text: str) -> str:
    summary = _SUMMARY.match(text)
    body = text[summary.end() :] if summary else text
    text = _QUOTED.sub("", body.strip())
    try:
        return html.unescape(text)
    except ValueError:  # the number of a character has more digits than a number may have
        return text
