"""A request's body as it can be read: its text, what is what in it, and where lines may end.

Hides the search through the text. Nothing is changed for showing it: lines end only where the
eye needs it, and what is copied is the text itself, without those ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["key", "string", "number", "word"]

_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null', re.DOTALL
)
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_BETWEEN = re.compile(r"(?<=\[)(?=\{)|(?<=\},)(?=\{)|\n")
# Characters that nobody sees, or that make a reader see another order of words than is sent. The
# one that makes a picture of the sign before it belongs to that sign; a second one does not.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
    "|(?<![#*0-9\u00a9\u00ae\u2000-\u3299\U0001f000-\U0001faff])[\ufe00-\ufe0f]"
)
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
_STAND_IN = "\ufffd"
_INSTRUCTION_ROLES = ('"system"', '"developer"')
_INSTRUCTION_KEYS = ('"system"', '"systemInstruction"', '"system_instruction"')
_INSTRUCTION_TEXTS = ('"content"', '"text"', '"system"')
_ROWS_IN_A_PIECE = 20  # a longer line is cut into such pieces: laying out one must stay cheap


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text that has a colour of its own."""

    start: int
    end: int
    kind: TokenKind


class BodyText:
    """One body, read once."""

    def __init__(self, body: bytes) -> None:
        self.text = body.decode("utf-8", errors="backslashreplace")
        self.shown, self.unseen = _made_visible(self.text)
        self._tokens = list(_tokens(self.text))
        self._starts = [token.start for token in self._tokens]
        self._breaks = sorted(self._line_ends())
        self.instructions = tuple(self._find_instructions())

    def pieces(self, columns: int) -> list[tuple[int, int]]:
        """Start and end of what stands in a line of its own, for rows of so many characters."""
        longest = max(1, columns) * _ROWS_IN_A_PIECE
        pieces: list[tuple[int, int]] = []
        start = 0
        for end in (*self._breaks, len(self.text)):
            while end - start > longest:
                cut = self.text.rfind(" ", start + longest - columns, start + longest) + 1
                cut = cut or start + longest
                pieces.append((start, cut))
                start = cut
            if end > start or (end == len(self.text) and not pieces):
                pieces.append((start, end))
                start = end
        return pieces

    def tokens_in(self, start: int, end: int) -> Iterator[Token]:
        """What is coloured between two places, cut at both."""
        at = max(0, bisect_right(self._starts, start) - 1)
        while at < len(self._tokens) and self._tokens[at].start < end:
            token = self._tokens[at]
            if token.end > start:
                yield Token(max(token.start, start), min(token.end, end), token.kind)
            at += 1

    def instructions_in(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What of the instructions stands between two places."""
        for first, last in self.instructions:
            if first < end and last > start:
                yield max(first, start), min(last, end)

    def _line_ends(self) -> Iterator[int]:
        """After each message, and after each line of what a person wrote."""
        at = 0
        for token in self._tokens:
            yield from (found.end() for found in _BETWEEN.finditer(self.text, at, token.start + 1))
            at = token.end
            if token.kind == "string":
                found = _ESCAPE.finditer(self.text, token.start, token.end)
                yield from (escape.end() for escape in found if escape[0] == "\\n")
        yield from (found.end() for found in _BETWEEN.finditer(self.text, at))

    def _find_instructions(self) -> Iterator[tuple[int, int]]:
        """The texts that stand before the conversation: nobody typed them just now."""
        key, expected = "", False
        for token in self._tokens:
            words = self.text[token.start : token.end] if token.end - token.start < 40 else ""
            if token.kind == "key":
                key = words
                expected = expected or key in _INSTRUCTION_KEYS
            elif key == '"role"':
                expected = words in _INSTRUCTION_ROLES
            elif expected and token.kind == "string" and key in _INSTRUCTION_TEXTS:
                yield token.start + 1, token.end - 1
                expected = False


def _made_visible(text: str) -> tuple[str, int]:
    """The text with a stand-in for each character that nobody sees, and how many there are.

    Looks closely only where it is not ASCII: a picture is many megabytes of plain letters.
    """
    pieces, at, count = [], 0, 0
    for found in _BEYOND_ASCII.finditer(text):
        start = max(at, found.start() - 1)  # the sign before may be one with a picture
        shown, more = _UNSEEN.subn(_STAND_IN, text[start : found.end()])
        if more:
            pieces += [text[at:start], shown]
            at, count = found.end(), count + more
    return "".join([*pieces, text[at:]]), count


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        first = text[start]
        kind: TokenKind = "word"
        if first == '"':
            kind = "key" if text[end : end + 1] == ":" else "string"
        elif first == "-" or first.isdigit():
            kind = "number"
        yield Token(start, end, kind)
