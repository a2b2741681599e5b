"""Paints the lines of the search palette, with the words that were found marked."""

from __future__ import annotations

import re

from PySide6.QtCore import QObject, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from lockhouse.ui.chat.list_delegate import fitted_title
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.chat.palette_values import Entry
from lockhouse.ui.search_list import LINE
from lockhouse.ui.theme import Theme

_MARKS = re.compile("(\x02[^\x03]*\x03?)")


class PaletteDelegate(QStyledItemDelegate):
    """Headings 28 px, lines 36, lines with a snippet 52."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        entry: Entry = index.data(LINE)
        height = 28 if entry.kind == "head" else 52 if entry.snippet else 36
        return QSize(200, self._theme.px(height))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self._theme, self._theme.px
        entry: Entry = index.data(LINE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(0, 0, -px(4), 0)
        if entry.kind == "head":
            painter.setFont(theme.font("caption", weight=500))
            painter.setPen(theme.color("text-3"))
            area = box.adjusted(px(8), px(4), 0, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, entry.title)
            painter.restore()
            return
        selected = option.state & QStyle.StateFlag.State_Selected
        hovered = option.state & QStyle.StateFlag.State_MouseOver
        if selected or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if selected else "hover"))
            painter.drawRoundedRect(QRectF(box), px(6), px(6))
        top = box.adjusted(0, 0, 0, px(36) - box.height())
        if entry.snippet:
            top = top.adjusted(0, px(2), 0, -px(6))
        icon = theme.pixmap(entry.icon, 16, "text-2")
        painter.drawPixmap(box.left() + px(8), top.center().y() - px(8) + 1, icon)
        self._paint_line(painter, top.adjusted(px(34), 0, -px(8), 0), entry)
        if entry.snippet:
            below = QRect(box.left() + px(34), top.bottom(), box.width() - px(42), px(18))
            self._paint_snippet(painter, QRectF(below), entry.snippet)
        painter.restore()

    def _paint_line(self, painter: QPainter, area: QRect, entry: Entry) -> None:
        theme, px = self._theme, self._theme.px
        painter.setFont(theme.font("caption", tabular=True))
        painter.setPen(theme.color("text-3"))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(area, flags, entry.right)
        wide = int(QFontMetricsF(painter.font()).horizontalAdvance(entry.right))
        painter.setFont(theme.font("body", weight=500))
        painter.setPen(theme.color("text-1"))
        title = fitted_title(entry.title, painter.font(), area.width() - wide - px(12))
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, title)

    def _paint_snippet(self, painter: QPainter, area: QRectF, snippet: str) -> None:
        theme = self._theme
        left = area.left()
        for part in _MARKS.split(snippet):
            if not part:
                continue
            found = part.startswith("\x02")
            text = part.strip("\x02\x03") if found else part
            painter.setFont(theme.font("caption", weight=600 if found else 400))
            metrics = QFontMetricsF(painter.font())
            room = area.right() - left
            if room < metrics.horizontalAdvance("…"):
                return
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            wide = metrics.horizontalAdvance(shown)
            if found:
                mark = QRectF(left - 1, area.top() + 1, wide + 2, area.height() - 2)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.color("selection"))
                painter.drawRoundedRect(mark, 3, 3)
            painter.setPen(theme.color("text-1" if found else "text-2"))
            place = QRectF(left, area.top(), wide + 1, area.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)
            left += wide
