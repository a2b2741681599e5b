"""Conversations out to files and in from them.

Out: Markdown, JSON with the whole tree, JSONL for training, one HTML page. In: our own JSON,
exports of Open WebUI and of ChatGPT. A file is read to its end before anything of it is kept, and
then kept in steps of one conversation, between which others write. One that is stopped half-way
goes on where it was when it is repeated.
"""

from __future__ import annotations

import re
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import msgspec

from lockhouse.chat import interchange, json_values
from lockhouse.chat.chatgpt_export import read_chatgpt
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.interchange import CarriedConversation, Losses
from lockhouse.chat.text_export import as_html, as_jsonl, as_markdown
from lockhouse.chat.titles import title_from
from lockhouse.chat.tree_export import OWN, write_tree
from lockhouse.chat.values import Message
from lockhouse.chat.webui_export import read_webui
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.core.messages import Image

Format = Literal["md", "json", "jsonl", "html"]
FORMATS: tuple[str, ...] = get_args(Format)

MAX_CONVERSATION_BYTES = 256 * 2**20
MAX_CONVERSATIONS = 1_000_000

_PIECE_BYTES = 2**20
_MOST_TOLD = 1000  # sentences of a report
_MOST_NAMED = 5  # messages of a conversation
_LONGEST_NAME = 80
_LONGEST_PAUSE_S = 0.25
_PARTS_OF_AN_EXPORT = re.compile(r"(?:^|/)conversations[^/]*\.json$")
_ZIP = b"PK\x03\x04"
_KNOWN = "Lockhouse reads its own JSON exports and those of Open WebUI and ChatGPT (also as .zip)."


class ImportReport(msgspec.Struct, frozen=True):
    """What an import brought. ``skipped`` says, a sentence each, what it did not bring."""

    conversations: int
    messages: int
    skipped: list[str]


class ImportProgress(msgspec.Struct, frozen=True):
    """How many conversations of a file were looked at."""

    done: int
    total: int


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
    conversations: Conversations,
    path: Path,
    *,
    max_bytes: int = MAX_CONVERSATION_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Brings in every conversation of a file that can be read, and says what it left out.

    Raises InvalidInput where there is none, or where the file is damaged; then nothing came in.
    """
    for step in import_steps(conversations, path, max_bytes=max_bytes):
        if isinstance(step, ImportReport):
            return step
        if progress is not None:
            progress(step.done, step.total)
    raise AssertionError("an import ends with its report")


def import_steps(
    conversations: Conversations, path: Path, *, max_bytes: int = MAX_CONVERSATION_BYTES
) -> Iterator[ImportProgress | ImportReport]:
    """:func:`import_file` as it goes on. No more than one conversation is held in memory."""
    total = 0
    for _ in _values(path, max_bytes):
        total += 1
        if total > MAX_CONVERSATIONS:
            raise InvalidInput(f"{path} holds more than {MAX_CONVERSATIONS:,} conversations.")
    importing = _Import(conversations, path.name)
    yield ImportProgress(0, total)
    for number, text in enumerate(_values(path, max_bytes), start=1):
        importing.take(text)
        yield ImportProgress(number, total)
    yield importing.report()


class _Import:
    """What came in so far, and what did not."""

    def __init__(self, conversations: Conversations, name: str) -> None:
        self._database = conversations.database
        self._name = name
        self._looked_at = self._brought = self._messages = 0
        self._attachments = self._hidden = 0
        self._is_understood = False
        self._refused: InvalidInput | None = None
        self._skipped: list[str] = []
        self._untold = 0

    def take(self, text: bytearray) -> None:
        """Brings in the conversations of one value of the file."""
        try:
            values = _unwrapped(json_values.tolerant(text))
        except ValueError:
            values = []
            self._refuse(InvalidInput(f"{self._next()} is not valid JSON.", hint=_KNOWN))
        except RecursionError:
            values = []
            self._refuse(InvalidInput(f"{self._next()} is nested too deeply.", hint=_KNOWN))
        for value in values:
            where = self._next()
            try:
                carried, losses = _carried(value, where)
                self._is_understood = True
                self._keep(interchange.identified(_titled(carried)), losses)
            except InvalidInput as error:
                self._refuse(error)
            except RecursionError:
                self._refuse(InvalidInput(f"{where} is nested too deeply.", hint=_KNOWN))

    def report(self) -> ImportReport:
        """What the import brought. Raises the first error where it understood nothing."""
        if self._refused is not None and not self._is_understood:
            raise self._refused
        told = list(self._skipped)
        if self._untold:
            told.append(f"And {self._untold:,} more.")
        if self._hidden:
            told.append(f"{self._hidden} hidden messages of other programs were left out.")
        if self._attachments:
            told.append(f"{self._attachments} images and other attachments cannot be imported.")
        return ImportReport(self._brought, self._messages, told)

    def _next(self) -> str:
        self._looked_at += 1
        return f"Conversation {self._looked_at} in {self._name}"

    def _refuse(self, error: InvalidInput) -> None:
        self._refused = self._refused or error
        self._tell(error.message)

    def _tell(self, sentence: str) -> None:
        if len(self._skipped) < _MOST_TOLD:
            self._skipped.append(sentence)
        else:
            self._untold += 1

    def _keep(self, carried: CarriedConversation, losses: Losses) -> None:
        title = (carried.title or "Untitled")[:_LONGEST_NAME]
        self._attachments += losses.attachments
        self._hidden += losses.hidden
        for sentence in _told(title, losses):
            self._tell(sentence)
        if not carried.messages and not carried.origin.startswith(OWN):
            self._tell(f'"{title}" holds no messages.')
        elif self._is_stored(carried):
            self._brought += 1
            self._messages += len(carried.messages)
        else:
            self._tell(f'"{title}" is here already.')

    def _is_stored(self, carried: CarriedConversation) -> bool:
        """Writes it, unless it is here. Others get their turn before the next one."""
        digest = interchange.digest_of(carried)
        if interchange.already_here(self._database.read(), carried, digest):
            return False
        began = time.monotonic()
        with self._database.write() as database:
            if interchange.already_here(database, carried, digest):
                return False
            interchange.store(database, carried)
        # Who waits for SQLite looks again after some time, and must not always come too late.
        time.sleep(min((time.monotonic() - began) / 2, _LONGEST_PAUSE_S))
        return True


def _told(title: str, losses: Losses) -> Iterator[str]:
    """What of one conversation did not come in, a sentence each."""
    if count := len(losses.unreadable):
        named = ", ".join(key[:_LONGEST_NAME] for key in losses.unreadable[:_MOST_NAMED])
        more = f" and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
        counted = "1 message" if count == 1 else f"{count} messages"
        yield f'In "{title}", {counted} cannot be read: {named}{more}.'
    if losses.circles:
        yield f'In "{title}", messages follow each other in a circle, which was opened.'
    if losses.too_much:
        yield (
            f'In "{title}", reasoning and files of {losses.too_much} answers were left out: many'
            " answers repeat the same ones."
        )


def _carried(value: object, where: str) -> tuple[CarriedConversation, Losses]:
    if isinstance(value, dict) and isinstance(value.get("mapping"), dict):
        return read_chatgpt(value, where)
    if isinstance(value, dict) and isinstance(value.get("chat"), dict):
        return read_webui(value, where)
    raise InvalidInput(f"{where} has an unknown layout.", hint=_KNOWN)


def _titled(carried: CarriedConversation) -> CarriedConversation:
    """Other programs leave a title out where ours takes one from the first question."""
    own = carried.origin.startswith(OWN)
    questions = (m.content for m in carried.messages if m.role == "user" and m.content.strip())
    first = next(questions, "")
    if own or carried.title.strip() or not first:
        return carried
    return msgspec.structs.replace(carried, title=title_from(first))


def _unwrapped(value: object) -> list[object]:
    """The conversations of a value: itself, or those that it holds in a list or by their ids."""
    if not isinstance(value, dict) or _is_conversation(value):
        return [value]
    if isinstance(value.get("conversations"), list):
        return list(value["conversations"])
    held = list(value.values())
    return held if held and all(map(_is_conversation, held)) else [value]


def _is_conversation(value: object) -> bool:
    return isinstance(value, dict) and any(
        isinstance(value.get(name), dict) for name in ("mapping", "chat")
    )


def _values(path: Path, max_bytes: int) -> Iterator[bytearray]:
    """The values of a file, or of those in a zip, not yet looked at."""
    with _opened(path) as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        if not is_zip:
            yield from json_values.split(_pieces(file), most_bytes=max_bytes, name=str(path))
            return
        try:
            with zipfile.ZipFile(file) as archive:
                names = sorted(filter(_PARTS_OF_AN_EXPORT.search, archive.namelist()))
                if not names:
                    raise InvalidInput(f"{path} holds no conversations.json.", hint=_KNOWN)
                for name in names:
                    with archive.open(name) as part:
                        yield from json_values.split(
                            _pieces(part), most_bytes=max_bytes, name=f"{name} in {path}"
                        )
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,  # a compression that is not built in
            RuntimeError,  # a password is needed
        ) as error:
            raise InvalidInput(f"{path} cannot be unpacked: {error}") from error


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


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
