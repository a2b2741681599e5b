"""Conversations of a ChatGPT export: a tree in which each step of a tool is a node.

What was said becomes messages. Thoughts become the reasoning of the answer that they led to, and
canvas, code and what tools gave back become its files. Only a node that cannot be understood is
left out, and is named; what followed it follows what was before it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

import msgspec

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.citation_marks import resolved
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
from lockhouse.chat.json_values import list_in, record_in, text_in
from lockhouse.chat.text_attachments import fenced
from lockhouse.core.errors import InvalidInput
from lockhouse.core.messages import File, Role

# Of what stands beside answers: every branch of a tree could repeat all that is above it.
_MOST_BESIDE = 64 << 20
_TEXTS = ("text", "result", "summary")
_LANGUAGE = re.compile(r"[\w+#.-]{1,20}")
_PROSE = ("text", "multimodal_text")

_Kind = Literal["nothing", "said", "instructions", "thought", "tool", "hidden", "unreadable"]


class _Piece(msgspec.Struct, frozen=True):
    """What one node holds."""

    kind: _Kind
    text: str = ""
    role: str = ""
    name: str = ""  # of a file
    missing: int = 0  # parts that are no text
    is_prose: bool = False  # a tool said it to the reader


class _Step(msgspec.Struct, frozen=True):
    """A thought or a file on the way to an answer, and the place of the step before it."""

    piece: _Piece
    key: str
    created_at: datetime | None
    before: int


class _Said(msgspec.Struct, frozen=True):
    """The nearest message at or above a node, and the last step since then."""

    key: str | None = None
    role: Role | None = None
    step: int = -1


def read_chatgpt(value: dict[str, Any], where: str) -> tuple[CarriedConversation, Losses]:
    """One conversation, and what was left out of it."""
    nodes = {key: record_in(node) for key, node in record_in(value.get("mapping")).items()}
    pieces = {key: _piece(node) for key, node in nodes.items()}
    if pieces and all(piece.kind == "unreadable" for piece in pieces.values()):
        raise InvalidInput(f"{where} is malformed: none of its messages can be read.")
    reading = _Reading(pieces, text_in(value.get("default_model_slug")), nodes)
    messages = reading.messages()
    identity = text_in(value.get("conversation_id")) or text_in(value.get("id"))
    current = text_in(value.get("current_node"))
    carried = CarriedConversation(
        origin=f"chatgpt:{identity}" if identity else "",
        key=identity,
        title=text_in(value.get("title")),
        messages=parents_first(messages, order=by_time, losses=reading.losses),
        active=reading.shown(current),
        created_at=moment(value.get("create_time")),
        updated_at=moment(value.get("update_time")),
        system="\n\n".join(dict.fromkeys(reading.instructions)),
    )
    return carried, reading.losses


class _Reading:
    """Goes down the tree and puts together what belongs to one message."""

    def __init__(
        self, pieces: dict[str, _Piece], model: str, nodes: dict[str, dict[str, object]]
    ) -> None:
        self.losses = Losses()
        self.instructions: list[str] = []
        self._pieces = pieces
        self._model = model
        self._nodes = nodes
        self._said: dict[str | None, _Said] = {None: _Said()}
        self._steps: list[_Step] = []
        self._found: list[CarriedMessage] = []
        self._held: dict[int, str] = {}  # steps that no answer followed, and what holds them
        self._beside = 0

    def messages(self) -> list[CarriedMessage]:
        """All messages, in the order of the file."""
        above = linked({k: (n.get("parent"), n.get("children")) for k, n in self._nodes.items()})
        places = parents_first(
            [CarriedMessage(k, above[k], "user", "", created_at=self._time(k)) for k in above],
            order=as_written,
            losses=self.losses,
        )
        for place in places:
            self._said[place.key] = self._after(place, self._said[place.parent])
        parents = {place.parent for place in places}
        for place in places:
            said = self._said[place.key]
            if place.key not in parents and said.step >= 0:
                self._hold(said)
        return self._found

    def shown(self, key: str) -> str | None:
        """The message that stands for a node."""
        said = self._said.get(key, _Said())
        return self._held.get(said.step, said.key)

    def _after(self, place: CarriedMessage, above: _Said) -> _Said:
        piece = self._pieces[place.key]
        self.losses.attachments += piece.missing
        if piece.kind in ("thought", "tool") and piece.text.strip():
            self._steps.append(_Step(piece, place.key, place.created_at, above.step))
            return _Said(above.key, above.role, len(self._steps) - 1)
        if piece.kind == "unreadable":
            self.losses.unreadable.append(place.key)
        if piece.kind == "instructions" and piece.text.strip():
            self.instructions.append(piece.text)
        if piece.kind == "hidden" and piece.text.strip():
            self.losses.hidden += 1
        if piece.kind != "said" or not piece.text.strip():
            return above
        role = _role(piece.role, above.role)
        parent, reasoning = above.key, ""
        files: tuple[File, ...] = ()
        if role == "user" and above.step >= 0:
            parent = self._hold(above)
        elif role == "assistant":
            reasoning, files = self._on_the_way(above.step)
        self._found.append(
            CarriedMessage(
                key=place.key,
                parent=parent,
                role=role,
                content=piece.text,
                reasoning=reasoning,
                created_at=place.created_at,
                target=self._target(place.key) if role == "assistant" else None,
                parts=files,
            )
        )
        return _Said(place.key, role)

    def _on_the_way(self, last: int) -> tuple[str, tuple[File, ...]]:
        """The thoughts and the files of the steps up to that one."""
        thoughts: list[str] = []
        files: list[File] = []
        while last >= 0:
            step = self._steps[last]
            self._beside += len(step.piece.text) + 1
            if self._beside > _MOST_BESIDE:
                self.losses.too_much += 1
                break
            if step.piece.kind == "thought":
                thoughts.append(step.piece.text)
            else:
                files.append(File(step.piece.name, step.piece.text))
            last = step.before
        return "".join(f"{text}\n\n" for text in reversed(thoughts)), tuple(reversed(files))

    def _hold(self, said: _Said) -> str:
        """A message of their own for steps that no answer followed; its key."""
        if said.step in self._held:
            return self._held[said.step]
        last = self._steps[said.step]
        self._held[said.step] = last.key
        is_prose = last.piece.is_prose
        reasoning, files = self._on_the_way(last.before if is_prose else said.step)
        self._found.append(
            CarriedMessage(
                key=last.key,
                parent=said.key,
                role="assistant",
                content=last.piece.text if is_prose else "",
                reasoning=reasoning,
                created_at=last.created_at,
                status="complete" if is_prose or files else "cut",
                target=self._target(last.key),
                parts=files,
            )
        )
        return last.key

    def _message(self, key: str) -> dict[str, object]:
        return record_in(self._nodes[key].get("message"))

    def _time(self, key: str) -> datetime | None:
        return moment(self._message(key).get("create_time"))

    def _target(self, key: str) -> TargetInfo | None:
        metadata = record_in(self._message(key).get("metadata"))
        name = text_in(metadata.get("model_slug")) or self._model
        if not name:
            return None
        return TargetInfo(name, "api", provider="openai", leaves_machine=True)


def _role(role: str, above: Role | None) -> Role:
    """Where nobody is named, a person and a model take turns."""
    if role in ("user", "assistant"):
        return "user" if role == "user" else "assistant"
    return "assistant" if above == "user" or role else "user"


def _piece(node: dict[str, object]) -> _Piece:
    message = node.get("message")
    if message is None and node:
        return _Piece("nothing")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        content = {"parts": [content]}
    if not isinstance(message, dict) or not isinstance(content, dict):
        return _Piece("unreadable")
    author, metadata = record_in(message.get("author")), record_in(message.get("metadata"))
    role, kind = text_in(author.get("role")), text_in(content.get("content_type")) or "text"
    if kind == "thoughts":
        thoughts = (text_in(record_in(one).get("content")) for one in list_in(content.get(kind)))
        return _Piece("thought", "\n\n".join(filter(None, thoughts)))
    if kind == "user_editable_context":
        own = (text_in(content.get(name)) for name in ("user_profile", "user_instructions"))
        return _Piece("instructions", "\n\n".join(filter(None, own)))
    if kind == "reasoning_recap":  # "Thought for 5s"
        return _Piece("nothing")
    text, missing = _words(content, kind)
    if metadata.get("is_visually_hidden_from_conversation"):
        return _Piece("hidden", text)
    text = resolved(text, metadata.get("content_references"))
    recipient = text_in(message.get("recipient")) or "all"
    if recipient != "all":
        return _call(recipient, text, missing)
    if role == "system":
        return _Piece("instructions", text)
    if role == "tool":
        tool = text_in(author.get("name"))
        name = text_in(content.get("title")) or (f"{tool} output" if tool else kind)
        return _Piece("tool", text, role, name, missing, kind in _PROSE)
    if kind == "code":
        language = text_in(content.get("language"))
        known = language if _LANGUAGE.fullmatch(language) and language != "unknown" else ""
        text = fenced(text, known)
    return _Piece("said", text, role, missing=missing)


def _call(recipient: str, text: str, missing: int) -> _Piece:
    """What a model gave to a tool; a canvas is given as a record."""
    if recipient.startswith("canmore."):
        try:
            canvas = record_in(msgspec.json.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            canvas = {}
        if body := text_in(canvas.get("content")):
            return _Piece("tool", body, name=text_in(canvas.get("name")) or "Canvas")
    return _Piece("tool", text, name=recipient, missing=missing)


def _words(content: dict[str, object], kind: str) -> tuple[str, int]:
    """The words of a message, and how many parts of it are no text."""
    parts = content.get("parts")
    texts: list[str] = []
    missing = 0
    for part in [parts] if isinstance(parts, str) else list_in(parts):
        text = part if isinstance(part, str) else record_in(part).get("text")
        if isinstance(text, str):
            texts.append(text)
        else:
            missing += 1
    texts += [text_in(content.get(name)) for name in _TEXTS]
    if not any(texts) and not missing and kind not in (*_PROSE, "code", "execution_output"):
        missing = 1  # of a kind that is not known here
    return "\n\n".join(filter(None, texts)), missing
