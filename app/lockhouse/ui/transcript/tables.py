"""Tables in a text document: lines under rows, aligned columns of fitting width.

Hides Qt's table formats, and how wide columns are: as wide as their text while that fits, the
first taking what is left; else narrower, but never so that a word breaks. A table that is wider
than its room then tells how wide it is, and is scrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QTextCursor,
    QTextLength,
    QTextTableCellFormat,
    QTextTableFormat,
)

from lockhouse.ui.markdown import Run, TableBlock
from lockhouse.ui.transcript.styles import PAD, Styles

_SIDE = 12  # left and right of a cell
_NARROWEST = 110  # of a column whose text goes over lines
_LONGEST_LINE, _LONGEST_WORD = 80, 40  # characters; longer ones break

InsertRuns = Callable[[QTextCursor, Sequence[Run], Styles, str, str], None]

_ALIGN = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}


class TableWriter:
    """Writes a table into a document, and later adds rows to it."""

    def __init__(
        self, cursor: QTextCursor, block: TableBlock, styles: Styles, insert_runs: InsertRuns
    ) -> None:
        """Insert the table at the cursor; ``insert_runs`` writes the runs of one cell."""
        self._styles = styles
        self._insert_runs = insert_runs
        self._columns = max(1, len(block.header))
        self._widths = _Widths(self._columns)
        self._settled = _Widths(self._columns)
        self._given: list[float] = []
        self.block = block
        self._table = cursor.insertTable(1 + len(block.rows), self._columns, _table_format())
        self._write(0, block.header)
        for row, cells in enumerate(block.rows, start=1):
            self._write(row, cells)
        if block.hidden_rows:
            self._table.appendRows(1)
            at = self._table.cellAt(1 + len(block.rows), 0).firstCursorPosition()
            words = f"{block.hidden_rows:,} more rows are not shown. Copy the answer to get all."
            at.insertText(words, styles.char(Run(""), "caption", "text-3"))
        self._measure((block.header, *block.rows))

    def can_grow_to(self, block: TableBlock) -> bool:
        """Whether the other table is this one with rows added at its end."""
        old = self.block
        return (
            block.header == old.header
            and block.aligns == old.aligns
            and not block.hidden_rows
            and not old.hidden_rows
            and len(block.rows) >= len(old.rows) > 0
            and block.rows[: len(old.rows) - 1] == old.rows[:-1]
        )

    def grow_to(self, block: TableBlock) -> int:
        """Write what is new; returns the first character that changed."""
        known = len(self.block.rows)
        first = self._table.lastCursorPosition().position() + 1
        if block.rows[known - 1] != self.block.rows[-1]:
            first = self._table.cellAt(known, 0).firstCursorPosition().position()
            self._write(known, block.rows[known - 1])
        if len(block.rows) > known:
            self._table.appendRows(len(block.rows) - known)
        for row in range(known, len(block.rows)):
            self._write(row + 1, block.rows[row])
        self.block = block
        self._measure(block.rows[known - 1 :])
        return first

    def fit_to(self, room: float) -> float:
        """Give the columns their widths within so much room; returns the width of the table."""
        words, whole = self._widths.of_words, self._widths.whole
        narrowest = self._styles.theme.px(_NARROWEST)
        least = [max(word, min(all_, narrowest)) for word, all_ in zip(words, whole, strict=True)]
        if sum(whole) <= room or self._columns == 1:
            given = whole
        else:
            spare = max(0.0, room - sum(least))
            wanted = sum(whole) - sum(least) or 1.0
            given = [
                low + (high - low) * min(1.0, spare / wanted)
                for low, high in zip(least, whole, strict=True)
            ]
        if given != self._given:
            self._given = given
            flexible = QTextLength(QTextLength.Type.VariableLength, 0)
            fixed = QTextLength.Type.FixedLength
            form = _table_format()
            form.setColumnWidthConstraints(
                [flexible, *(QTextLength(fixed, width) for width in given[1:])]
            )
            self._table.setFormat(form)
        return max(room, float(ceil(sum(given)))) if self._columns > 1 else room

    def _write(self, row: int, cells: Sequence[Sequence[Run]]) -> None:
        head = row == 0
        base, ink = ("caption", "text-3") if head else ("body", "text-1")
        for column in range(self._columns):
            cell = self._table.cellAt(row, column)
            cell.setFormat(_cell_format(self._styles, column, self._columns, head=head))
            at = cell.firstCursorPosition()
            end = cell.lastCursorPosition().position()
            if end > at.position():
                at.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
                at.removeSelectedText()
            lines = self._styles.fixed_lines("caption" if head else "body")
            lines.setAlignment(_ALIGN[self.block.aligns[column]])
            at.setBlockFormat(lines)
            runs = cells[column] if column < len(cells) else ()
            self._insert_runs(at, runs, self._styles, base, ink)

    def _measure(self, rows: Sequence[Sequence[Sequence[Run]]]) -> None:
        """Measure new rows. The last one may still grow or shrink, so it is not remembered."""
        for row in rows[:-1]:
            self._settled = self._wider(self._settled, row)
        self._widths = self._wider(self._settled, rows[-1])

    def _wider(self, widths: _Widths, row: Sequence[Sequence[Run]]) -> _Widths:
        room = 2 * self._styles.theme.px(_SIDE) + 4
        wider = _Widths(self._columns)
        for column in range(self._columns):
            whole, word = self._width_of(row[column]) if column < len(row) else (-room, -room)
            wider.whole[column] = max(widths.whole[column], whole + room)
            wider.of_words[column] = max(widths.of_words[column], word + room)
        return wider

    def _width_of(self, runs: Sequence[Run]) -> tuple[float, float]:
        """Of a cell's text on one line, and of its longest word."""
        width = longest = 0.0
        for run in runs:
            advance = self._styles.metrics(run, "body").horizontalAdvance
            line = max(run.text.split("\n"), key=len)[:_LONGEST_LINE]
            width += advance(f"{PAD}{line}{PAD}" if run.code else line)
            word = max(run.text.split(), key=len, default="")[:_LONGEST_WORD]
            longest = max(longest, advance(f"{PAD}{word}{PAD}" if run.code else word))
        return width, longest


class _Widths:
    """Of each column: what its longest text and its longest word need."""

    def __init__(self, columns: int) -> None:
        self.whole = [0.0] * columns
        self.of_words = [0.0] * columns


def _table_format() -> QTextTableFormat:
    form = QTextTableFormat()
    form.setBorder(0)
    form.setCellSpacing(0)
    form.setCellPadding(0)
    form.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
    form.setHeaderRowCount(1)
    return form


def _cell_format(styles: Styles, column: int, columns: int, *, head: bool) -> QTextTableCellFormat:
    px = styles.theme.px
    form = QTextTableCellFormat()
    form.setTopPadding(px(3) if head else px(5))
    form.setBottomPadding(px(4) if head else px(6))
    form.setLeftPadding(0 if column == 0 else px(_SIDE))
    form.setRightPadding(0 if column == columns - 1 else px(_SIDE))
    form.setBottomBorder(1)
    form.setBottomBorderStyle(QTextTableFormat.BorderStyle.BorderStyle_Solid)
    form.setBottomBorderBrush(styles.theme.color("border-strong" if head else "border"))
    return form
