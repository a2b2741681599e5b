"""Splits growing Markdown into segments that can be parsed separately, once.

A segment ends at an empty line followed by something that is not indented (indented lines continue
a list item), before and after a fence, and at a largest size. The cuts depend on the text only,
never on the pieces it came in, so closed segments never change again. What is cut by size keeps
its meaning: lists between items, tables with their head repeated, long lines between words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

MAX_SEGMENT_CHARS: Final = 4000
# Tables and lists are read and laid out as a whole whenever a line is added, and can be cut
# without a trace, so their pieces are smaller.
MAX_TABLE_CHARS: Final = 2500
MAX_TABLE_LINES: Final = 52
MAX_LIST_CHARS: Final = 1500

_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")

SegmentKind = Literal["markdown", "code"]

_FENCE = re.compile(r"(`{3,}|~{3,})([^\n]*)")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the text. For code, ``text`` is what is inside the fence."""

    kind: SegmentKind
    text: str
    language: str = ""
    closed: bool = True


class Splitter:
    """``feed`` takes text, ``take_closed`` returns finished segments, ``tail`` the open one."""

    def __init__(self) -> None:
        self._closed: list[Segment] = []
        self._pending = ""  # not yet looked at: at most one unfinished line, plus what is held
        self._lines: list[str] = []  # complete lines of the open segment
        self._size = 0
        self._fence = ""  # the fence that closes the open code, "" outside code
        self._language = ""
        self._blank = False  # the open segment ends with an empty line
        self._in_math = False  # inside \[ ... \] or $$ ... $$ that goes over lines

    def feed(self, text: str) -> None:
        self._pending += text.replace("\r\n", "\n")
        start = 0
        while (end := self._pending.find("\n", start)) >= 0:
            self._take_line(self._pending[start:end])
            start = end + 1
        self._pending = self._pending[start:]
        if self._pending and not self._fence:
            if self._blank and not self._pending[0].isspace():
                self._close()
            self._cut_long_line()

    def take_closed(self) -> list[Segment]:
        closed, self._closed = self._closed, []
        return closed

    def tail(self) -> Segment | None:
        """The open segment as it is now, None when there is nothing in it."""
        if self._fence:
            lines = [*self._lines]
            if self._pending and not self._may_close_fence(self._pending):
                lines.append(self._pending)
            return Segment("code", "\n".join(lines), self._language, closed=False)
        text = "\n".join((*self._lines, self._pending))
        return Segment("markdown", text, closed=False) if text.strip() else None

    def finish(self) -> None:
        """No more text comes: close what is open."""
        if self._pending:
            line, self._pending = self._pending, ""
            self._take_line(line)
        if self._fence:
            self._close_code(closed=False)
        self._close()

    def _take_line(self, line: str) -> None:
        if self._fence:
            if _closes(line, self._fence):
                self._close_code(closed=True)
            else:
                self._lines.append(line)
            return
        opening = _FENCE.match(line)
        if opening and not ("`" in opening[2] and opening[1][0] == "`"):
            self._close()
            self._fence = opening[1]
            self._language = opening[2].strip().split(" ")[0][:40]
            return
        if not line.strip():
            self._blank = bool(self._lines) and not self._in_math
            if self._lines:
                self._append(line)
            return
        if self._blank and not line[0].isspace():
            self._close()
        self._blank = False
        self._append(line)
        self._watch_math(line)

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size > MAX_LIST_CHARS or len(self._lines) > MAX_TABLE_LINES:
            while self._is_too_long():
                self._cut_lines()

    def _is_too_long(self) -> bool:
        if self._size > MAX_SEGMENT_CHARS:
            return True
        if _ITEM.match(self._lines[0]):  # between items only
            return self._size > MAX_LIST_CHARS and bool(_ITEM.match(self._lines[-1]))
        long = self._size > MAX_TABLE_CHARS or len(self._lines) > MAX_TABLE_LINES
        return long and bool(self.table_head(self._lines))

    def _watch_math(self, line: str) -> None:
        stripped = line.strip()
        if not self._in_math:
            opens = stripped.startswith(("\\[", "$$")) and len(self._lines) == 1
            body = stripped[2:]
            self._in_math = opens and "\\]" not in body and "$$" not in body
        elif "\\]" in stripped or "$$" in stripped:
            self._in_math = False

    def _cut_lines(self) -> None:
        """The open segment is too long: close all but what starts a new item, row or word."""
        head = self.table_head(self._lines)
        at = next(
            (
                i
                for i in range(len(self._lines) - 1, 0, -1)
                if self._lines[i] and not self._lines[i][0].isspace()
            ),
            len(self._lines) - 1,
        )
        if head and at > 2:
            rest = [*head, *self._lines[at:]]
        elif at > 0:
            rest = self._lines[at:]
        else:
            cut = _word_end(self._lines[0])
            rest = [self._lines[0][cut:].lstrip(" ")]
            self._lines[0] = self._lines[0][:cut]
            at = 1
        self._lines = self._lines[:at]
        self._close()
        self._lines = rest
        self._size = sum(len(line) + 1 for line in rest)

    def _cut_long_line(self) -> None:
        while self._size + len(self._pending) > MAX_SEGMENT_CHARS:
            if self._lines:
                self._close()
                continue
            cut = _word_end(self._pending)
            self._lines = [self._pending[:cut]]
            self._pending = self._pending[cut:].lstrip(" ")
            self._close()

    @staticmethod
    def table_head(lines: list[str]) -> list[str]:
        """The two lines that begin a table with rows; none when the lines are something else."""
        if len(lines) > 2 and "|" in lines[0] and _TABLE_RULE.fullmatch(lines[1]):
            return lines[:2]
        return []

    def _may_close_fence(self, text: str) -> bool:
        return text.strip() != "" and self._fence.startswith(text.strip()[: len(self._fence)])

    def _close(self) -> None:
        text = "\n".join(self._lines).strip("\n")
        if text.strip():
            self._closed.append(Segment("markdown", text))
        self._reset()

    def _close_code(self, *, closed: bool) -> None:
        code = "\n".join(self._lines)
        self._closed.append(Segment("code", code, self._language, closed=closed))
        self._reset()

    def _reset(self) -> None:
        self._lines = []
        self._size = 0
        self._fence = ""
        self._language = ""
        self._blank = False
        self._in_math = False


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    indent = len(line) - len(line.lstrip(" "))
    return indent < 4 and len(stripped) >= len(fence) and set(stripped) == {fence[0]}


def _word_end(line: str) -> int:
    """Where to cut a line that is too long: after a word, else anywhere."""
    cut = line.rfind(" ", MAX_SEGMENT_CHARS // 2, MAX_SEGMENT_CHARS)
    return cut + 1 if cut > 0 else MAX_SEGMENT_CHARS
