"""How the rows of the records are painted."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter
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
from lockhouse.ui.theme import Theme

ROW_HEIGHT = 36
_KEPT_TEXTS = 4000
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class RecordDelegate(QStyledItemDelegate):
    """Paints the upper 36 px of a row; below them an open row has its panel."""

    def __init__(self, theme: Theme, table: RecordsTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._table = table
        self._font: QFont | None = None
        self._fits: dict[tuple[str, int], str] = {}
        self.opened = -1
        self.hovered = -1
        theme.changed.connect(self._forget)

    def _forget(self) -> None:
        self._font = None
        self._fits.clear()

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
        elif number == self.hovered or selected:
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
                self._paint_icon(painter, rect, icon, "text-2", left=rect.left() + px(8))
        elif column == WHAT:
            self._paint_icon(painter, rect, row.sign.icon, row.sign.ink, left=area.left())
            self._paint_words(painter, area.adjusted(px(20), 0, px(6), 0), row.sign.word, "text-1")
        else:
            side = _RIGHT if column in RIGHT else _LEFT
            ink = "text-1" if column in (HOST, OUT) else "text-2"
            self._paint_words(painter, area, cell(row, column), ink, side, is_host=column == HOST)

    def _paint_icon(
        self, painter: QPainter, rect: QRect, icon: str, ink: str, *, left: int
    ) -> None:
        side = self._theme.px(14)
        ratio = painter.device().devicePixelRatio()
        pixmap = self._theme.pixmap(icon, 14, ink, ratio=ratio)
        painter.drawPixmap(left, rect.top() + (rect.height() - side) // 2, pixmap)

    def _paint_words(
        self,
        painter: QPainter,
        area: QRect,
        shown: str,
        ink: str,
        side: Qt.AlignmentFlag = _LEFT,
        *,
        is_host: bool = False,
    ) -> None:
        if self._font is None:
            self._font = self._theme.font("body", tabular=True)
        painter.setFont(self._font)
        painter.setPen(self._theme.color(ink))
        key = (shown, area.width())
        fits = self._fits.get(key)
        if fits is None:
            if len(self._fits) > _KEPT_TEXTS:
                self._fits.clear()
            metrics = QFontMetrics(self._font)
            if is_host:
                fits = elided_host(shown, metrics, area.width())
            else:
                fits = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, area.width())
            self._fits[key] = fits
        painter.drawText(area, side, fits)


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
