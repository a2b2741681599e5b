"""Reading a text that still grows: closed segments are read once, only the open tail again."""

from __future__ import annotations

from lockhouse.ui.markdown.blocks import Block, CodeBlock
from lockhouse.ui.markdown.reading import read_segment
from lockhouse.ui.markdown.splitting import Segment, Splitter


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a whole text."""
    stream = MarkdownStream()
    stream.feed(text)
    return stream.finish()


class MarkdownStream:
    """``feed`` text as it comes; ``blocks`` is what there is to draw now.

    ``frozen`` counts the blocks at the front that will never change again: whoever draws them
    need not look at them twice.
    """

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._closed: list[Block] = []
        self._tail: tuple[Segment | None, tuple[Block, ...]] = (None, ())

    def feed(self, text: str) -> None:
        self._splitter.feed(text)
        for segment in self._splitter.take_closed():
            self._closed.extend(_read(segment))

    @property
    def frozen(self) -> int:
        return len(self._closed)

    def blocks(self) -> tuple[Block, ...]:
        """Everything so far, the unfinished end included."""
        segment = self._splitter.tail()
        if segment is None:
            return tuple(self._closed)
        if segment != self._tail[0]:
            self._tail = (segment, _read(segment))
        return (*self._closed, *self._tail[1])

    def open_blocks(self) -> tuple[Block, ...]:
        """Only those that may still change."""
        return self.blocks()[self.frozen :]

    def finish(self) -> tuple[Block, ...]:
        """No more text comes."""
        self._splitter.finish()
        for segment in self._splitter.take_closed():
            self._closed.extend(_read(segment))
        return tuple(self._closed)


def _read(segment: Segment) -> tuple[Block, ...]:
    if segment.kind == "code":
        return (CodeBlock(segment.text, segment.language, closed=segment.closed),)
    return read_segment(segment.text)
