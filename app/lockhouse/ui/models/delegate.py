"""How the table of models is painted: its rows and its head."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from lockhouse.ui import formatting
from lockhouse.ui.models import words
from lockhouse.ui.models.table import (
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
from lockhouse.ui.table_cells import ROW_HEIGHT, Cells, RowsView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import paint_pill

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ModelDelegate(QStyledItemDelegate):
    """36 px rows with a bar at the selected ones."""

    def __init__(self, theme: Theme, table: ModelTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._table = table
        self._now = formatting.local_now()
        self._cells = Cells(theme)
        theme.changed.connect(self._cells.forget)

    def set_now(self) -> None:
        """The day that "Yesterday" is meant from."""
        self._now = formatting.local_now()

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(80, self._theme.px(ROW_HEIGHT))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        theme, px = self._theme, self._theme.px
        rect: QRect = option.rect
        column = index.column()
        row = self._table.row(index.row())
        hovered = isinstance(option.widget, RowsView) and option.widget.hovered == index.row()
        self._paint_ground(painter, rect, option.state, column, hovered=hovered)
        left = rect.left() + px(16 if column == NAME else 8)
        area = QRect(left, rect.top(), rect.right() - left - px(7), rect.height() - 1)
        shown = self._table.words(row, column)
        if column == NAME:
            self._paint_name(painter, area, row, shown)
        elif column == FIT:
            pill = words.fit_words(row.model)
            place = QPointF(left, area.top() + (area.height() - px(20)) // 2 + 1)
            paint_pill(painter, theme, place, *pill)
        elif column == QUANTIZATION:
            self._paint_two(painter, area, row.model.quality, row.model.quantization)
        elif column == FOLDER:
            more = len(row.model.places) - 1
            shown = f"{shown} +{more}" if more > 0 else shown
            self._cells.icon(painter, area, words.folder_icon(row.model), "text-3")
            self._cells.words(painter, area, shown, "text-2", indent=px(20))
        elif column == USED:
            self._paint_used(painter, area, row, shown)
        elif column == VERIFIED:
            self._paint_verified(painter, area, row, shown)
        else:
            ink = "text-1" if column == SIZE else "text-2"
            self._cells.words(painter, area, shown, ink, is_right=column == SIZE)

    def _paint_ground(
        self,
        painter: QPainter,
        rect: QRect,
        state: QStyle.StateFlag,
        column: int,
        *,
        hovered: bool,
    ) -> None:
        theme = self._theme
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("active"))
            if column == NAME:
                bar = QRect(rect.left(), rect.top(), 2, rect.height())
                painter.fillRect(bar, theme.color("accent"))
        elif hovered:
            painter.fillRect(rect, theme.color("hover"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border"))

    def _paint_name(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self._theme.px
        cut = px(20) if row.model.pinned else 0
        wide = self._cells.words(painter, area, shown, "text-1", weight=500, cut=cut)
        if row.model.pinned:
            self._cells.icon(painter, area, "pin", "text-2", indent=wide + px(6))

    def _paint_used(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        theme, px = self._theme, self._theme.px
        if row.model.name not in self._table.loaded:
            self._cells.words(painter, area, shown, "text-2")
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent-text"))
        middle = area.top() + area.height() / 2 + 0.5
        painter.drawEllipse(QPointF(area.left() + px(3), middle), px(3), px(3))
        self._cells.words(painter, area, shown, "accent-text", indent=px(12))

    def _paint_verified(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self._theme.px
        _, icon, ink = words.verified_words(row.model, self._now)
        if row.model.name in self._table.checking:
            icon, ink = "loader-circle", "text-2"
        self._cells.icon(painter, area, icon, ink)
        text_ink = "text-2" if ink == "success" else ink
        self._cells.words(painter, area, shown, text_ink, indent=px(18), cut=-px(6))

    def _paint_two(self, painter: QPainter, area: QRect, word: str, code: str) -> None:
        wide = self._cells.words(painter, area, word, "text-1") + self._theme.px(4)
        self._cells.words(painter, area, code, "text-3", indent=wide)


class ModelView(RowsView):
    """Its ground is opaque, so that scrolling moves what is painted already."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), self._theme.color("bg-2"))
        painter.end()
        super().paintEvent(event)


class TableHead(QHeaderView):
    """Column heads in small type; the one that is sorted by is darker, with an arrow."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        self.setSortIndicatorShown(True)
        self.setFixedHeight(theme.px(28))
        theme.changed.connect(self._dress)

    def _dress(self) -> None:
        self.setFixedHeight(self._theme.px(28))

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        theme, px = self._theme, self._theme.px
        painter.save()
        painter.fillRect(rect, theme.color("bg-2"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border-strong"))
        is_sorted = self.sortIndicatorSection() == logical
        painter.setFont(theme.font("caption", weight=500))
        painter.setPen(theme.color("text-1" if is_sorted else "text-3"))
        area = rect.adjusted(px(16 if self.visualIndex(logical) == 0 else 8), 0, -px(8), -1)
        shown = str(self.model().headerData(logical, self.orientation()))
        side = _RIGHT if logical == SIZE else _LEFT
        wide = QFontMetrics(painter.font()).horizontalAdvance(shown)
        arrow = (
            "arrow-up" if self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder else "arrow-down"
        )
        if is_sorted and side == _RIGHT:
            area.adjust(0, 0, -px(16), 0)
        painter.drawText(area, side, shown)
        if is_sorted:
            left = area.left() + wide + px(4) if side == _LEFT else area.right() + px(4)
            ratio = painter.device().devicePixelRatio()
            icon = theme.pixmap(arrow, 12, "text-1", ratio=ratio)
            painter.drawPixmap(left, rect.top() + (rect.height() - px(12)) // 2, icon)
        painter.restore()
