"""The list of search results: rows of 80 px, painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.models import words
from lockhouse.ui.models.discover_values import Entry
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import paint_pill, pill_width

ENTRY = Qt.ItemDataRole.UserRole + 1
_ROW = 80
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def count_words(count: int) -> str:
    """412, 97k, 1.2M."""
    if count < 1000:
        return str(count)
    if count < 999_500:
        return f"{count / 1000:.0f}k"
    return f"{count / 1e6:.1f}M"


class Results(QAbstractListModel):
    """The entries that were found, and how far those are that are being fetched."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Entry, ...] = ()
        self.fetching: dict[str, float] = {}

    def show(self, entries: Sequence[Entry]) -> None:
        """Other entries."""
        self.beginResetModel()
        self.entries = tuple(entries)
        self.endResetModel()

    def set_fetching(self, fetching: Mapping[str, float]) -> None:
        """Which repositories are being fetched, and how far."""
        if dict(fetching) != self.fetching and self.entries:
            self.fetching = dict(fetching)
            self.dataChanged.emit(self.index(0), self.index(len(self.entries) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if role == ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            fit = words.fit_pill(entry.fit)[0] if entry.fit else ""
            parts = (entry.title, entry.author, fit, entry.about, entry.licence)
            return ", ".join(part for part in parts if part)
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.repo
        return None


class _ResultDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, model: Results, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(120, self._theme.px(_ROW))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        theme, px = self._theme, self._theme.px
        entry: Entry = index.data(ENTRY)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = option.state & QStyle.StateFlag.State_Selected
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if selected else "hover"))
            painter.drawRoundedRect(QRectF(rect), px(6), px(6))
        area = rect.adjusted(px(12), px(8), -px(8), -px(8))
        room = area.width()
        if entry.fit:
            pill = words.fit_pill(entry.fit)
            wide = pill_width(theme, pill[0], pill[1])
            place = QPointF(area.right() + 1 - wide, area.top() + px(2))
            paint_pill(painter, theme, place, *pill)
            room -= round(wide) + px(8)
        line = QRect(area.left(), area.top(), room, px(22))
        self._text(painter, line, entry.title, "reading", "text-1", weight=500)
        line = QRect(area.left(), area.top() + px(24), area.width(), px(20))
        self._text(painter, line, entry.about or entry.repo, "body", "text-2")
        self._paint_foot(painter, area, entry)
        painter.restore()

    def _paint_foot(self, painter: QPainter, area: QRect, entry: Entry) -> None:
        theme, px = self._theme, self._theme.px
        ratio = painter.device().devicePixelRatio()
        line = QRect(area.left(), area.top() + px(45), area.width(), px(18))
        right = self._paint_state(painter, line, entry)
        left = line.left()
        for shown, icon in (
            (entry.author, ""),
            (entry.licence, ""),
            (count_words(entry.downloads) if entry.downloads else "", "download"),
            ("Asks first" if entry.gated else "", "lock"),
        ):
            if not shown or left > right - px(24):
                continue
            if icon:
                drawn = theme.pixmap(icon, 12, "text-3", ratio=ratio)
                painter.drawPixmap(left, line.top() + px(3), drawn)
                left += px(16)
            place = QRect(left, line.top(), max(0, right - left), line.height())
            left += self._text(painter, place, shown, "caption", "text-3") + px(12)

    def _paint_state(self, painter: QPainter, line: QRect, entry: Entry) -> int:
        """Whether it is here or on its way; returns where the rest of the line has to end."""
        theme, px = self._theme, self._theme.px
        share = self._model.fetching.get(entry.repo)
        if share is None and not entry.here:
            return line.right()
        shown = "Here" if share is None else formatting.percent(share)
        icon, ink = ("check", "text-2") if share is None else ("download", "accent-text")
        painter.setFont(theme.font("caption", weight=400, tabular=True))
        wide = QFontMetrics(painter.font()).horizontalAdvance(shown)
        left = line.right() + 1 - wide
        ratio = painter.device().devicePixelRatio()
        drawn = theme.pixmap(icon, 12, ink, ratio=ratio)
        painter.drawPixmap(left - px(16), line.top() + px(3), drawn)
        painter.setPen(theme.color(ink))
        painter.drawText(QRect(left, line.top(), wide + 2, line.height()), _LEFT, shown)
        return left - px(24)

    def _text(
        self, painter: QPainter, area: QRect, shown: str, role: str, ink: str, *, weight: int = 400
    ) -> int:
        theme = self._theme
        painter.setFont(theme.font(role, weight=weight, tabular=True))  # type: ignore[arg-type]
        painter.setPen(theme.color(ink))
        metrics = QFontMetrics(painter.font())
        shown = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, _LEFT, shown)
        return metrics.horizontalAdvance(shown)


class ResultView(QListView):
    """The list itself."""

    def __init__(self, theme: Theme, model: Results, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("discover_results")
        self.setAccessibleName("Results")
        self.setModel(model)
        self.setItemDelegate(_ResultDelegate(theme, model, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContentsMargins(0, 0, 0, 0)
        self.setViewportMargins(theme.px(8), 0, theme.px(8), 0)
