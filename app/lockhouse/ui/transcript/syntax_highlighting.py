"""Colours for code: pygments' tokens as ranges of text formats, one list a line.

Hides pygments: which lexer a language name means, its token tree, and its cost (code beyond a size
stays uncoloured; a lexer is loaded when its language is first seen).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtGui import QTextCharFormat, QTextLayout

from lockhouse.ui.theme import Theme

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

MAX_CHARS = 60_000
_ENDING = re.compile(r"\*\.[a-z0-9]{1,9}")

_INKS: dict[tuple[str, ...], str] = {
    ("Keyword",): "syn-keyword",
    ("Keyword", "Type"): "syn-type",
    ("Operator", "Word"): "syn-keyword",
    ("Name", "Builtin", "Pseudo"): "syn-keyword",
    ("Name", "Builtin"): "syn-type",
    ("Name", "Class"): "syn-type",
    ("Name", "Exception"): "syn-type",
    ("Name", "Decorator"): "syn-type",
    ("Name", "Function"): "syn-function",
    ("Name", "Tag"): "syn-function",
    ("Name", "Attribute"): "syn-type",
    ("Literal", "String"): "syn-string",
    ("Literal", "Number"): "syn-number",
    ("Comment",): "syn-comment",
    ("Comment", "Preproc"): "syn-keyword",
    ("Generic", "Inserted"): "success",
    ("Generic", "Deleted"): "danger",
    ("Generic", "Heading"): "syn-function",
}

# start, length, colour token
Span = tuple[int, int, str]


class Language(NamedTuple):
    """The word for a language above its code, and the usual ending of its files."""

    label: str
    suffix: str


_TEXT = Language("Text", "txt")
# Where pygments says it otherwise, or does not know the name.
_OWN = {
    "": _TEXT,
    "text": _TEXT,
    "sh": Language("Shell", "sh"),
    "shell": Language("Shell", "sh"),
    "console": Language("Console", "txt"),
    "kt": Language("Kotlin", "kt"),
    "r": Language("R", "r"),
}


@lru_cache(maxsize=256)
def language_of(name: str) -> Language:
    """What is known of a language by the name that stands at a fence."""
    short = name.lower()
    known = _OWN.get(short) or _languages().get(short)
    if known is not None:
        return known
    suffix = short if short.isalnum() and len(short) < 10 else "txt"
    return Language(name[:1].upper() + name[1:] if name.islower() else name, suffix)


@lru_cache(maxsize=64)
def _lexer(name: str) -> Lexer | None:
    from pygments.lexers import find_lexer_class

    known = _languages().get(name)
    lexer = find_lexer_class(known.label) if known else None
    return lexer(stripnl=False, ensurenl=False) if lexer is not None else None


@lru_cache(maxsize=1)
def _languages() -> dict[str, Language]:
    """By alias. pygments' own search goes on to plugins on disk when it finds nothing."""
    from pygments.lexers import get_all_lexers

    known: dict[str, Language] = {}
    for name, aliases, patterns, _ in get_all_lexers(plugins=False):
        endings = (pattern[2:] for pattern in patterns if _ENDING.fullmatch(pattern))
        known.update(dict.fromkeys(aliases, Language(name, next(endings, "txt"))))
    return known


@lru_cache(maxsize=16)  # what is filled is highlighted again at once, and when it scrolls back
def spans_of(code: str, language: str) -> Sequence[tuple[Span, ...]]:
    """What to colour, line by line; empty where the language is unknown."""
    lines: list[list[Span]] = [[] for _ in range(code.count("\n") + 1)]
    lexer = _lexer(language.lower()) if language else None
    if lexer is None or len(code) > MAX_CHARS:
        return [() for _ in lines]
    line = column = 0
    after_name: Span | None = None
    for _, token, value in lexer.get_tokens_unprocessed(code):
        ink = _ink(token)
        for index, part in enumerate(value.split("\n")):
            if index:
                line, column = line + 1, 0
            if part and ink:
                lines[line].append((column, len(part), ink))
            elif part and _is_name(token):
                after_name = (column, len(part), "syn-function")
                column += len(part)
                continue
            if after_name is not None and part.startswith("("):  # a call
                lines[line].append(after_name)
            if part:
                after_name = None
            column += len(part)
    return [tuple(spans) for spans in lines]


def formats_for(spans: tuple[Span, ...], theme: Theme) -> list[QTextLayout.FormatRange]:
    """Spans of one line as ranges of formats."""
    return [_range(*span, theme) for span in spans]


def _is_name(token: _TokenType) -> bool:
    return token[:1] == ("Name",)


@lru_cache(maxsize=512)
def _ink(token: _TokenType) -> str:
    """The colour of a kind of token, or of the wider kind it belongs to."""
    for length in range(len(token), 0, -1):
        ink = _INKS.get(tuple(token[:length]))
        if ink is not None:
            return ink
    return ""


def _range(start: int, length: int, ink: str, theme: Theme) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length = start, length
    form = QTextCharFormat()
    form.setForeground(theme.color(ink))
    made.format = form
    return made


def warm_up() -> None:
    """Load the lexers most answers need, so that the first code block costs nothing extra."""
    for name in ("python", "javascript", "bash", "json", "html", "sql", "c", "yaml", "rust"):
        _lexer(name)
