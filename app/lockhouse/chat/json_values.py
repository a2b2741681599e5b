"""The values of a JSON file one at a time, so that a file may be larger than memory.

A value ends where its brackets close. What is between them is looked at only when the value is
decoded, so one that is not valid costs itself and not the file. That, and characters of which
only half was written, is what a reader of events cannot do: it ends at the first mistake.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator

import msgspec

from lockhouse.chat.identity import storable
from lockhouse.core.errors import InvalidInput

# Up to the next bracket, or to a string that does not end in this piece. Nothing is tried twice.
_NO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+')
_WRAPPED = re.compile(rb'\{\s*"conversations"\s*:\s*\[')
_BETWEEN = b" \t\r\n,"
_BOM = b"\xef\xbb\xbf"
_QUOTE, _ESCAPE = b'"\\'
_OPENING = b"[{"
_LONGEST_INTEGER = 400  # digits; a float is infinite from 309 on
_MOST_INTEGER = 2**63 - 1


def split(pieces: Iterable[bytes], *, most_bytes: int, name: str) -> Iterator[bytearray]:
    """Each value of the lists in a text, and each that stands in no list.

    Raises InvalidInput where brackets do not close, or a value is larger than that.
    """
    scanner = _Scanner(most_bytes, name)
    for piece in pieces:
        yield from scanner.take(piece)
    yield from scanner.end()


class _Scanner:
    """Where in a text it stands: how deep, and whether inside a string."""

    def __init__(self, most_bytes: int, name: str) -> None:
        self._most_bytes = most_bytes
        self._name = name
        self._held = bytearray()  # of the value that has begun
        self._depth = 0
        self._base = 0  # the depth at which values stand
        self._in_string = False
        self._is_escaped = False
        self._is_first = True
        self._is_empty = True  # nothing but space yet
        self._is_rest = False  # behind the list of an object that holds one

    def take(self, piece: bytes) -> Iterator[bytearray]:
        """The values that end in the next piece of the text."""
        if self._is_first:
            piece, self._is_first = piece.removeprefix(_BOM), False
        at = start = 0
        while (at := self._next_bracket(piece, at)) < len(piece):
            self._is_empty = False
            is_opening = piece[at] in _OPENING
            if is_opening and self._depth == self._base:
                yield from self._between(piece[start:at])
                start = at
                if self._depth == 0 and (inside := self._list_at(piece, at)):
                    at = start = inside
                    continue
            at += 1
            self._depth += 1 if is_opening else -1
            if self._depth < 0:
                raise self._invalid()
            if not is_opening and self._depth < self._base:
                yield from self._between(piece[start : at - 1])
                self._is_rest = self._depth > 0
                self._base, start = 0, at
            elif not is_opening and self._depth == self._base:
                yield from self._value(piece[start:at])
                start = at
        self._hold(piece[start:])

    def end(self) -> Iterator[bytearray]:
        """What stands behind the last value."""
        yield from self._between(b"")
        if self._depth or self._in_string or self._is_empty:
            raise self._invalid()

    def _next_bracket(self, piece: bytes, at: int) -> int:
        """Where the next bracket outside strings is; the end of the piece if there is none."""
        while at < len(piece):
            if self._is_escaped:
                self._is_escaped = False
                at += 1
            elif self._in_string:
                at = _end_of(_IN_STRING, piece, at)
                if at < len(piece):
                    self._is_escaped = piece[at] == _ESCAPE
                    self._in_string = self._is_escaped
                    at += 1
            else:
                at = _end_of(_NO_BRACKET, piece, at)
                if at == len(piece) or piece[at] != _QUOTE:
                    break
                self._in_string = True
                at += 1
        return at

    def _list_at(self, piece: bytes, at: int) -> int:
        """Enters the list that begins there, if one does; where its first value may stand."""
        wrapped = _WRAPPED.match(piece, at)
        if piece[at] == _OPENING[0]:
            self._base = self._depth = 1
            return at + 1
        if wrapped is None:
            return 0
        self._base = self._depth = 2
        return wrapped.end()

    def _hold(self, text: bytes) -> None:
        self._held += text
        if len(self._held) > self._most_bytes:
            raise InvalidInput(
                f"{self._name} holds a conversation of more than"
                f" {self._most_bytes / 2**20:,.0f} MiB, the most that can be imported.",
                hint="Export it without its attachments.",
            )

    def _value(self, end: bytes) -> Iterator[bytearray]:
        self._hold(end)
        found, self._held = self._held, bytearray()
        if not self._is_rest:
            yield found
        self._is_rest = False

    def _between(self, end: bytes) -> Iterator[bytearray]:
        """A value without brackets, where one stands between the others."""
        self._hold(end)
        found, self._held = self._held, bytearray()
        text = found.strip(_BETWEEN)
        if text and not self._is_rest:
            self._is_empty = False
            yield text

    def _invalid(self) -> InvalidInput:
        return InvalidInput(f"{self._name} is not valid JSON, or its end is missing.")


def _end_of(pattern: re.Pattern[bytes], piece: bytes, at: int) -> int:
    found = pattern.match(piece, at)
    return found.end() if found else at


def tolerant(text: bytes | bytearray) -> object:
    """The value of a text, also of one that not every program would read.

    Halves of characters, raw control characters and numbers without bounds are made into what
    can be kept. Raises ValueError for what is no JSON, RecursionError for what is too deep.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = json.loads(text.decode("utf-8", "surrogatepass"), strict=False, parse_int=_whole)
        return _keepable(value)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_INTEGER else math.inf


def _keepable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_keepable(each) for each in value]
    if isinstance(value, dict):
        return {storable(key): _keepable(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > _MOST_INTEGER:
        return float(value) if abs(value) < 10**300 else None
    return value


def text_in(value: object) -> str:
    """The text itself; "" for anything else."""
    return value if isinstance(value, str) else ""


def record_in(value: object) -> dict[str, object]:
    """The object itself; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def list_in(value: object) -> list[object]:
    """The list itself; an empty one for anything else."""
    return value if isinstance(value, list) else []


def is_keepable(value: object) -> bool:
    """Whether a value of a stranger can be written again: its numbers may have no bounds."""
    try:
        msgspec.json.encode(value)
    except (OverflowError, RecursionError, UnicodeEncodeError):
        return False
    return True
