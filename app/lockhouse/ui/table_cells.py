"""What the rows of the large tables are painted with: icons, words, and which row is pointed at.

A frame of such a table has some 150 cells. Hides that their words are laid out once and kept, so
that as little as possible is asked of Qt for each.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QFont, QFontMetrics, QMouseEvent, QPainter, QStaticText, QWheelEvent
from PySide6.QtWidgets import QTableView

from lockhouse.ui.theme import Theme

ROW_HEIGHT = 36
_KEPT_TEXTS = 6000

Shorten = Callable[[str, QFontMetrics, int], str]


class Cells:
    """Paints into the cells of one table."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._texts: dict[tuple[object, ...], tuple[QStaticText, int, int]] = {}
        self._fonts: dict[int, QFont] = {}

    def forget(self) -> None:
        """Other colours or another zoom: everything is laid out anew."""
        self._texts.clear()
        self._fonts.clear()

    def icon(self, painter: QPainter, area: QRect, name: str, ink: str, *, indent: int = 0) -> None:
        """In the middle of the height, ``indent`` from the left."""
        side = self._theme.px(14)
        top = area.top() + (area.height() - side) // 2
        pixmap = self._theme.pixmap(name, 14, ink, ratio=painter.device().devicePixelRatio())
        painter.drawPixmap(area.left() + indent, top, pixmap)

    def words(
        self,
        painter: QPainter,
        area: QRect,
        shown: str,
        ink: str,
        *,
        weight: int = 400,
        indent: int = 0,
        cut: int = 0,
        is_right: bool = False,
        shorten: Shorten | None = None,
    ) -> int:
        """How wide the words came out. ``indent`` and ``cut`` take room at either side."""
        room = area.width() - indent - cut
        text, wide, high = self._laid_out(shown, weight, room, shorten or _at_the_end)
        left = area.left() + indent + (room - wide if is_right else 0)
        painter.setFont(self._font(weight))
        painter.setPen(self._theme.color(ink))
        painter.drawStaticText(left, area.top() + (area.height() - high) // 2, text)
        return wide

    def _laid_out(
        self, shown: str, weight: int, room: int, shorten: Shorten
    ) -> tuple[QStaticText, int, int]:
        key = (shown, weight, room, shorten)
        found = self._texts.get(key)
        if found is None:
            if len(self._texts) > _KEPT_TEXTS:
                self._texts.clear()
            font = self._font(weight)
            metrics = QFontMetrics(font)
            if metrics.horizontalAdvance(shown) > room:
                shown = shorten(shown, metrics, room)
            text = QStaticText(shown)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=font)
            found = (text, metrics.horizontalAdvance(shown), metrics.height())
            self._texts[key] = found
        return found

    def _font(self, weight: int) -> QFont:
        font = self._fonts.get(weight)
        if font is None:
            font = self._fonts[weight] = self._theme.font("body", weight=weight, tabular=True)
        return font


def _at_the_end(shown: str, metrics: QFontMetrics, room: int) -> str:
    return metrics.elidedText(shown, Qt.TextElideMode.ElideRight, room)


class RowsView(QTableView):
    """Knows which row is pointed at; Qt itself knows only of cells."""

    hovered = -1

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
