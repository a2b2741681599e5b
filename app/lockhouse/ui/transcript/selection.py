"""A selection across messages, some of which no card shows now.

Ends are remembered as message, block and character, so they stay true while cards are recycled
and while an answer grows. Hides how a selection becomes text when parts of it are off screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lockhouse.ui.markdown.blocks import block_text
from lockhouse.ui.transcript.block_document import BlockDocument
from lockhouse.ui.transcript.card import REASONING_PART
from lockhouse.ui.transcript.items import Item
from lockhouse.ui.transcript.styles import Styles

# Above this many messages the text is taken as it was written instead of as it is drawn.
_MANY = 200
_LAST = 1 << 40


@dataclass(frozen=True, slots=True)
class Spot:
    """A position between two characters."""

    message_id: str
    part: int
    position: int


class Selection:
    """From an anchor, where the mouse went down, to a head, where it is now."""

    def __init__(self, row_of: Callable[[str], int | None]) -> None:
        self._row_of = row_of
        self.anchor: Spot | None = None
        self.head: Spot | None = None

    def clear(self) -> None:
        self.anchor = self.head = None

    def start(self, spot: Spot) -> None:
        self.anchor = self.head = spot

    def whole_message(self, item: Item) -> None:
        self.anchor = Spot(item.message.id, 0, 0)
        self.head = Spot(item.message.id, _LAST, 0)

    def everything(self, items: Sequence[Item]) -> None:
        if items:
            self.anchor = Spot(items[0].message.id, 0, 0)
            self.head = Spot(items[-1].message.id, _LAST, 0)

    def span(self) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
        """First and last position as (row, part, position); None when nothing is selected."""
        if self.anchor is None or self.head is None or self.anchor == self.head:
            return None
        first, last = self._place(self.anchor), self._place(self.head)
        if first is None or last is None:
            return None
        return (first, last) if first <= last else (last, first)

    def _place(self, spot: Spot) -> tuple[int, int, int] | None:
        row = self._row_of(spot.message_id)
        return None if row is None else (row, spot.part, spot.position)

    def range_in(self, row: int, part: int, length: int) -> tuple[int, int] | None:
        """The selected range of a part."""
        span = self.span()
        if span is None or not span[0][:2] <= (row, part) <= span[1][:2]:
            return None
        start = span[0][2] if span[0][:2] == (row, part) else 0
        end = span[1][2] if span[1][:2] == (row, part) else length
        return (min(start, length), min(end, length)) if start < end else None

    def text(self, items: Sequence[Item], styles: Styles) -> str:
        """The selected text, in order, an empty line between blocks."""
        span = self.span()
        if span is None:
            return ""
        (first, *_), (last, *_) = span
        pieces = []
        for row in range(first, last + 1):
            inner = first < row < last
            if inner and last - first > _MANY:
                pieces.append(items[row].text())
            else:
                pieces.append(self._message_text(row, items[row], styles))
        return "\n\n".join(piece for piece in pieces if piece)

    def _message_text(self, row: int, item: Item, styles: Styles) -> str:
        pieces: list[str] = []
        span = self.span()
        assert span is not None
        whole = span[0] <= (row, 0, 0) and span[1] >= (row, _LAST, 0)
        if whole and item.folded_chars():  # all of it, not only what is shown
            return item.text()
        if span[0][:2] <= (row, REASONING_PART) <= span[1][:2] and item.reasoning_open:
            scratch = BlockDocument()
            scratch.show_plain(item.reasoning().strip(), styles, role="body", ink="text-2")
            chosen = self.range_in(row, REASONING_PART, scratch.length())
            if chosen:
                pieces.append(scratch.text(*chosen))
        for part, block in enumerate(item.blocks()):
            if not span[0][:2] <= (row, part) <= span[1][:2]:
                continue
            if span[0][:2] < (row, part) < span[1][:2]:
                pieces.append(block_text(block))
                continue
            scratch = BlockDocument()
            scratch.show(block, styles)
            chosen = self.range_in(row, part, scratch.length())
            if chosen == (0, scratch.length()):
                pieces.append(block_text(block))
            elif chosen:
                pieces.append(scratch.text(*chosen))
        return "\n\n".join(pieces)
