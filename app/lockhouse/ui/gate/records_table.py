"""The records as a table that knows how many there are and reads only those that are looked at.

Hides the pages: records are numbered from the oldest, so that a page stays right while new records
come in at the top, and pages that nobody looked at for long are dropped.
"""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal

from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.gate.values import Counted, Page, RecordRow

PAGE_ROWS = 200
_KEPT_PAGES = 40
OPEN, TIME, WHAT, HOST, PURPOSE, OUT, IN = range(7)
COLUMNS = ("", "Time", "What", "Host", "Purpose", "Out", "In")
RIGHT = frozenset({OUT, IN})


class RecordsTable(QAbstractTableModel):
    """The newest at the top. A row that was not read yet is empty, and asked for once."""

    page_wanted = Signal(int, int)  # look, page

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._look = -1
        self._total = 0
        self._first_seq = 0
        self._pages: OrderedDict[int, tuple[RecordRow, ...]] = OrderedDict()
        self._asked: set[int] = set()

    def show_count(self, counted: Counted) -> None:
        """How many there are now: more of the same, or others."""
        same = (counted.look, counted.first_seq) == (self._look, self._first_seq)
        if same and counted.total >= self._total:
            more = counted.total - self._total
            if more:
                newest = (self._total - 1) // PAGE_ROWS if self._total else 0
                self._pages.pop(newest, None)  # it was not full
                self._asked.discard(newest)
                self.beginInsertRows(QModelIndex(), 0, more - 1)
                self._total = counted.total
                self.endInsertRows()
            return
        self.beginResetModel()
        self._look, self._total = counted.look, counted.total
        self._first_seq = counted.first_seq
        self._pages.clear()
        self._asked.clear()
        self.endResetModel()

    def take_page(self, page: Page) -> None:
        """Rows that were asked for."""
        if page.look != self._look:
            return
        self._asked.discard(page.number)
        self._pages[page.number] = page.rows
        while len(self._pages) > _KEPT_PAGES:
            self._pages.popitem(last=False)
        first = self._total - (page.number * PAGE_ROWS + len(page.rows))
        last = self._total - 1 - page.number * PAGE_ROWS
        if page.rows and last >= 0:
            self.dataChanged.emit(self.index(max(0, first), 0), self.index(last, IN))

    def row(self, number: int) -> RecordRow | None:
        """What stands there; None when it is still being read."""
        place = self._total - 1 - number
        page, inside = divmod(place, PAGE_ROWS)
        rows = self._pages.get(page)
        if rows is None or inside >= len(rows):
            if page not in self._asked:
                self._asked.add(page)
                self.page_wanted.emit(self._look, page)
            return None
        self._pages.move_to_end(page)
        return rows[inside]

    # what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._total

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        wanted = (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.AccessibleTextRole,
            Qt.ItemDataRole.ToolTipRole,
        )
        if role not in wanted:
            return None
        row = self.row(index.row())
        if row is None:
            return ""
        shown = cell(row, index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[index.column()] or 'Open'}: {shown}"
        if role == Qt.ItemDataRole.ToolTipRole and index.column() not in (TIME, PURPOSE, HOST):
            return None
        return shown


def cell(row: RecordRow, column: int) -> str:
    """What stands in a cell."""
    return ("", row.time, row.sign.word, row.host, row.purpose, row.sent, row.came)[column]
