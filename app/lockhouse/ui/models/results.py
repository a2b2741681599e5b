"""The list of models that were found on the hub, or that are suggested offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from lockhouse.ui import formatting
from lockhouse.ui.models import model_text
from lockhouse.ui.models.discover_controller import HubEntry
from lockhouse.ui.table_cells import Cells, Index
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import paint_pill, pill_width

ENTRY = Qt.ItemDataRole.UserRole + 1
_ROW = 80


def short_count(count: int) -> str:
    """412, 97k, 1.2M."""
    if count < 1000:
        return str(count)
    if count < 999_500:
        return f"{count / 1000:.0f}k"
    return f"{count / 1e6:.1f}M"


class Results(QStandardItemModel):
    """The entries, and the progress of those that are being downloaded."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[HubEntry, ...] = ()
        self.fetching: dict[str, float] = {}

    def show(self, entries: Sequence[HubEntry]) -> None:
        """Show these entries."""
        self.removeRows(0, self.rowCount())
        self.entries = tuple(entries)
        items = []
        for entry in entries:
            fit = model_text.fit_pill(entry.fit)[0] if entry.fit else ""
            parts = (entry.title, entry.author, fit, entry.about, entry.licence)
            item = QStandardItem(entry.title)
            item.setData(entry, ENTRY)
            item.setAccessibleText(", ".join(part for part in parts if part))
            item.setToolTip(entry.repo)
            items.append(item)
        self.invisibleRootItem().appendRows(items)

    def set_fetching(self, fetching: Mapping[str, float]) -> None:
        """Which repositories are being downloaded, and their progress."""
        if dict(fetching) != self.fetching and self.entries:
            self.fetching = dict(fetching)
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.entries) - 1, 0))


class _ResultDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, model: Results, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model
        self._cells = Cells(theme)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, self._theme.px(_ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self._theme, self._theme.px
        entry: HubEntry = index.data(ENTRY)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = option.state & QStyle.StateFlag.State_Selected
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if selected else "hover"))
            painter.drawRoundedRect(QRectF(rect), px(6), px(6))
        area = rect.adjusted(px(12), px(8), -px(8), -px(8))
        cut = 0
        if entry.fit:
            pill = model_text.fit_pill(entry.fit)
            width = pill_width(theme, pill[0], pill[1])
            place = QPointF(area.right() + 1 - width, area.top() + px(2))
            paint_pill(painter, theme, place, *pill)
            cut = round(width) + px(8)
        line = QRect(area.left(), area.top(), area.width(), px(22))
        text = self._cells.text
        text(painter, line, entry.title, "text-1", role="reading", weight=500, cut=cut)
        line = QRect(area.left(), area.top() + px(24), area.width(), px(20))
        text(painter, line, entry.about or entry.repo, "text-2")
        line = QRect(area.left(), area.top() + px(45), area.width(), px(18))
        self._paint_foot(painter, line, entry)
        painter.restore()

    def _paint_foot(self, painter: QPainter, line: QRect, entry: HubEntry) -> None:
        px, cells = self._theme.px, self._cells
        room = line.width() - self._paint_state(painter, line, entry)
        indent = 0
        for shown, icon in (
            (entry.author, ""),
            (entry.licence, ""),
            (short_count(entry.downloads) if entry.downloads else "", "download"),
            ("Gated" if entry.gated else "", "lock"),
        ):
            if not shown or indent > room - px(24):
                continue
            if icon:
                cells.icon(painter, line, icon, "text-3", indent=indent, size=12)
                indent += px(16)
            cut = line.width() - room
            indent += px(12) + cells.text(
                painter, line, shown, "text-3", role="caption", indent=indent, cut=cut
            )

    def _paint_state(self, painter: QPainter, line: QRect, entry: HubEntry) -> int:
        """Whether it is installed or being downloaded; returns the width that this takes."""
        px = self._theme.px
        share = self._model.fetching.get(entry.repo)
        if share is None and not entry.here:
            return 0
        shown = "Installed" if share is None else formatting.percent(share)
        icon, ink = ("check", "text-2") if share is None else ("download", "accent-text")
        width = self._cells.text(painter, line, shown, ink, role="caption", is_right=True)
        self._cells.icon(painter, line, icon, ink, indent=line.width() - width - px(16), size=12)
        return width + px(24)


class ResultView(QListView):
    """The list, with rows of 80 px."""

    def __init__(self, theme: Theme, model: Results) -> None:
        super().__init__()
        self.setObjectName("discover_results")
        self.setAccessibleName("Models")
        self.setModel(model)
        self.setItemDelegate(_ResultDelegate(theme, model, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContentsMargins(0, 0, 0, 0)
        self.setViewportMargins(theme.px(8), 0, theme.px(8), 0)
