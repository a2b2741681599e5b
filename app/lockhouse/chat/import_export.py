"""Conversations out to files and in from them.

Out: Markdown, JSON with the whole tree, JSONL for training, one HTML page. In: our own JSON,
exports of Open WebUI and of ChatGPT. A file that cannot be read brings nothing in.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast, get_args

import msgspec

from lockhouse.chat import interchange
from lockhouse.chat.chatgpt_export import read_chatgpt
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.interchange import CarriedConversation
from lockhouse.chat.text_export import as_html, as_jsonl, as_markdown
from lockhouse.chat.titles import title_from
from lockhouse.chat.tree_export import OWN, left_out_of, read_tree, write_tree
from lockhouse.chat.values import Message
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.core.messages import Image

Format = Literal["md", "json", "jsonl", "html"]
FORMATS: tuple[str, ...] = get_args(Format)

MAX_FILE_BYTES = 256 * 2**20

_PARTS_OF_AN_EXPORT = re.compile(r"(?:^|/)conversations(?:-\d+)?\.json$")
_ZIP = b"PK\x03\x04"
_KNOWN = "Lockhouse reads its own JSON exports and those of Open WebUI and ChatGPT (also as .zip)."


class ImportReport(msgspec.Struct, frozen=True):
    """What an import brought. ``skipped`` says, a sentence each, what it did not bring."""

    conversations: int
    messages: int
    skipped: list[str]


def export(conversations: Conversations, conversation_id: str, fmt: str) -> str:
    """One conversation as text. "json" holds all versions, the others what is shown."""
    if fmt not in FORMATS:
        raise UsageMistake(f'There is no format "{fmt}".', hint=f"Use one of {', '.join(FORMATS)}.")
    conversation = conversations.get(conversation_id)
    if fmt == "json":
        names = {folder.id: folder.name for folder in conversations.folders()}
        folder = names.get(conversation.folder_id or "", "")
        messages = conversations.messages(conversation.id)
        images = _images(conversations, messages)
        return write_tree(conversation, messages, folder=folder, images=images)
    shown = conversations.path(conversation.id)
    if fmt == "html":
        return as_html(conversation, shown, images=_images(conversations, shown))
    return as_markdown(conversation, shown) if fmt == "md" else as_jsonl(conversation, shown)


def _images(conversations: Conversations, messages: list[Message]) -> dict[str, tuple[Image, ...]]:
    return {m.id: conversations.images(m.id) for m in messages if m.pictures}


def import_file(
    conversations: Conversations, path: Path, *, max_bytes: int = MAX_FILE_BYTES
) -> ImportReport:
    """Brings in every conversation of a file, or none when something in it is wrong."""
    found: list[CarriedConversation] = []
    skipped: list[str] = []
    left_out = 0
    for value in _values(path, max_bytes):
        carried, missing = _carried(value, f"Conversation {len(found) + 1} in {path.name}")
        found.append(_titled(carried))
        left_out += missing
    brought = messages = 0
    with conversations.database.write() as database:
        for carried in found:
            title = carried.title or "Untitled"
            if not carried.messages and not carried.origin.startswith(OWN):
                skipped.append(f'"{title}" holds no messages.')
            elif interchange.already_here(database, carried):
                skipped.append(f'"{title}" is here already.')
            else:
                interchange.store(database, carried)
                brought += 1
                messages += len(carried.messages)
    if left_out:
        skipped.append(f"{left_out} images and other attachments cannot be imported.")
    return ImportReport(brought, messages, skipped)


def _carried(value: object, where: str) -> tuple[CarriedConversation, int]:
    if isinstance(value, dict) and isinstance(value.get("mapping"), dict):
        return read_chatgpt(value, where)
    if isinstance(value, dict) and isinstance(value.get("chat"), dict):
        return read_tree(value, where), left_out_of(value)
    raise InvalidInput(f"{where} has an unknown layout.", hint=_KNOWN)


def _titled(carried: CarriedConversation) -> CarriedConversation:
    """Other programs leave a title out where ours takes one from the first question."""
    own = carried.origin.startswith(OWN)
    questions = (m.content for m in carried.messages if m.role == "user" and m.content.strip())
    first = next(questions, "")
    if own or carried.title.strip() or not first:
        return carried
    return msgspec.structs.replace(carried, title=title_from(first))


def _values(path: Path, max_bytes: int) -> Iterator[object]:
    """The conversations of a file, not yet looked at."""
    for text in _texts(path, max_bytes):
        try:
            value = msgspec.json.decode(text.removeprefix(b"\xef\xbb\xbf"))
        except msgspec.DecodeError as error:
            raise InvalidInput(f"{path} is not valid JSON: {error}", hint=_KNOWN) from error
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{path} is not valid UTF-8.", hint=_KNOWN) from error
        except RecursionError as error:
            raise InvalidInput(f"{path} is nested too deeply.", hint=_KNOWN) from error
        yield from _unwrapped(value)


def _unwrapped(value: object) -> list[object]:
    if isinstance(value, dict) and isinstance(value.get("conversations"), list):
        return cast("list[object]", value["conversations"])
    return value if isinstance(value, list) else [value]


def _texts(path: Path, max_bytes: int) -> Iterator[bytes]:
    """The JSON documents in a file: itself, or those in a zip."""
    with _opened(path) as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        if not is_zip:
            yield _limited(file, path, max_bytes)
            return
        try:
            with zipfile.ZipFile(file) as archive:
                names = sorted(filter(_PARTS_OF_AN_EXPORT.search, archive.namelist()))
                if not names:
                    raise InvalidInput(f"{path} holds no conversations.json.", hint=_KNOWN)
                for name in names:
                    with archive.open(name) as part:
                        text = _limited(part, path, max_bytes)
                    max_bytes -= len(text)
                    yield text
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,  # a compression that is not built in
            RuntimeError,  # a password is needed
        ) as error:
            raise InvalidInput(f"{path} cannot be unpacked: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        # Opening a pipe would wait for somebody to write to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidInput(f"{path} is not a file.")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error


def _limited(file: Any, path: Path, max_bytes: int) -> bytes:
    text: bytes = file.read(max_bytes + 1)
    if len(text) > max_bytes:
        raise InvalidInput(
            f"{path} holds more than {max_bytes / 2**20:,.0f} MiB, the most that can be imported.",
            hint="Export fewer conversations at a time.",
        )
    return text
