"""How the table of models is painted: its rows and its head."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from lockhouse.ui import wording
from lockhouse.ui.models import words
from lockhouse.ui.models.table import (
    FIT,
    FOLDER,
    NAME,
    QUANTIZATION,
    ROW,
    SIZE,
    USED,
    VERIFIED,
    ModelTable,
    Row,
)
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import paint_pill

ROW_HEIGHT = 36
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ModelDelegate(QStyledItemDelegate):
    """36 px rows with a bar at the selected ones."""

    def __init__(self, theme: Theme, table: ModelTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._table = table
        self._now = wording.local_now()
        self._metrics: dict[int, QFontMetrics] = {}
        theme.changed.connect(self._metrics.clear)

    def set_now(self) -> None:
        """The day that "Yesterday" is meant from."""
        self._now = wording.local_now()

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
        row: Row = index.data(ROW)
        column = index.column()
        painter.save()
        self._paint_ground(painter, rect, option.state, column)
        area = rect.adjusted(px(16 if column == NAME else 8), 0, -px(8), -1)
        shown = self._table.words(row, column)
        if column == NAME:
            self._paint_name(painter, area, row, shown)
        elif column == FIT:
            pill = words.fit_words(row.model)
            top = area.center().y() - px(10) + 1
            paint_pill(painter, theme, QPointF(area.left(), top), *pill)
        elif column == QUANTIZATION:
            self._paint_two(painter, area, row.model.quality, row.model.quantization)
        elif column == FOLDER:
            more = len(row.model.places) - 1
            shown = f"{shown} +{more}" if more > 0 else shown
            self._paint_icon(painter, area, words.folder_icon(row.model), 14, "text-3")
            self._paint_words(painter, area.adjusted(px(20), 0, 0, 0), shown, "text-2")
        elif column == USED:
            self._paint_used(painter, area, row, shown)
        elif column == VERIFIED:
            self._paint_verified(painter, area, row, shown)
        else:
            ink = "text-1" if column == SIZE else "text-2"
            side = _RIGHT if column == SIZE else _LEFT
            self._paint_words(painter, area, shown, ink, side=side)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, rect: QRect, state: QStyle.StateFlag, column: int
    ) -> None:
        theme = self._theme
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("active"))
            if column == NAME:
                painter.fillRect(
                    QRect(rect.left(), rect.top(), 2, rect.height()), theme.color("accent")
                )
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border"))

    def _paint_name(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self._theme.px
        marks = []
        if row.model.pinned:
            marks.append("pin")
        room = area.adjusted(0, 0, -px(20) * len(marks), 0)
        wide = self._paint_words(painter, room, shown, "text-1", weight=500)
        left = area.left() + wide + px(6)
        for icon in marks:
            self._paint_icon(painter, QRect(left, area.top(), px(14), area.height()), icon, 14)
            left += px(20)

    def _paint_used(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        theme, px = self._theme, self._theme.px
        if row.model.name not in self._table.loaded:
            self._paint_words(painter, area, shown, "text-2")
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent-text"))
        painter.drawEllipse(QPointF(area.left() + px(3), area.center().y() + 0.5), px(3), px(3))
        self._paint_words(painter, area.adjusted(px(12), 0, 0, 0), shown, "accent-text")

    def _paint_verified(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self._theme.px
        _, icon, ink = words.verified_words(row.model, self._now)
        if row.model.name in self._table.checking:
            icon, ink = "loader-circle", "text-2"
        self._paint_icon(painter, area, icon, 14, ink)
        text_ink = ink if ink == "danger" else ("text-3" if ink == "text-3" else "text-2")
        self._paint_words(painter, area.adjusted(px(18), 0, px(6), 0), shown, text_ink)

    def _paint_icon(
        self, painter: QPainter, area: QRect, icon: str, size: int, ink: str = "text-2"
    ) -> None:
        ratio = painter.device().devicePixelRatio()
        side = self._theme.px(size)
        top = area.top() + (area.height() - side) // 2
        painter.drawPixmap(area.left(), top, self._theme.pixmap(icon, size, ink, ratio=ratio))

    def _paint_words(
        self,
        painter: QPainter,
        area: QRect,
        shown: str,
        ink: str,
        *,
        weight: int = 400,
        side: Qt.AlignmentFlag = _LEFT,
    ) -> int:
        """How wide the words came out."""
        theme = self._theme
        painter.setFont(theme.font("body", weight=weight, tabular=True))
        painter.setPen(theme.color(ink))
        metrics = self._metrics_of(painter, weight)
        wide = metrics.horizontalAdvance(shown)
        if wide > area.width():
            shown = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, area.width())
            wide = area.width()
        painter.drawText(area, side, shown)
        return wide

    def _paint_two(self, painter: QPainter, area: QRect, word: str, code: str) -> None:
        wide = self._paint_words(painter, area, word, "text-1")
        gap = self._metrics_of(painter, 400).horizontalAdvance(" ")
        self._paint_words(painter, area.adjusted(wide + gap, 0, 0, 0), code, "text-3")

    def _metrics_of(self, painter: QPainter, weight: int) -> QFontMetrics:
        metrics = self._metrics.get(weight)
        if metrics is None:
            metrics = self._metrics[weight] = QFontMetrics(painter.font())
        return metrics


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
