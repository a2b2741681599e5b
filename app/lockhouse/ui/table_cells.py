"""Paints the rows of large tables and lists: background, icons and text of the cells.

A screenful of such a table has some 150 cells. Hides that each text is laid out once and cached.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetrics, QMouseEvent, QPainter, QStaticText, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import TypeRole

ROW_HEIGHT = 36
_SELECTED = QStyle.StateFlag.State_Selected.value  # a number: comparing flags takes its time
_MAX_CACHED_TEXTS = 6000

Index = QModelIndex | QPersistentModelIndex
Elide = Callable[[str, QFontMetrics, int], str]


class Cells:
    """Paints icons and text into the cells of one view."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._texts: dict[tuple[object, ...], tuple[QStaticText, int, int]] = {}
        self._fonts: dict[tuple[TypeRole, int], QFont] = {}
        theme.changed.connect(self._clear)

    def _clear(self) -> None:
        """Other colours or another zoom: lay everything out again."""
        self._texts.clear()
        self._fonts.clear()

    def icon(
        self,
        painter: QPainter,
        area: QRect,
        name: str,
        ink: str,
        *,
        indent: int = 0,
        size: int = 14,
    ) -> None:
        """An icon in the middle of the height, ``indent`` from the left."""
        top = area.top() + (area.height() - self._theme.px(size)) // 2
        pixmap = self._theme.pixmap(name, size, ink, ratio=painter.device().devicePixelRatio())
        painter.drawPixmap(area.left() + indent, top, pixmap)

    def text(
        self,
        painter: QPainter,
        area: QRect,
        shown: str,
        ink: str,
        *,
        role: TypeRole = "body",
        weight: int = 400,
        indent: int = 0,
        cut: int = 0,
        is_right: bool = False,
        elide: Elide | None = None,
    ) -> int:
        """One line of text; returns its width. ``indent`` and ``cut`` take room at either side."""
        room = area.width() - indent - cut
        text, width, height = self._laid_out(shown, role, weight, room, elide or _elide_right)
        left = area.left() + indent + (room - width if is_right else 0)
        painter.setFont(self._font(role, weight))
        painter.setPen(self._theme.color(ink))
        painter.drawStaticText(left, area.top() + (area.height() - height) // 2, text)
        return width

    def _laid_out(
        self, shown: str, role: TypeRole, weight: int, room: int, elide: Elide
    ) -> tuple[QStaticText, int, int]:
        key = (shown, role, weight, room, elide)
        found = self._texts.get(key)
        if found is None:
            if len(self._texts) > _MAX_CACHED_TEXTS:
                self._texts.clear()
            font = self._font(role, weight)
            metrics = QFontMetrics(font)
            if metrics.horizontalAdvance(shown) > room:
                shown = elide(shown, metrics, room)
            text = QStaticText(shown)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=font)
            found = (text, metrics.horizontalAdvance(shown), metrics.height())
            self._texts[key] = found
        return found

    def _font(self, role: TypeRole, weight: int) -> QFont:
        font = self._fonts.get((role, weight))
        if font is None:
            font = self._theme.font(role, weight=weight, tabular=True)
            self._fonts[role, weight] = font
        return font


def _elide_right(shown: str, metrics: QFontMetrics, room: int) -> str:
    return metrics.elidedText(shown, Qt.TextElideMode.ElideRight, room)


class RowDelegate(QStyledItemDelegate):
    """Paints the background of table rows; a subclass paints what is in each cell."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.cells = Cells(theme)

    def paint_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        """Paint one cell inside its padding."""
        raise NotImplementedError

    def background(self, option: QStyleOptionViewItem, index: Index) -> str:
        """Colour token behind a cell, "" for none. "active" also gets a bar at the row's start."""
        if option.state.value & _SELECTED:
            return "active"
        view = option.widget
        return "hover" if isinstance(view, RowsView) and view.hovered == index.row() else ""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(40, self.theme.px(ROW_HEIGHT))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self.theme, self.theme.px
        whole: QRect = option.rect
        left, top, width, bottom = whole.left(), whole.top(), whole.width(), whole.bottom()
        height = min(whole.height(), px(ROW_HEIGHT))
        ground = self.background(option, index)
        if ground:
            painter.fillRect(left, top, width, height, theme.color(ground))
            if ground == "active" and index.column() == 0:
                painter.fillRect(left, top, 2, height, theme.color("accent"))
        painter.fillRect(left, bottom, width, 1, theme.color("border"))
        padding = px(8)
        area = QRect(left + padding, top, width - 2 * padding, height - 1)
        self.paint_cell(painter, area, index)


class RowsView(QTableView):
    """A table of whole rows of one height, which knows the row under the pointer.

    ``name`` is its object name; ``spoken`` what a screen reader calls it.
    """

    hovered = -1

    def __init__(self, theme: Theme, name: str, spoken: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName(name)
        self.setAccessibleName(spoken)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # never asks each row for its size
        self._fit_rows()
        theme.changed.connect(self._fit_rows)

    def _fit_rows(self) -> None:
        height = self._theme.px(ROW_HEIGHT)
        self.verticalHeader().setMinimumSectionSize(height)
        self.verticalHeader().setDefaultSectionSize(height)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.rowAt(event.position().toPoint().y()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event)
        self._hover(self.rowAt(event.position().toPoint().y()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row == self.hovered:
            return
        for one in (self.hovered, row):
            if one >= 0:
                top, height = self.rowViewportPosition(one), self.rowHeight(one)
                self.viewport().update(0, top, self.viewport().width(), height)
        self.hovered = row
