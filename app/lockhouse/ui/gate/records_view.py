"""The table of the records, whose rows open in place.

Hides how a row opens: it grows, and the panel lies over the part that the cells leave free. Only
one row is open at a time.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QWidget

from lockhouse.ui.gate.record_cells import RecordDelegate
from lockhouse.ui.gate.records_table import HOST, IN, OPEN, OUT, PURPOSE, TIME, WHAT, RecordsTable
from lockhouse.ui.key_filter import claims_escape
from lockhouse.ui.table_cells import ROW_HEIGHT, RowsView
from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import RADIUS_CARD

_WIDTHS = {OPEN: 28, TIME: 68, WHAT: 98, HOST: 168, OUT: 72, IN: 80}
_TIGHT_WIDTHS = {OPEN: 24, TIME: 62, WHAT: 90, HOST: 96, OUT: 61, IN: 61}
_TIGHT_BELOW = 640
_LEAST_PURPOSE = 160
_HEAD_HEIGHT = 32
# Dropped one after the other where there is no room.
_DROPPED_BELOW = ((IN, 520), (PURPOSE, 440))


class RecordsView(RowsView):
    """Arrows walk, Enter and Right open, Left and Esc close."""

    row_opened = Signal(object)  # RecordRow
    row_closed = Signal()

    def __init__(
        self, theme: Theme, table: RecordsTable, panel: QWidget, parent: QWidget | None = None
    ) -> None:
        """``panel`` shows what an open row has to tell; this view places it."""
        super().__init__(parent)
        self._theme = theme
        self._table = table
        self._panel = panel
        self._opened = -1
        self._delegate = RecordDelegate(theme, table, self)
        self.setObjectName("records_table")
        self.setAccessibleName("What left, and what was refused")
        self.setModel(table)
        self.setItemDelegate(self._delegate)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._set_up_heads()
        panel.setParent(self.viewport())
        panel.hide()
        table.rowsInserted.connect(self._move_opened)
        table.modelAboutToBeReset.connect(self.close_row)
        theme.changed.connect(self._rescale)

    def _set_up_heads(self) -> None:
        px = self._theme.px
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # never asks 100,000 rows
        rows.setMinimumSectionSize(px(ROW_HEIGHT))
        rows.setDefaultSectionSize(px(ROW_HEIGHT))
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
        for column in _WIDTHS:
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(PURPOSE, QHeaderView.ResizeMode.Stretch)
        self._fit_columns()

    # opening

    @property
    def opened(self) -> int:
        """The number of the open row, -1 when none is."""
        return self._opened

    def open_row(self, number: int) -> None:
        """Show what there is to this row."""
        row = self._table.row(number)
        if row is None or not row.opens:
            return
        self.close_row()
        self._opened = self._delegate.opened = number
        self.row_opened.emit(row)
        self._panel.show()
        self.fit_panel()
        self.scrollTo(self._table.index(number, TIME))
        self.viewport().update()

    def close_row(self) -> None:
        """Fold it again."""
        if self._opened < 0:
            return
        number, self._opened = self._opened, -1
        self._delegate.opened = -1
        focused: QWidget | None = QApplication.focusWidget()
        had_focus = focused is not None and self._panel.isAncestorOf(focused)
        self._panel.hide()
        if number < self._table.rowCount():
            self.setRowHeight(number, self._theme.px(ROW_HEIGHT))
        if had_focus:
            self.setFocus()
        self.row_closed.emit()
        self.viewport().update()

    def fit_panel(self) -> None:
        """The panel has something else to show: the row gets its height."""
        if self._opened < 0:
            return
        head = self._theme.px(ROW_HEIGHT)
        wanted = self._panel.sizeHint().height()
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
        """Open a row, or fold it when it is open."""
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
        wide = self.width() / self._theme.scale
        widths = _TIGHT_WIDTHS if wide < _TIGHT_BELOW else _WIDTHS
        for column, width in widths.items():
            self.setColumnWidth(column, px(width))
        for column, least in _DROPPED_BELOW:
            self.setColumnHidden(column, wide < least)
        head = self.horizontalHeader()
        stretched = HOST if self.isColumnHidden(PURPOSE) else PURPOSE
        head.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
        if stretched == PURPOSE:
            head.setSectionResizeMode(HOST, QHeaderView.ResizeMode.Fixed)
            others = sum(px(width) for column, width in widths.items() if column != HOST)
            spare = self.width() - others - px(_LEAST_PURPOSE)
            least, most = px(_TIGHT_WIDTHS[HOST]), px(_WIDTHS[HOST])
            self.setColumnWidth(HOST, max(least, min(int(self.width() * 0.2), spare, most)))

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
        if not self.currentIndex().isValid() and self._table.rowCount():
            self.setCurrentIndex(self._table.index(0, TIME))  # where the keys act is seen
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
