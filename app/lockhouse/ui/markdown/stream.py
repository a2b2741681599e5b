"""Parses a text that still grows: closed segments once, only the open tail again."""

from __future__ import annotations

import re
from dataclasses import replace

from lockhouse.ui.markdown.blocks import Block, CodeBlock, TableBlock
from lockhouse.ui.markdown.parser import References, label_of, plain, read_segment
from lockhouse.ui.markdown.segmenter import Segment, Splitter

_LABEL = re.compile(r"\[([^\[\]]{1,200})\](?!:)")
_MOST_LABELS = 2000


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a whole text."""
    stream = MarkdownStream()
    stream.feed(text)
    return stream.finish()


class MarkdownStream:
    """``feed`` text as it comes; ``blocks`` is what there is to draw now.

    ``frozen`` counts the blocks at the front that will not change until the end: whoever draws
    them need not look at them twice. At the end links find the addresses that were given after
    them, and ``frozen`` counts the blocks that stayed as they were.
    """

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._closed: list[Block] = []
        self._tail: tuple[Segment | None, tuple[Block, ...]] = (None, ())
        self._rows = _TableRows()
        self._references: References = {}
        self._labels: set[str] = set()  # that the text may refer to
        self._linking: list[tuple[int, int, str, int]] = []  # blocks, text, references known
        self.frozen = 0

    def feed(self, text: str) -> None:
        self._splitter.feed(text)
        self._take_closed()

    def blocks(self) -> tuple[Block, ...]:
        """Everything so far, the unfinished end included."""
        segment = self._splitter.tail()
        if segment is None:
            return tuple(self._closed)
        if segment != self._tail[0]:
            self._tail = (segment, self._read(segment, {**self._references}))
        return (*self._closed, *self._tail[1])

    def finish(self) -> tuple[Block, ...]:
        """No more text comes."""
        self._splitter.finish()
        self._take_closed()
        moved = 0
        for start, end, text, known in self._linking:
            if known == len(self._references):
                continue
            read = self._read_text(text, self._references)
            if read != tuple(self._closed[start + moved : end + moved]):
                self.frozen = min(self.frozen, start + moved)
                self._closed[start + moved : end + moved] = read
                moved += len(read) - (end - start)
        return tuple(self._closed)

    def _take_closed(self) -> None:
        for segment in self._splitter.take_closed():
            start, known = len(self._closed), len(self._references)
            self._closed.extend(self._read(segment, self._references))
            if segment.kind == "markdown" and "]" in segment.text:
                self._linking.append((start, len(self._closed), segment.text, known))
                if len(self._labels) < _MOST_LABELS:
                    self._labels |= {label_of(found) for found in _LABEL.findall(segment.text)}
        self.frozen = len(self._closed)

    def _read(self, segment: Segment, references: References) -> tuple[Block, ...]:
        if segment.kind == "code":
            return (CodeBlock(segment.text, segment.language, closed=segment.closed),)
        lines = segment.text.split("\n")
        if Splitter.table_head(lines):
            table = self._rows.read(lines)
            if table is not None:
                return (table,)
        return self._read_text(segment.text, references)

    def _read_text(self, text: str, references: References) -> tuple[Block, ...]:
        """Blocks of a segment; definitions that nothing refers to are shown."""
        blocks = read_segment(text, references)
        if blocks or not text.strip():
            return blocks
        defined: References = {}
        read_segment(text, defined)
        return () if defined and defined.keys() <= self._labels else (plain(text),)


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
