"""Search in a conversation: over the stored text, not only what is on screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockhouse.ui.transcript.block_document import BlockDocument, Mark
from lockhouse.ui.transcript.items import Item
from lockhouse.ui.transcript.styles import Styles


@dataclass(frozen=True, slots=True)
class Match:
    """The ``nth`` match (from 0) in one message."""

    message_id: str
    nth: int


class Finder:
    """The matches, and which of them is the current one."""

    def __init__(self) -> None:
        self.words = ""
        self.matches: list[Match] = []
        self.current = -1

    def search(self, words: str, items: Sequence[Item]) -> int:
        """Find words, ignoring case; returns the number of matches."""
        self.words = words.casefold().strip()
        self.matches = []
        self.current = -1
        if self.words:
            for item in items:
                count = item.searched().casefold().count(self.words)
                self.matches += [Match(item.message.id, nth) for nth in range(count)]
        return len(self.matches)

    def step(self, by: int) -> Match | None:
        """The next match (by 1) or the one before (by -1), around the end."""
        if not self.matches:
            return None
        if self.current < 0 and by < 0:
            self.current = 0
        self.current = (self.current + by) % len(self.matches)
        return self.matches[self.current]

    def start_from(self, message_ids: set[str]) -> None:
        """Start at the first match in one of these messages, so that the view hardly moves."""
        for index, match in enumerate(self.matches):
            if match.message_id in message_ids:
                self.current = index - 1
                return

    def marks_in(self, text: str, *, current: int = -1) -> tuple[Mark, ...]:
        """The matches in the text of one part; ``current`` is highlighted more."""
        if not self.words:
            return ()
        folded = text.casefold()
        if len(folded) != len(text):  # letters that fold to two would shift positions
            folded = text.lower() if len(text.lower()) == len(text) else text
        found: list[Mark] = []
        at = folded.find(self.words)
        while at >= 0:
            found.append(Mark(at, at + len(self.words), len(found) == current))
            at = folded.find(self.words, at + len(self.words))
        return tuple(found)

    def locate(self, match: Match, item: Item, styles: Styles) -> tuple[int, int, int]:
        """Block of the match, which of the places in it, and its character there."""
        left = match.nth
        last = (0, 0, 0)
        for part, block in enumerate(item.blocks()):
            scratch = BlockDocument()
            scratch.show(block, styles)
            marks = self.marks_in(scratch.raw_text())
            if marks:
                last = (part, len(marks) - 1, marks[-1].start)
            if left < len(marks):
                return part, left, marks[left].start
            left -= len(marks)
        return last
