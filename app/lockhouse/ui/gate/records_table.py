"""The table of the records, whose rows open in place.

An open row grows, and the panel lies over the part below its cells. One row is open at a time.
"""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyleOptionViewItem,
    QWidget,
)

from lockhouse.ui.gate.record_panel import RecordPanel
from lockhouse.ui.gate.records_model import (
    EVENT,
    HOST,
    IN,
    OPEN,
    OUT,
    PURPOSE,
    RIGHT,
    TIME,
    RecordsModel,
    cell,
)
from lockhouse.ui.shortcuts import claims_escape
from lockhouse.ui.table_cells import ROW_HEIGHT, Index, RowDelegate, RowsView
from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import RADIUS_CARD

_WIDTHS = {OPEN: 28, TIME: 68, EVENT: 114, OUT: 72, IN: 72}
_TIGHT_WIDTHS = {OPEN: 24, TIME: 62, EVENT: 114, OUT: 60, IN: 0}  # the details have what came in
_TIGHT_BELOW = 640
_HOST_WIDTH = 96, 208  # least and most; the purpose takes the rest
_LEAST_PURPOSE = 128
_HEAD_HEIGHT = 32


class RecordsTable(RowsView):
    """Arrows walk, Enter and Right open, Left and Esc close."""

    row_opened = Signal(object)  # RecordRow
    _opened = -1  # events come before the end of __init__

    def __init__(
        self, theme: Theme, model: RecordsModel, panel: RecordPanel, parent: QWidget | None = None
    ) -> None:
        """``panel`` shows the details of the open row; this view places it."""
        super().__init__(theme, "records_table", "Network activity", parent)
        self._model = model
        self._panel = panel
        self._delegate = _RecordDelegate(theme, model, self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._set_up_heads()
        panel.setParent(self.viewport())
        panel.hide()
        model.rowsInserted.connect(self._move_opened)
        model.modelAboutToBeReset.connect(self.close_row)
        theme.changed.connect(self._rescale)

    def _set_up_heads(self) -> None:
        px = self._theme.px
        head = self.horizontalHeader()
        head.setObjectName("records_head")
        head.setAccessibleName("Columns")
        head.setHighlightSections(False)
        head.setSectionsClickable(False)
        head.setMinimumSectionSize(px(20))
        head.setFixedHeight(px(_HEAD_HEIGHT))
        radius, ground = px(RADIUS_CARD - 1), self._theme.hex("surface")
        head.setStyleSheet(
            f"QHeaderView {{ background: transparent; }}"
            f"QHeaderView::section {{ background: {ground}; }}"
            f"QHeaderView::section:first {{ border-top-left-radius: {radius}px; }}"
            f"QHeaderView::section:last {{ border-top-right-radius: {radius}px; }}"
        )
        for column in (*_WIDTHS, HOST):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(PURPOSE, QHeaderView.ResizeMode.Stretch)
        self._fit_columns()

    # opening

    @property
    def opened(self) -> int:
        """The number of the open row, -1 when none is."""
        return self._opened

    def open_row(self, number: int) -> None:
        """Show the details of this row."""
        row = self._model.row(number)
        if row is None or not row.opens:
            return
        self.close_row()
        self._opened = self._delegate.opened = number
        self.row_opened.emit(row)
        self._panel.show()
        self.fit_panel()
        self.scrollTo(self._model.index(number, TIME))
        self.viewport().update()

    def close_row(self) -> None:
        """Hide the details."""
        if self._opened < 0:
            return
        number, self._opened = self._opened, -1
        self._delegate.opened = -1
        focused: QWidget | None = QApplication.focusWidget()
        had_focus = focused is not None and self._panel.isAncestorOf(focused)
        self._panel.hide()
        if number < self._model.rowCount():
            self.setRowHeight(number, self._theme.px(ROW_HEIGHT))
        if had_focus:
            self.setFocus()
        self.viewport().update()

    def fit_panel(self) -> None:
        """Give the open row the height of its panel."""
        if self._opened < 0:
            return
        head = self._theme.px(ROW_HEIGHT)
        wanted = self._panel.height_at(self.viewport().width())
        if self.rowHeight(self._opened) != head + wanted:
            self.setRowHeight(self._opened, head + wanted)
        top = self.rowViewportPosition(self._opened) + head
        self._panel.setGeometry(0, top, self.viewport().width(), wanted - 1)

    def _move_opened(self, _parent: QModelIndex, first: int, last: int) -> None:
        if 0 <= first <= self._opened:
            self._opened += last - first + 1
            self._delegate.opened = self._opened
            self.fit_panel()

    def toggle(self, number: int) -> None:
        """Open a row, or close it when it is open."""
        if number == self._opened:
            self.close_row()
        else:
            self.open_row(number)

    # Qt's events

    def updateGeometries(self) -> None:
        super().updateGeometries()
        self.fit_panel()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        self.fit_panel()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        px = self._theme.px
        room = self.viewport().width()
        is_tight = room < px(_TIGHT_BELOW)
        widths = _TIGHT_WIDTHS if is_tight else _WIDTHS
        self.setColumnHidden(IN, is_tight)
        for column, width in widths.items():
            self.setColumnWidth(column, px(width))
        least, most = _HOST_WIDTH
        spare = room - px(sum(widths.values()) + _LEAST_PURPOSE)
        self.setColumnWidth(HOST, max(px(least), min(spare, px(most))))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            number = self.rowAt(event.position().toPoint().y())
            if number >= 0:
                self.toggle(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        number = self.currentIndex().row()
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and number >= 0:
            self.toggle(number)
        elif key == Qt.Key.Key_Right and number >= 0:
            self.open_row(number)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Escape) and self._opened >= 0:
            self.close_row()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if self._opened >= 0 and claims_escape(event):
            return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self._model.rowCount():
            self.setCurrentIndex(self._model.index(0, TIME))  # where the keys act is seen
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def _rescale(self) -> None:
        opened = self._opened
        self.close_row()
        self._set_up_heads()
        if opened >= 0:
            self.open_row(opened)


class _RecordDelegate(RowDelegate):
    """Paints the upper part of a row; below it an open row has its panel."""

    def __init__(self, theme: Theme, model: RecordsModel, parent: QObject | None = None) -> None:
        super().__init__(theme, parent)
        self._model = model
        self.opened = -1

    def background(self, option: QStyleOptionViewItem, index: Index) -> str:
        """The open row, and the selected one while the keyboard is in the table, stand out."""
        if index.row() == self.opened:
            return "active"
        ground = super().background(option, index)
        return "hover" if ground == "active" and not option.widget.hasFocus() else ground

    def paint_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        """One cell of a record."""
        row, column = self._model.row(index.row()), index.column()
        if row is None:
            return
        if column == OPEN:
            if row.opens:
                icon = "chevron-down" if index.row() == self.opened else "chevron-right"
                self.cells.icon(painter, area, icon, "text-2")
        elif column == EVENT:
            self.cells.icon(painter, area, row.sign.icon, row.sign.ink)
            indent, cut = self.theme.px(20), -self.theme.px(6)
            self.cells.text(painter, area, row.sign.word, "text-1", indent=indent, cut=cut)
        else:
            self.cells.text(
                painter,
                area,
                cell(row, column),
                "text-1" if column in (HOST, OUT) else "text-2",
                is_right=column in RIGHT,
                elide=elided_host if column == HOST else None,
            )


def elided_host(host: str, metrics: QFontMetrics, width: int) -> str:
    """Shortened before its port, which tells two servers of one machine apart."""
    name, colon, port = host.rpartition(":")
    if not (colon and port.isdecimal()):
        return metrics.elidedText(host, Qt.TextElideMode.ElideMiddle, width)
    if metrics.horizontalAdvance(host) <= width:
        return host
    end = f":{port}"
    room = width - metrics.horizontalAdvance(end)
    return metrics.elidedText(name, Qt.TextElideMode.ElideRight, max(0, room)) + end
