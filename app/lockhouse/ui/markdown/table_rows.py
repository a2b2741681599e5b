"""Rows of tables whose cells hold more bars than there are columns.

GFM wants a bar within a cell escaped, which models forget: what stands in code stays in its cell,
and what is too much for the columns stays in the last one instead of being lost.
"""

from __future__ import annotations

import re

_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_LEAD = re.compile(r"[\s>]*")
_PARTS = re.compile(r"\\.|(`+)(?:(?!`).|(?!\1)`)*?\1(?!`)|`+|.", re.DOTALL)


def with_bars_escaped(text: str) -> str:
    """The text, with rows rewritten whose cells are more than the columns of their table."""
    if "|" not in text:
        return text
    lines = text.split("\n")
    columns = 0
    for number, line in enumerate(lines):
        if columns and line.strip():
            lines[number] = _mended(line, columns)
        elif not line.strip():
            columns = 0
        if not columns and number and "|" in lines[number - 1] and "-" in line:
            columns = len(_cells(lines[number - 1])) if _RULE.fullmatch(line) else 0
    return "\n".join(lines)


def _mended(line: str, columns: int) -> str:
    if len(_cells(line)) <= columns:
        return line
    cells = _cells(line, with_code=True)
    if len(cells) > columns:
        cells = [*cells[: columns - 1], "|".join(cells[columns - 1 :])]
    elif len(cells) < columns:
        return line  # the code was none: a lone mark in two cells
    lead = _LEAD.match(line)
    escaped = (re.sub(r"(?<!\\)\|", r"\\|", cell).strip() for cell in cells)
    return f"{lead[0] if lead else ''}| {' | '.join(escaped)} |"


def _cells(line: str, *, with_code: bool = False) -> list[str]:
    """The cells of a row; ``with_code``: bars within code do not part them."""
    line = line.strip().lstrip("> ")
    line = line.removeprefix("|")
    line = line.removesuffix("|") if not line.endswith("\\|") else line
    cells = [""]
    for part in _PARTS.finditer(line) if with_code else re.finditer(r"\\.|.", line, re.DOTALL):
        if part[0] == "|":
            cells.append("")
        else:
            cells[-1] += part[0]
    return cells
