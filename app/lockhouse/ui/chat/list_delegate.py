"""Paints the rows of the conversation list, and edits a title in place."""

from __future__ import annotations

import re

from PySide6.QtCore import QAbstractItemModel, QObject, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import ROW, Index, Row
from lockhouse.ui.chat.values import RunState
from lockhouse.ui.theme import Theme

ROW_HEIGHT = 32
HEAD_HEIGHT = 36
_INSET = 8
_PAD = 8
_NUMBER = re.compile(r" \(\d{1,4}\)$")


def fitted_title(title: str, font: QFont, room: int) -> str:
    """A chat's title, cut before its number: that tells two branches of a chat apart."""
    metrics = QFontMetrics(font)
    number = _NUMBER.search(title)
    if number is None or metrics.horizontalAdvance(title) <= room:
        return metrics.elidedText(title, Qt.TextElideMode.ElideRight, room)
    words, left = title[: number.start()], room - metrics.horizontalAdvance(number[0])
    return metrics.elidedText(words, Qt.TextElideMode.ElideRight, left) + number[0]


class ListDelegate(QStyledItemDelegate):
    """One delegate for headings, folders and conversations."""

    renamed = Signal(object, str)  # Row, new title
    editing = Signal()

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.current_id = ""
        self.angle = 0  # of the running arc, moved by the panel

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        row: Row = index.data(ROW)
        height = HEAD_HEIGHT if row.kind == "head" else ROW_HEIGHT
        return QSize(120, self._theme.px(height))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: Row = index.data(ROW)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.kind == "head":
            self._paint_head(painter, option.rect, row)
        else:
            self._paint_row(painter, option, row)
        painter.restore()

    def _paint_head(self, painter: QPainter, rect: QRect, row: Row) -> None:
        px = self._theme.px
        painter.setFont(self._theme.font("body", weight=400))
        painter.setPen(self._theme.color("text-3"))
        area = rect.adjusted(px(_INSET + _PAD), px(6), -px(_INSET + _PAD), 0)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, row.title)

    def _paint_row(self, painter: QPainter, option: QStyleOptionViewItem, row: Row) -> None:
        theme, px = self._theme, self._theme.px
        box = option.rect.adjusted(px(_INSET), 0, -px(_INSET), 0)
        is_current = row.conversation is not None and row.conversation.id == self.current_id
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if is_current or selected or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if is_current or selected else "hover"))
            painter.drawRoundedRect(QRectF(box), px(6), px(6))
        if option.state & QStyle.StateFlag.State_HasFocus and self._keyboard(option):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.drawRoundedRect(QRectF(box).adjusted(1, 1, -1, -1), px(5), px(5))
        inner = box.adjusted(px(_PAD), 0, -px(_PAD), 0)
        if row.kind == "folder":
            self._paint_folder(painter, inner, row)
            return
        right = self._paint_right(painter, inner, row)
        if row.in_folder:
            inner.setLeft(inner.left() + px(16))
        painter.setFont(theme.font("body", weight=500 if is_current else 400))
        painter.setPen(theme.color("text-1"))
        inner.setRight(right - px(8))
        title = fitted_title(row.title, painter.font(), inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, title)

    def _paint_folder(self, painter: QPainter, inner: QRect, row: Row) -> None:
        theme, px = self._theme, self._theme.px
        side = px(14)
        top = inner.center().y() - side // 2
        chevron = "chevron-right" if row.folded else "chevron-down"
        painter.drawPixmap(inner.left() - px(2), top, theme.pixmap(chevron, 14, "text-3"))
        painter.drawPixmap(inner.left() + px(16), top, theme.pixmap("folder", 14, "text-2"))
        painter.setFont(theme.font("body", weight=500))
        painter.setPen(theme.color("text-2"))
        count = str(row.count)
        width = QFontMetrics(theme.font("caption", tabular=True)).horizontalAdvance(count)
        area = inner.adjusted(px(38), 0, -width - px(8), 0)
        title = QFontMetrics(painter.font()).elidedText(
            row.title, Qt.TextElideMode.ElideRight, area.width()
        )
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(theme.font("caption", tabular=True))
        painter.setPen(theme.color("text-3"))
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)

    def _paint_right(self, painter: QPainter, inner: QRect, row: Row) -> int:
        """The time or the running mark; the x where the title must end."""
        theme, px = self._theme, self._theme.px
        painter.setFont(theme.font("caption", tabular=True))
        metrics = QFontMetrics(painter.font())
        right_aligned = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        if row.run is None:
            painter.setPen(theme.color("text-3"))
            painter.drawText(inner, right_aligned, row.when)
            return inner.right() - metrics.horizontalAdvance(row.when)
        words = _progress_words(row.run)
        painter.setPen(theme.color("accent-text"))
        painter.drawText(inner, right_aligned, words)
        left = inner.right() - metrics.horizontalAdvance(words)
        if words:
            left -= px(5)
        arc = QRectF(left - px(11), inner.center().y() - px(5), px(11), px(11))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.color("track"), 2))
        painter.drawEllipse(arc.adjusted(1, 1, -1, -1))
        pen = QPen(theme.color("accent"), 2)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        fraction = row.run.fraction
        if fraction is None:
            painter.drawArc(arc.adjusted(1, 1, -1, -1), -self.angle * 16, 110 * 16)
        else:
            painter.drawArc(arc.adjusted(1, 1, -1, -1), 90 * 16, -round(fraction * 360 * 16))
        return int(arc.left())

    @staticmethod
    def _keyboard(option: QStyleOptionViewItem) -> bool:
        view = option.widget
        return view.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setObjectName("rename_edit")
        editor.setAccessibleName("New title")
        editor.setProperty("compact", "true")
        self.editing.emit()
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            editor.setText(str(index.data(Qt.ItemDataRole.EditRole)))
            editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        row: Row = index.data(ROW)
        if isinstance(editor, QLineEdit) and editor.text().strip() not in ("", row.title):
            self.renamed.emit(row, editor.text().strip())

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        px = self._theme.px
        editor.setGeometry(option.rect.adjusted(px(_INSET), px(2), -px(_INSET), -px(2)))


def _progress_words(run: RunState) -> str:
    fraction = run.fraction
    return "" if fraction is None else formatting.percent(fraction)
