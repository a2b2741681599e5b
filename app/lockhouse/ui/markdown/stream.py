"""Parses a text that still grows: closed segments once, only the open tail again."""

from __future__ import annotations

from dataclasses import replace

from lockhouse.ui.markdown.blocks import Block, CodeBlock, TableBlock
from lockhouse.ui.markdown.parser import read_segment
from lockhouse.ui.markdown.segmenter import Segment, Splitter


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
        self._rows = _TableRows()

    def feed(self, text: str) -> None:
        self._splitter.feed(text)
        for segment in self._splitter.take_closed():
            self._closed.extend(self._read(segment))

    @property
    def frozen(self) -> int:
        return len(self._closed)

    def blocks(self) -> tuple[Block, ...]:
        """Everything so far, the unfinished end included."""
        segment = self._splitter.tail()
        if segment is None:
            return tuple(self._closed)
        if segment != self._tail[0]:
            self._tail = (segment, self._read(segment))
        return (*self._closed, *self._tail[1])

    def finish(self) -> tuple[Block, ...]:
        """No more text comes."""
        self._splitter.finish()
        for segment in self._splitter.take_closed():
            self._closed.extend(self._read(segment))
        return tuple(self._closed)

    def _read(self, segment: Segment) -> tuple[Block, ...]:
        if segment.kind == "code":
            return (CodeBlock(segment.text, segment.language, closed=segment.closed),)
        lines = segment.text.split("\n")
        if Splitter.table_head(lines):
            table = self._rows.read(lines)
            if table is not None:
                return (table,)
        return read_segment(segment.text)


class _TableRows:
    """Parses a growing table without parsing its known rows again.

    A row means the same whatever stands around it, as long as every line so far is a row.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []  # the lines that were read, head and rule included
        self._table: TableBlock | None = None

    def read(self, lines: list[str]) -> TableBlock | None:
        """The table these lines are; None when they are not one table and nothing else."""
        if not lines[-1].strip():
            lines = lines[:-1]
        known = len(self._lines)
        table = self._table
        if table is None or lines[:known] != self._lines:
            self._lines, self._table = [], None
            table, known = None, 2
        rows = table.rows if table is not None else ()
        for line in lines[known:]:
            read = read_segment("\n".join((*lines[:2], line)))
            if len(read) != 1 or not isinstance(read[0], TableBlock) or len(read[0].rows) != 1:
                return None
            rows = (*rows, read[0].rows[0])
            table = replace(read[0], rows=rows)
        if len(lines) > 3:  # the last line may still grow
            self._lines = lines[:-1]
            self._table = replace(table, rows=rows[:-1]) if table is not None else None
        return table
