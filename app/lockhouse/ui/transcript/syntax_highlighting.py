"""Colours for code: pygments' tokens as ranges of text formats, one list a line.

Hides pygments: which lexer a language name means, its token tree, and its cost (code beyond a size
stays uncoloured; a lexer is loaded when its language is first seen).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtGui import QTextCharFormat, QTextLayout

from lockhouse.ui.theme import Theme

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

MAX_CHARS = 60_000

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

_LABELS = {
    "py": "Python",
    "python": "Python",
    "js": "JavaScript",
    "javascript": "JavaScript",
    "ts": "TypeScript",
    "sh": "Shell",
    "bash": "Bash",
    "cpp": "C++",
    "c++": "C++",
    "cs": "C#",
    "html": "HTML",
    "css": "CSS",
    "sql": "SQL",
    "json": "JSON",
    "yaml": "YAML",
    "yml": "YAML",
    "md": "Markdown",
    "rs": "Rust",
    "rb": "Ruby",
    "kt": "Kotlin",
    "": "Text",
    "text": "Text",
}

_SUFFIXES = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "bash": "sh",
    "shell": "sh",
    "markdown": "md",
    "rust": "rs",
    "ruby": "rb",
    "kotlin": "kt",
    "c++": "cpp",
    "c#": "cs",
    "csharp": "cs",
    "": "txt",
    "text": "txt",
}


def language_label(name: str) -> str:
    """The word for a language above its code."""
    return _LABELS.get(name.lower(), name[:1].upper() + name[1:] if name.islower() else name)


def file_suffix(name: str) -> str:
    """The usual ending of files in a language."""
    short = name.lower()
    suffix = _SUFFIXES.get(short, short)
    return suffix if suffix.isalnum() and len(suffix) < 10 else "txt"


@lru_cache(maxsize=64)
def _lexer(name: str) -> Lexer | None:

    from pygments.lexers import find_lexer_class

    known = _class_names().get(name)
    lexer = find_lexer_class(known) if known else None
    return lexer(stripnl=False, ensurenl=False) if lexer is not None else None


@lru_cache(maxsize=1)
def _class_names() -> dict[str, str]:
    """Lexers by alias. pygments' own search goes on to plugins on disk when it finds nothing."""
    from pygments.lexers import get_all_lexers

    known = get_all_lexers(plugins=False)
    return {alias: name for name, aliases, _, _ in known for alias in aliases}


def spans_of(code: str, language: str) -> list[tuple[Span, ...]]:
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
