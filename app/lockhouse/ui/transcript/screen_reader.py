"""Announces an answer to a screen reader, sentence by sentence as it streams in.

Hides when there is something to say: whole sentences only, without the marks of Markdown, code
named instead of spelled out; and nothing at all while no screen reader is running.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent

_END = re.compile(r"(?<=[.!?:;])\s+|\n+")
_MARKS = re.compile(r"[*_`#>|~]+|^\s*[-+]\s+|\]\([^)\s]*\)|\[|\]")
_SPACE_BEFORE = re.compile(r" ([.,!?:;])")
_FENCE = re.compile(r"^\s*(?:```|~~~)\s*([\w+#-]*)")
_LONGEST = 400


class Sentences:
    """Splits growing Markdown into sentences; passes each to ``say`` once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._pending = ""
        self._in_code = False

    def feed(self, text: str) -> None:
        self._pending += text
        while (end := _END.search(self._pending)) or len(self._pending) > _LONGEST:
            cut = end.end() if end else _LONGEST
            piece, self._pending = self._pending[:cut], self._pending[cut:]
            self._piece(piece)

    def finish(self) -> None:
        self._piece(self._pending)
        self._pending = ""
        self._in_code = False

    def _piece(self, text: str) -> None:
        fence = _FENCE.match(text)
        if fence:
            self._in_code = not self._in_code
            if self._in_code:
                self._say(f"Code in {fence[1]}." if fence[1] else "Code.")
            return
        words = _MARKS.sub(" ", text).strip() if not self._in_code else ""
        if any(char.isalnum() for char in words):
            self._say(_SPACE_BEFORE.sub(r"\1", " ".join(words.split())))


def announce(speaker: QObject, words: str) -> None:
    """Announce something to a running screen reader; costs nothing without one."""
    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(speaker, words))
