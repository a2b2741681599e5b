"""Paints the lines of the target picker: who, where, what it costs, and what leaves."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from lockhouse.ui.chat.destinations import LEAVES, Choice
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.search_list import LINE
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import PillTone, paint_pill, pill_width

_HEIGHTS = {"head": 28, "target": 46, "provider": 46, "more": 36}


class TargetDelegate(QStyledItemDelegate):
    """Headings 28 px, targets 46."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        choice: Choice = index.data(LINE)
        return QSize(200, self._theme.px(_HEIGHTS[choice.kind]))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self._theme, self._theme.px
        choice: Choice = index.data(LINE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(0, 0, -px(4), 0)
        if choice.kind == "head":
            self._text(painter, box.adjusted(px(8), px(4), 0, 0), choice.title, "caption", "text-3")
            painter.restore()
            return
        chosen = option.state & QStyle.StateFlag.State_Selected
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if chosen else "hover"))
            painter.drawRoundedRect(QRectF(box), px(6), px(6))
        icon = "check" if choice.is_current else choice.icon
        ink = "accent-text" if choice.is_current else "text-2"
        drawn = theme.pixmap(icon, 16, ink, ratio=painter.device().devicePixelRatio())
        painter.drawPixmap(box.left() + px(10), box.center().y() - px(8) + 1, drawn)
        right = self._paint_right(painter, box, choice)
        area = QRect(box.left() + px(36), box.top(), right - box.left() - px(36), box.height())
        ink = "text-2" if choice.way and choice.kind != "more" else "text-1"
        if choice.line:
            upper = QRect(area.left(), area.top() + px(4), area.width(), px(20))
            lower = QRect(area.left(), area.top() + px(24), area.width(), px(16))
            self._text(painter, upper, choice.title, "body", ink, weight=500)
            self._text(painter, lower, choice.line, "caption", "text-3")
        else:
            self._text(painter, area, choice.title, "body", ink, weight=500)
        painter.restore()

    def _paint_right(self, painter: QPainter, box: QRect, choice: Choice) -> int:
        """What leaves, and the way on; gives where the words on the left have to end."""
        theme, px = self._theme, self._theme.px
        right = box.right() - px(8)
        if choice.mark:
            leaves = choice.mark == LEAVES
            words, icon = ("Leaves", "arrow-up-right") if leaves else (choice.mark, "house")
            tone: PillTone = "warning" if leaves else "neutral"
            right -= int(pill_width(theme, words, icon))
            top = box.center().y() - px(10) + 1
            paint_pill(painter, theme, QPointF(right, top), words, icon, tone)
            right -= px(10)
        if choice.way_words:
            wide = (
                int(
                    QFontMetricsF(theme.font("caption", weight=500)).horizontalAdvance(
                        choice.way_words
                    )
                )
                + 2
            )
            area = QRect(right - wide, box.top(), wide, box.height())
            self._text(painter, area, choice.way_words, "caption", "accent-text", weight=500)
            right -= wide + px(10)
        return right

    def _text(
        self,
        painter: QPainter,
        area: QRect,
        words: str,
        role: str,
        ink: str,
        *,
        weight: int = 400,
    ) -> None:
        theme = self._theme
        painter.setFont(theme.font(role, weight=weight, tabular=True))  # type: ignore[arg-type]
        painter.setPen(theme.color(ink))
        metrics = QFontMetricsF(painter.font())
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, shown)
