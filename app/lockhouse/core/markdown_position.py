"""Where in its Markdown a text stands while it streams in: in code, or at the start of a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_LONGEST_HEAD = 120  # of a line, to know whether it is a fence
_RUNS = re.compile("`+|[^`]+")


@dataclass(slots=True)
class MarkdownPosition:
    """Follows a text piece by piece."""

    fence: str = ""  # the mark that opened the code block we are in
    is_blank: bool = True  # nothing on this line yet
    last: str = ""  # the last character
    _head: str = ""  # of the line
    _open: int = 0  # length of the run of backticks that opened code on this line
    _run: int = 0  # backticks at the end so far

    @property
    def in_code(self) -> bool:
        """Whether what comes next is code."""
        return bool(self.fence or self._settled())

    def reset(self) -> None:
        """A part begins."""
        self.fence, self.last = "", ""
        self._begin_line()

    def advance(self, text: str) -> None:
        """Go over more of the text."""
        if not text:
            return
        first, *lines = text.split("\n")
        self._extend(first)
        for line in lines:
            self._end_line()
            self._extend(line)
        self.last = text[-1]

    def _begin_line(self) -> None:
        self._head, self.is_blank = "", True
        self._open = self._run = 0

    def _settled(self) -> int:
        """The run that is open, when the one at the end has its full length."""
        if not self._run or (self._open and self._open != self._run):
            return self._open
        return 0 if self._open else self._run

    def _extend(self, part: str) -> None:
        if len(self._head) < _LONGEST_HEAD:
            self._head += part[: _LONGEST_HEAD - len(self._head)]
        self.is_blank = self.is_blank and not part.strip()
        if not self._run and "`" not in part:
            return
        for run in _RUNS.findall(part):
            if run[0] == "`":
                self._run += len(run)
            else:
                self._open, self._run = self._settled(), 0

    def _end_line(self) -> None:
        match = _FENCE.match(self._head)
        if match and not self.fence:
            self.fence = match.group(1)
        elif match and match.group(1).startswith(self.fence) and not match.group(2).strip():
            self.fence = ""
        self._begin_line()
