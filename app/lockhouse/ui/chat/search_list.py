"""A search field above a list of lines: type, move with the arrows, choose with Enter.

Used by the search palette and by the list of models. Headings are lines too, but cannot be
chosen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QObject,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtCore import QModelIndex as ModelIndex
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from lockhouse.ui.chat.list_delegate import fitted_title
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.frame_parts import label, line_edit
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import PillTone, paint_pill, pill_width

LINE: Final = Qt.ItemDataRole.UserRole + 1
_MATCHES = re.compile("(\x02[^\x03]*\x03?)")


@dataclass(frozen=True, slots=True)
class SearchLine:
    """One line. Without an icon it is a heading.

    In ``detail``, which stands below the title, matches are enclosed in \\x02 and \\x03.
    ``action`` names what choosing the line does; ``pill`` is a short mark, read out as
    ``spoken_pill`` where that says more. ``value`` is for whoever fills the list.
    """

    title: str
    icon: str = ""
    detail: str = ""
    right: str = ""
    action: str = ""
    pill: str = ""
    spoken_pill: str = ""
    pill_icon: str = ""
    pill_tone: PillTone = "neutral"
    is_current: bool = False
    value: object = None

    @property
    def is_heading(self) -> bool:
        """It cannot be chosen."""
        return not self.icon

    @property
    def spoken(self) -> str:
        """The whole line for a screen reader, without the marks of matches."""
        detail = self.detail.replace("\x02", "").replace("\x03", "")
        current = "selected" if self.is_current else ""
        pill = self.spoken_pill or self.pill
        parts = (self.title, detail, self.right, pill, self.action.rstrip("…"), current)
        return ", ".join(part for part in parts if part)


class SearchLines(QAbstractListModel):
    """The lines as an item model."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: Sequence[SearchLine] = ()

    def show(self, lines: Sequence[SearchLine]) -> None:
        """Replace all lines."""
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    def rowCount(self, parent: Index = ModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.lines)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or self.lines[index.row()].is_heading:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        line = self.lines[index.row()]
        if role == LINE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.spoken
        return None


class SearchDelegate(QStyledItemDelegate):
    """Paints the lines: headings 28 px high, lines 36, lines with a detail 46."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        line: SearchLine = index.data(LINE)
        return QSize(200, self._theme.px(28 if line.is_heading else 46 if line.detail else 36))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self._theme, self._theme.px
        line: SearchLine = index.data(LINE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(0, 0, -px(4), 0)
        if line.is_heading:
            painter.setFont(theme.font("caption", weight=500))
            painter.setPen(theme.color("text-3"))
            area = box.adjusted(px(8), px(4), 0, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, line.title)
        else:
            self._paint_line(painter, option, box, line)
        painter.restore()

    def _paint_line(
        self, painter: QPainter, option: QStyleOptionViewItem, box: QRect, line: SearchLine
    ) -> None:
        theme, px = self._theme, self._theme.px
        chosen = option.state & QStyle.StateFlag.State_Selected
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if chosen else "hover"))
            painter.drawRoundedRect(QRectF(box), px(6), px(6))
        name, ink = ("check", "accent-text") if line.is_current else (line.icon, "text-2")
        icon = theme.pixmap(name, 16, ink, ratio=painter.device().devicePixelRatio())
        painter.drawPixmap(box.left() + px(10), box.center().y() - px(8) + 1, icon)
        right = self._paint_right(painter, box, line)
        area = QRect(box.left() + px(36), box.top(), right - box.left() - px(36), box.height())
        upper = QRect(area.left(), area.top() + px(4), area.width(), px(20))
        painter.setFont(theme.font("body", weight=500))
        painter.setPen(theme.color("text-2" if line.action and line.pill else "text-1"))
        title = fitted_title(line.title, painter.font(), area.width())
        painter.drawText(upper if line.detail else area, Qt.AlignmentFlag.AlignVCenter, title)
        if line.detail:
            lower = QRect(area.left(), area.top() + px(24), area.width(), px(17))
            self._paint_detail(painter, QRectF(lower), line.detail)

    def _paint_right(self, painter: QPainter, box: QRect, line: SearchLine) -> int:
        """Paint what stands at the right; return where the title has to end."""
        theme, px = self._theme, self._theme.px
        right = box.right() - px(8)
        if line.pill:
            right -= int(pill_width(theme, line.pill, line.pill_icon))
            at = QPointF(right, box.center().y() - px(10) + 1)
            paint_pill(painter, theme, at, line.pill, line.pill_icon, line.pill_tone)
            right -= px(10)
        for words, ink, weight in ((line.action, "accent-text", 500), (line.right, "text-3", 400)):
            if words:
                painter.setFont(theme.font("caption", weight=weight, tabular=True))
                painter.setPen(theme.color(ink))
                wide = int(QFontMetricsF(painter.font()).horizontalAdvance(words)) + 2
                area = QRect(right - wide, box.top(), wide, box.height())
                painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, words)
                right -= wide + px(10)
        return right

    def _paint_detail(self, painter: QPainter, area: QRectF, detail: str) -> None:
        theme = self._theme
        left = area.left()
        for part in filter(None, _MATCHES.split(detail)):
            is_match = part.startswith("\x02")
            painter.setFont(theme.font("caption", weight=600 if is_match else 400, tabular=True))
            metrics = QFontMetricsF(painter.font())
            room = area.right() - left
            if room < metrics.horizontalAdvance("…"):
                return
            words = metrics.elidedText(part.strip("\x02\x03"), Qt.TextElideMode.ElideRight, room)
            wide = metrics.horizontalAdvance(words)
            if is_match:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.color("selection"))
                mark = QRectF(left - 1, area.top() + 1, wide + 2, area.height() - 2)
                painter.drawRoundedRect(mark, 3, 3)
            painter.setPen(theme.color("text-1" if is_match else "text-3"))
            place = QRectF(left, area.top(), wide + 1, area.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)
            left += wide


class SearchDialog(QDialog):
    """A frameless dialog with a search field above a list; ``fill`` and ``choose`` are its user's.

    The keyboard focus stays in the field: Up, Down and Enter there act on the list.
    """

    def __init__(
        self,
        theme: Theme,
        parent: QWidget,
        name: str,
        *,
        prompt: str,
        listed: str,
        parts: str,
    ) -> None:
        """``prompt`` stands in the empty field, ``listed`` is what the list holds.

        ``parts`` begins the names of field, list and message.
        """
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self._theme = theme
        self.setObjectName(name)
        self.model = SearchLines(self)
        self.edit = line_edit(f"{parts}_search", prompt)
        self.edit.addAction(
            theme.icon("search", 16, "text-3"), QLineEdit.ActionPosition.LeadingPosition
        )
        self.edit.installEventFilter(self)
        self.edit.textChanged.connect(lambda _: self.fill())
        self.view = QListView()
        self.view.setObjectName(f"{parts}_list")
        self.view.setAccessibleName(listed)
        self.view.setModel(self.model)
        self.view.setItemDelegate(SearchDelegate(theme, self))
        self.view.setMouseTracking(True)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.clicked.connect(self._press)
        self.nothing = label("", ink="3", wrap=True, name=f"{parts}_nothing")
        self.setStyleSheet(
            f"QDialog#{name} {{ background: {theme.hex('surface')};"
            f" border: 1px solid {theme.hex('border-strong')}; }}"
        )

    def fill(self) -> None:
        """Show what matches the words in the field."""
        raise NotImplementedError

    def choose(self, line: SearchLine) -> None:
        """A line was chosen."""
        raise NotImplementedError

    def show_lines(
        self, lines: Sequence[SearchLine], nothing: str, *, current: int | None = None
    ) -> None:
        """Replace the lines; select line ``current``, by default the first that is no heading.

        ``nothing`` tells why there are none, or is empty.
        """
        self.model.show(lines)
        if current is None:
            self._move(1, start=-1)
        else:
            self.view.setCurrentIndex(self.model.index(current))
            self.view.scrollTo(self.model.index(current))
        self.nothing.setText(nothing)
        self.nothing.setVisible(bool(nothing))

    def _move(self, step: int, *, start: int | None = None) -> None:
        lines = self.model.lines
        row = self.view.currentIndex().row() if start is None else start
        for _ in lines:
            row = (row + step) % len(lines)
            if not lines[row].is_heading:
                self.view.setCurrentIndex(self.model.index(row))
                return

    def _press(self, index: ModelIndex) -> None:
        line: SearchLine | None = index.data(LINE) if index.isValid() else None
        if line is not None and not line.is_heading:
            self.choose(line)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self._move(1 if event.key() == Qt.Key.Key_Down else -1)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._press(self.view.currentIndex())
                return True
        return super().eventFilter(watched, event)
