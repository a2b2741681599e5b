"""What answers of models need beyond CommonMark, as rules for markdown-it-py.

Formulas in brackets, prices that are no formulas, bold beside Chinese, Japanese and Korean
punctuation, and ``<br>``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

# Scripts without spaces between words, and their punctuation.
_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u30ff\u3130-\u318f\u31a0-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_BREAK = re.compile(r"<br\s{0,4}/?>", re.IGNORECASE)
# What no sentence has between two dollars, but formulas do.
_MATHEMATICAL = re.compile(r"[\\^_=+*/<>|{}]|\d[a-z]|^\s*\S{1,2}\s*$|[a-zA-Z]\(|\)\s*$|[−≤≥≠±∈∞→]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_LONGEST_FORMULA = 2000


def add_rules(parser: MarkdownIt) -> None:
    """Teach them to a parser that reads formulas between dollars."""
    rules = parser.inline.ruler
    rules.before("escape", "bracket_math", _bracket_math)
    rules.before("math_inline", "price", _price)
    rules.before("html_inline", "line_break", _line_break)
    rules.at("emphasis", _emphasis)


def _bracket_math(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's own
    r"""``\( ... \)`` and ``\[ ... \]`` as formulas."""
    opening = state.src[state.pos : state.pos + 2]
    if opening not in ("\\(", "\\["):
        return False
    end = state.src.find("\\)" if opening == "\\(" else "\\]", state.pos + 2, state.posMax)
    if end < 0:
        return False
    if not silent:
        token = state.push("math_inline" if opening == "\\(" else "math_inline_double", "math", 0)
        token.content = state.src[state.pos + 2 : end]
    state.pos = end + 2
    return True


def _price(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """A dollar that begins a price, a variable or a path is a dollar."""
    source, at = state.src, state.pos
    if source[at] != "$" or source[at : at + 2] == "$$":
        return False
    end = source.find("$", at + 1, min(state.posMax, at + _LONGEST_FORMULA))
    between, behind = source[at + 1 : end], source[end + 1 : end + 2]
    is_sentence = _WORD.search(between) and not _MATHEMATICAL.search(between)
    if end > 0 and not (behind.isalnum() or (is_sentence and " " in between)):
        return False
    if not silent:
        state.pending += "$"
    state.pos += 1
    return True


def _line_break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """``<br>``, the one way to break a line within a table."""
    found = _BREAK.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _emphasis(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """The parser's rule for ``*`` and ``_``, which counts on spaces around words.

    Between punctuation and a letter of a script that has none, an asterisk may open and close as
    well (commonmark/commonmark-spec, issue 650).
    """
    from markdown_it.rules_inline.state_inline import Delimiter

    marker = state.src[state.pos]
    if silent or marker not in "_*":
        return False
    scanned = state.scanDelims(state.pos, marker == "*")
    before = state.src[state.pos - 1] if state.pos else " "
    behind = state.src[state.pos + scanned.length : state.pos + scanned.length + 1] or " "
    is_star = marker == "*"
    opens = is_star and _CJK.match(before) and _PUNCTUATION.match(behind)
    closes = is_star and _PUNCTUATION.match(before) and _CJK.match(behind)
    for _ in range(scanned.length):
        token = state.push("text", "", 0)
        token.content = marker
        state.delimiters.append(
            Delimiter(
                marker=ord(marker),
                length=scanned.length,
                token=len(state.tokens) - 1,
                end=-1,
                open=scanned.can_open or bool(opens),
                close=scanned.can_close or bool(closes),
            )
        )
    state.pos += scanned.length
    return True
