"""How the table of models looks: its rows, its header, and which columns there is room for."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QRect, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QWidget

from lockhouse.ui.models import model_text
from lockhouse.ui.models.model_table import (
    FAMILY,
    FIT,
    FOLDER,
    NAME,
    QUANTIZATION,
    SIZE,
    USED,
    VERIFIED,
    ModelTable,
    Row,
)
from lockhouse.ui.table_cells import Index, RowDelegate, RowsView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import paint_pill

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_WIDTHS = {
    FAMILY: 84,
    SIZE: 76,
    QUANTIZATION: 132,
    FIT: 118,
    FOLDER: 108,
    USED: 86,
    VERIFIED: 98,
}
# Hidden one after the other where there is no room.
_HIDDEN_BELOW = ((VERIFIED, 880), (USED, 776), (FAMILY, 684), (FOLDER, 600))
_HEADER_HEIGHT = 28


class _ModelDelegate(RowDelegate):
    def __init__(self, theme: Theme, table: ModelTable, parent: QObject) -> None:
        super().__init__(theme, parent)
        self._table = table

    def paint_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        """One cell of a model."""
        px, cells, column = self.theme.px, self.cells, index.column()
        row = self._table.row(index.row())
        shown = self._table.cell_text(row, column)
        if column == NAME:
            self._paint_name(painter, area.adjusted(px(8), 0, 0, 0), row, shown)
        elif column == FIT:
            top = area.top() + (area.height() - px(20)) // 2 + 1
            place = QPointF(area.left(), top)
            paint_pill(painter, self.theme, place, *model_text.model_pill(row.model))
        elif column == QUANTIZATION:
            width = cells.text(painter, area, row.model.quality, "text-1") + px(4)
            cells.text(painter, area, row.model.quantization, "text-3", indent=width)
        elif column == FOLDER:
            copies = len(row.model.places) - 1
            shown = f"{shown} +{copies}" if copies > 0 else shown
            cells.icon(painter, area, model_text.folder_icon(row.model), "text-3")
            cells.text(painter, area, shown, "text-2", indent=px(20))
        elif column == USED and row.model.name in self._table.loaded:
            self._paint_loaded(painter, area, shown)
        elif column == VERIFIED:
            self._paint_verified(painter, area, row, shown)
        else:
            ink = "text-1" if column == SIZE else "text-2"
            cells.text(painter, area, shown, ink, is_right=column == SIZE)

    def _paint_name(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self.theme.px
        cut = px(20) if row.model.pinned else 0
        width = self.cells.text(painter, area, shown, "text-1", weight=500, cut=cut)
        if row.model.pinned:
            self.cells.icon(painter, area, "pin", "text-2", indent=width + px(6))

    def _paint_loaded(self, painter: QPainter, area: QRect, shown: str) -> None:
        theme, px = self.theme, self.theme.px
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent-text"))
        middle = area.top() + area.height() / 2 + 0.5
        painter.drawEllipse(QPointF(area.left() + px(3), middle), px(3), px(3))
        self.cells.text(painter, area, shown, "accent-text", indent=px(12))

    def _paint_verified(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self.theme.px
        checking = row.model.name in self._table.checking
        icon, ink = ("loader-circle", "text-2") if checking else row.verified_icon
        self.cells.icon(painter, area, icon, ink)
        text_ink = "text-2" if ink == "success" else ink
        self.cells.text(painter, area, shown, text_ink, indent=px(18), cut=-px(6))


class _Header(QHeaderView):
    """Small column headings; the sorted one is darker and has an arrow."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setObjectName("models_head")
        self.setAccessibleName("Columns")
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        self.setSortIndicatorShown(True)
        self.setMinimumSectionSize(theme.px(48))

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        theme, px = self._theme, self._theme.px
        painter.save()
        painter.fillRect(rect, theme.color("bg-2"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border-strong"))
        is_sorted = self.sortIndicatorSection() == logical
        painter.setFont(theme.font("caption", weight=500))
        painter.setPen(theme.color("text-1" if is_sorted else "text-3"))
        area = rect.adjusted(px(16 if logical == NAME else 8), 0, -px(8), -1)
        shown = str(self.model().headerData(logical, self.orientation()))
        side = _RIGHT if logical == SIZE else _LEFT
        if is_sorted and side == _RIGHT:
            area.adjust(0, 0, -px(16), 0)
        painter.drawText(area, side, shown)
        if is_sorted:
            ascending = self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
            width = QFontMetrics(painter.font()).horizontalAdvance(shown)
            left = area.left() + width if side == _LEFT else area.right()
            ratio = painter.device().devicePixelRatio()
            icon = "arrow-up" if ascending else "arrow-down"
            pixmap = theme.pixmap(icon, 12, "text-1", ratio=ratio)
            painter.drawPixmap(left + px(4), rect.top() + (rect.height() - px(12)) // 2, pixmap)
        painter.restore()


class ModelTableView(RowsView):
    """The table. Its background is opaque, so that scrolling moves what is painted already."""

    def __init__(self, theme: Theme, table: ModelTable, parent: QWidget | None = None) -> None:
        super().__init__(theme, "models_table", "Models on this machine", parent)
        self.setModel(table)
        self.setItemDelegate(_ModelDelegate(theme, table, self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        header = _Header(theme, self)
        self.setHorizontalHeader(header)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(USED, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
        self._fit_columns()
        theme.changed.connect(self._fit_columns)

    def _fit_columns(self) -> None:
        px, header = self._theme.px, self.horizontalHeader()
        header.setFixedHeight(px(_HEADER_HEIGHT))
        for column, width in _WIDTHS.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, px(width))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width = self.width() / self._theme.scale
        for column, least in _HIDDEN_BELOW:
            self.setColumnHidden(column, width < least)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), self._theme.color("bg-2"))
        painter.end()
        super().paintEvent(event)
