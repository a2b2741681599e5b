"""Parsed Markdown as frozen values; equal text gives equal values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from unicodedata import bidirectional

ParagraphKind = Literal["text", "h1", "h2", "h3", "h4", "item", "math"]
Align = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a line in one style. ``href`` makes it a link, ``tip`` is said on hovering."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    dim: bool = False
    href: str = ""
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph, heading or list item. Line breaks inside it are ``\\n`` in the runs.

    ``indent`` counts the lists around it, ``quote`` the quotes. ``marker`` is what stands before
    it: a bullet, a number with its dot, a box; empty for what continues an item. ``tight`` says
    that it stands close to the one before.
    """

    runs: tuple[Run, ...]
    kind: ParagraphKind = "text"
    indent: int = 0
    quote: int = 0
    marker: str = ""
    tight: bool = False

    @property
    def is_right_to_left(self) -> bool:
        """Whether its first letter is of a script that is written from the right."""
        for run in self.runs:
            for character in run.text:
                direction = bidirectional(character)
                if direction in ("L", "R", "AL"):
                    return direction != "L"
        return False


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Paragraphs that belong together: one paragraph, one list, one quote."""

    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Code as it was written. ``closed`` is false while the closing fence has not come."""

    code: str
    language: str = ""
    closed: bool = True
    indent: int = 0


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table. ``hidden_rows`` were left out because there are too many to draw."""

    header: tuple[tuple[Run, ...], ...]
    aligns: tuple[Align, ...]
    rows: tuple[tuple[tuple[Run, ...], ...], ...]
    hidden_rows: int = 0


@dataclass(frozen=True, slots=True)
class RuleBlock:
    """A horizontal line."""


Block = TextBlock | CodeBlock | TableBlock | RuleBlock


def runs_text(runs: Iterable[Run]) -> str:
    return "".join(run.text for run in runs)


def paragraph_text(paragraph: Paragraph) -> str:
    """A paragraph as plain text, with its marker, indented like the list it is in."""
    text = runs_text(paragraph.runs)
    lead = "> " * paragraph.quote + "  " * max(0, paragraph.indent - 1)
    if paragraph.marker:
        return f"{lead}{paragraph.marker} {text}"
    return f"{lead}{'  ' if paragraph.indent else ''}{text}"


def block_text(block: Block) -> str:
    """One block as plain text."""
    match block:
        case TextBlock(paragraphs):
            return "\n".join(paragraph_text(each) for each in paragraphs)
        case CodeBlock(code):
            return code
        case TableBlock(header, _, rows):
            return "\n".join("\t".join(runs_text(cell) for cell in row) for row in (header, *rows))
        case _:
            return "—" * 3


def plain_text(blocks: Iterable[Block]) -> str:
    """Blocks as plain text, an empty line between two of them."""
    return "\n\n".join(block_text(block) for block in blocks)
