"""Parses one segment of Markdown into blocks with markdown-it-py.

Hides the token stream of the parser. The parser runs with HTML off; its tokens are turned into
values directly, so there is no HTML to sanitise. Code, tables and lines inside a list or a quote
are lifted out to blocks of their own, and the list goes on after them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from lockhouse.ui.markdown.blocks import (
    Align,
    Block,
    CodeBlock,
    Paragraph,
    ParagraphKind,
    RuleBlock,
    Run,
    TableBlock,
    TextBlock,
)
from lockhouse.ui.markdown.inline_rules import add_rules
from lockhouse.ui.markdown.mathtext import readable
from lockhouse.ui.markdown.table_rows import with_bars_escaped

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

References = dict[str, Any]  # as the parser keeps them: {"HREF": {"href", "title"}}

_MAX_NESTING: Final = 20
_MAX_ROWS: Final = 400
_MAX_COLUMNS: Final = 40
_TOO_DEEP = re.compile(r"^(?:[ \t]*(?:>|[-*+](?=[ \t])|\d+[.)](?=[ \t]))){9,}", re.MULTILINE)
_TASK = re.compile(r"\[([ xX])\] ")
_BULLETS: Final = ("•", "◦", "▪")
_HEADINGS: Final[dict[str, ParagraphKind]] = {"h1": "h1", "h2": "h2", "h3": "h3"}


@cache
def _parser() -> MarkdownIt:
    # imported here: not needed for the first paint
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    add_rules(parser)
    return parser


def warm_up() -> None:
    """Load the parser, so that the first answer does not wait for it."""
    _parser()


def read_segment(text: str, references: References | None = None) -> tuple[Block, ...]:
    """The blocks of one segment; plain text where Markdown would lose what was written.

    ``references`` are addresses of links that other segments define, by label; those that this
    one defines are added, and a segment of nothing else has no blocks.
    """
    if _TOO_DEEP.search(text):
        return (plain(text),)
    known = {} if references is None else references
    blocks = _Reader().read(_parser().parse(with_bars_escaped(text), {"references": known}))
    if blocks or not text.strip() or references is not None:
        return blocks
    return (plain(text),)


def label_of(text: str) -> str:
    """The label of a reference, so that equal ones are equal."""
    from markdown_it.common.utils import normalizeReference

    return normalizeReference(text)


def plain(text: str) -> TextBlock:
    """The text as it is."""
    return TextBlock((Paragraph((Run(text),)),))


@dataclass(slots=True)
class _List:
    """A list that is being read; ``number`` is None for bullets."""

    number: int | None
    marker: str = ""


@dataclass(slots=True)
class _Reader:
    blocks: list[Block] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)
    quotes: int = 0

    def read(self, tokens: Sequence[Token]) -> tuple[Block, ...]:
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "table_open":
                at = self._table(tokens, at)
            else:
                self._token(token, tokens[at + 1] if token.nesting == 1 else None)
            at += 1
        self._flush()
        return tuple(self.blocks)

    def _token(self, token: Token, following: Token | None) -> None:
        match token.type:
            case "paragraph_open" if following:
                self._paragraph("text", following)
            case "heading_open" if following:
                self._paragraph(_HEADINGS.get(token.tag, "h4"), following)
            case "bullet_list_open":
                self.lists.append(_List(None))
            case "ordered_list_open":
                self.lists.append(_List(int(token.attrGet("start") or 1) - 1))
            case "list_item_open":
                self._item()
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
            case "blockquote_open":
                self.quotes += 1
            case "blockquote_close":
                self.quotes -= 1
            case "fence" | "code_block":
                language = token.info.strip().split(" ")[0][:40]
                code = token.content.rstrip("\n")
                self._lift(CodeBlock(code, language, indent=len(self.lists)))
            case "math_block" | "math_block_label":
                self._formula(token.content)
            case "hr":
                self._lift(RuleBlock())

    def _item(self) -> None:
        current = self.lists[-1]
        if current.number is None:
            current.marker = _BULLETS[min(len(self.lists), len(_BULLETS)) - 1]
        else:
            current.number += 1
            current.marker = f"{current.number}."

    def _paragraph(self, kind: ParagraphKind, inline: Token) -> None:
        children = inline.children or []
        if len(children) == 1 and children[0].type == "math_inline_double":
            self._formula(children[0].content)
            return
        marker, runs = self._marker(), _inline(children)
        if marker and runs and (task := _TASK.match(runs[0].text)):
            marker = "☐" if task[1] == " " else "☑"
            runs = (replace(runs[0], text=runs[0].text[task.end() :]), *runs[1:])
        if self.lists and kind == "text":
            kind = "item"
        self._add(Paragraph(runs, kind, len(self.lists), self.quotes, marker, tight=bool(marker)))

    def _formula(self, source: str) -> None:
        shown = readable(source)
        run = Run(shown, tip=source.strip())
        self._add(Paragraph((run,), "math", len(self.lists), self.quotes, self._marker()))

    def _marker(self) -> str:
        """The marker of the item that starts here, once."""
        if not self.lists:
            return ""
        marker, self.lists[-1].marker = self.lists[-1].marker, ""
        return marker

    def _add(self, paragraph: Paragraph) -> None:
        # the first item of a list keeps its distance from what is above it
        if paragraph.tight and self.paragraphs and not self.paragraphs[-1].indent:
            paragraph = replace(paragraph, tight=False)
        self.paragraphs.append(paragraph)

    def _lift(self, block: Block) -> None:
        if self.lists and self.lists[-1].marker:  # an item that starts with code
            marker = self._marker()
            self._add(Paragraph((), "item", len(self.lists), self.quotes, marker, tight=True))
        self._flush()
        self.blocks.append(block)

    def _flush(self) -> None:
        if self.paragraphs:
            self.blocks.append(TextBlock(tuple(self.paragraphs)))
            self.paragraphs = []

    def _table(self, tokens: Sequence[Token], start: int) -> int:
        """Reads a table; gives the place of its last token."""
        rows: list[tuple[tuple[Run, ...], ...]] = []
        aligns: list[Align] = []
        cells: list[tuple[Run, ...]] = []
        hidden, at = 0, start
        while tokens[at].type != "table_close":
            token = tokens[at]
            if token.type == "tr_open":
                cells = []
            elif token.type in ("th_open", "td_open") and len(cells) < _MAX_COLUMNS:
                if len(rows) > _MAX_ROWS:
                    cells.append(())
                else:
                    cells.append(_inline(tokens[at + 1].children or []))
                if token.type == "th_open":
                    aligns.append(_alignment(token))
            elif token.type == "tr_close":
                if len(rows) > _MAX_ROWS:
                    hidden += 1
                else:
                    rows.append(tuple(cells))
            at += 1
        self._lift(TableBlock(rows[0], tuple(aligns), tuple(rows[1:]), hidden))
        return at


def _alignment(token: Token) -> Align:
    style = str(token.attrGet("style") or "")
    side = style.removeprefix("text-align:")
    return cast("Align", side) if side in ("center", "right") else "left"


def _inline(children: Sequence[Token]) -> tuple[Run, ...]:
    """Runs of one line of tokens; neighbours of the same style are joined."""
    runs: list[Run] = []
    style = Run("")
    link_start = 0
    for child in children:
        if child.type == "link_open":
            href = str(child.attrGet("href") or "")
            style = replace(style, href=href if host_of(href) else "", tip=href)
            link_start = len(runs)
        elif child.type == "link_close":
            host = host_of(style.href)
            style = replace(style, href="", tip="")
            if host and host not in "".join(run.text for run in runs[link_start:]):
                _push(runs, replace(style, text=f" ({host})", dim=True))
        elif child.nesting:
            style = _restyled(style, child)
        else:
            _push(runs, _leaf(style, child))
    return tuple(runs)


def _restyled(style: Run, token: Token) -> Run:
    opens = token.nesting == 1
    match token.tag:
        case "strong":
            return replace(style, bold=opens)
        case "em":
            return replace(style, italic=opens)
        case "s":
            return replace(style, strike=opens)
        case _:
            return style


def _leaf(style: Run, token: Token) -> Run:
    match token.type:
        case "softbreak" | "hardbreak":
            return replace(style, text="\n")
        case "code_inline":
            return replace(style, text=token.content, code=True)
        case "image":
            return replace(style, text=_image_words(token), dim=True)
        case "math_inline" | "math_inline_double":
            return replace(style, text=readable(token.content), tip=token.content.strip())
        case _:
            return replace(style, text=token.content)


def _push(runs: list[Run], run: Run) -> None:
    if runs and not run.tip and _same_style(runs[-1], run):
        runs[-1] = replace(run, text=runs[-1].text + run.text)
    elif run.text:
        runs.append(run)


def _same_style(one: Run, other: Run) -> bool:
    return (
        one.bold == other.bold
        and one.italic == other.italic
        and one.strike == other.strike
        and one.code == other.code
        and one.dim == other.dim
        and one.href == other.href
        and one.tip == other.tip
    )


def host_of(address: str) -> str:
    """The host an address leads to, in ASCII, so that look-alike letters show; "" if none."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme == "mailto":
        return parts.path.rpartition("@")[2]
    if parts.scheme not in ("http", "https"):
        return ""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _image_words(token: Token) -> str:
    source = str(token.attrGet("src") or "")
    host = host_of(source) or ("data" if source.startswith("data:") else "local file")
    return f"[image: {token.content.strip() or 'no description'} — not loaded, {host}]"
