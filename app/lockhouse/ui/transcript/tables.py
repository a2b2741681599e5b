"""Tables in a text document: lines under rows, aligned columns of fitting width.

Hides Qt's table formats, and how wide columns are: as wide as their text while that fits, the
first taking what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
        self._widths = [0.0] * self._columns
        self._settled = [0.0] * self._columns
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
        self._fit_columns((block.header, *block.rows))

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
        self._fit_columns(block.rows[known - 1 :])
        return first

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

    def _fit_columns(self, rows: Sequence[Sequence[Sequence[Run]]]) -> None:
        """Columns as wide as their text while that fits; the first takes what is left.

        The last row may still grow or shrink, so what it needs is not remembered.
        """
        for row in rows[:-1]:
            self._settled = self._wider(self._settled, row)
        wider = self._wider(self._settled, rows[-1])
        if wider == self._widths:
            return
        self._widths = wider
        flexible = QTextLength(QTextLength.Type.VariableLength, 0)
        lengths = [flexible] * self._columns
        if self._columns > 1 and sum(wider[1:]) < self._styles.theme.px(460):
            fixed = QTextLength.Type.FixedLength
            lengths = [flexible, *(QTextLength(fixed, width) for width in wider[1:])]
        form = _table_format()
        form.setColumnWidthConstraints(lengths)
        self._table.setFormat(form)

    def _wider(self, widths: list[float], row: Sequence[Sequence[Run]]) -> list[float]:
        room = 2 * self._styles.theme.px(_SIDE) + 4
        return [
            max(width, self._width_of(row[column]) + room if column < len(row) else 0.0)
            for column, width in enumerate(widths)
        ]

    def _width_of(self, runs: Sequence[Run]) -> float:
        width = 0.0
        for run in runs:
            metrics = self._styles.metrics(run, "body")
            text = f"{PAD}{run.text}{PAD}" if run.code else run.text
            width += metrics.horizontalAdvance(text[:80])
        return width


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
