"""Tables as text tables: hairlines under rows, numbers where the writer put them, fitting columns.

Hides Qt's table formats, and how wide columns are: as wide as their text while that fits, the
first taking what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QTextCursor,
    QTextLength,
    QTextTableCellFormat,
    QTextTableFormat,
)

from lockhouse.ui.markdown import Run, TableBlock
from lockhouse.ui.markdown.blocks import runs_text
from lockhouse.ui.transcript.styles import Styles

InsertRuns = Callable[[QTextCursor, Sequence[Run], Styles, str, str], None]

_ALIGN = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}


def fill_table(
    cursor: QTextCursor, block: TableBlock, styles: Styles, insert_runs: InsertRuns
) -> None:
    """Insert the table at the cursor; ``insert_runs`` writes the runs of one cell."""
    px = styles.theme.px
    columns = max(1, len(block.header))
    form = QTextTableFormat()
    form.setBorder(0)
    form.setCellSpacing(0)
    form.setCellPadding(0)
    form.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
    form.setHeaderRowCount(1)
    extra = 1 if block.hidden_rows else 0
    table = cursor.insertTable(1 + len(block.rows) + extra, columns, form)
    for row, cells in enumerate((block.header, *block.rows)):
        for column in range(columns):
            cell = table.cellAt(row, column)
            cell.setFormat(_cell_format(styles, column, columns, head=row == 0))
            at = cell.firstCursorPosition()
            lines = styles.fixed_lines("caption" if row == 0 else "body")
            lines.setAlignment(_ALIGN[block.aligns[column]])
            at.setBlockFormat(lines)
            runs = cells[column] if column < len(cells) else ()
            base, ink = ("caption", "text-3") if row == 0 else ("body", "text-1")
            insert_runs(at, runs, styles, base, ink)
    if extra:
        at = table.cellAt(1 + len(block.rows), 0).firstCursorPosition()
        words = f"{block.hidden_rows:,} more rows are not shown; copying the answer has them all."
        at.insertText(words, styles.char(Run(""), "caption", "text-3"))
    form.setColumnWidthConstraints(_column_widths(block, styles, px(8)))
    table.setFormat(form)


def _cell_format(styles: Styles, column: int, columns: int, *, head: bool) -> QTextTableCellFormat:
    px = styles.theme.px
    form = QTextTableCellFormat()
    form.setTopPadding(px(3) if head else px(5))
    form.setBottomPadding(px(4) if head else px(6))
    form.setLeftPadding(0 if column == 0 else px(8))
    form.setRightPadding(0 if column == columns - 1 else px(8))
    form.setBottomBorder(1)
    form.setBottomBorderStyle(QTextTableFormat.BorderStyle.BorderStyle_Solid)
    form.setBottomBorderBrush(styles.theme.color("border-strong" if head else "border"))
    return form


def _column_widths(block: TableBlock, styles: Styles, padding: int) -> list[QTextLength]:
    """Columns as wide as their text while that fits; the first takes what is left."""
    metrics = QFontMetricsF(styles.theme.font("body", tabular=True))
    columns = len(block.header)
    sample = (block.header, *block.rows[:60])
    widths = [
        max(
            (metrics.horizontalAdvance(runs_text(row[i])[:80]) for row in sample if i < len(row)),
            default=0,
        )
        + 2 * padding
        + 8
        for i in range(columns)
    ]
    if columns > 1 and sum(widths[1:]) < styles.theme.px(400):
        fixed = [QTextLength(QTextLength.Type.FixedLength, width) for width in widths[1:]]
        return [QTextLength(QTextLength.Type.VariableLength, 0), *fixed]
    return [QTextLength(QTextLength.Type.VariableLength, 0)] * columns
