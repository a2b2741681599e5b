"""How the rows of the records are painted."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from lockhouse.ui.gate.records_table import (
    HOST,
    OPEN,
    OUT,
    RIGHT,
    WHAT,
    RecordsTable,
    cell,
)
from lockhouse.ui.table_cells import ROW_HEIGHT, Cells, RowsView
from lockhouse.ui.theme import Theme


class RecordDelegate(QStyledItemDelegate):
    """Paints the upper 36 px of a row; below them an open row has its panel."""

    def __init__(self, theme: Theme, table: RecordsTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._table = table
        self._cells = Cells(theme)
        self.opened = -1
        theme.changed.connect(self._cells.forget)

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(40, self._theme.px(ROW_HEIGHT))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        theme, px = self._theme, self._theme.px
        number, column = index.row(), index.column()
        rect = QRect(option.rect)
        rect.setHeight(min(rect.height(), px(ROW_HEIGHT)))
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        widget: QWidget | None = option.widget
        focused = widget is not None and widget.hasFocus()
        if number == self.opened or (selected and focused):
            painter.fillRect(rect, theme.color("active"))
        elif selected or (isinstance(widget, RowsView) and widget.hovered == number):
            painter.fillRect(rect, theme.color("hover"))
        if selected and focused and column == OPEN:
            painter.fillRect(
                QRect(rect.left(), rect.top(), 2, rect.height()), theme.color("accent")
            )
        line = QRect(rect.left(), option.rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border"))
        row = self._table.row(number)
        if row is None:
            return
        area = rect.adjusted(px(8), 0, -px(8), -1)
        if column == OPEN:
            if row.opens:
                icon = "chevron-down" if number == self.opened else "chevron-right"
                self._cells.icon(painter, area, icon, "text-2")
        elif column == WHAT:
            self._cells.icon(painter, area, row.sign.icon, row.sign.ink)
            self._cells.words(painter, area, row.sign.word, "text-1", indent=px(20), cut=-px(6))
        else:
            self._cells.words(
                painter,
                area,
                cell(row, column),
                "text-1" if column in (HOST, OUT) else "text-2",
                is_right=column in RIGHT,
                shorten=elided_host if column == HOST else None,
            )


def elided_host(host: str, metrics: QFontMetrics, width: int) -> str:
    """Shortened in the middle; of two servers on one machine, the port is what differs."""
    name, colon, port = host.rpartition(":")
    if not (colon and port.isdecimal()):
        return metrics.elidedText(host, Qt.TextElideMode.ElideMiddle, width)
    if metrics.horizontalAdvance(host) <= width:
        return host
    end = f":{port}"
    room = width - metrics.horizontalAdvance(end)
    return metrics.elidedText(name, Qt.TextElideMode.ElideRight, max(0, room)) + end
