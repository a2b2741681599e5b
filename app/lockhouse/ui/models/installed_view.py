"""The tab On this machine: filter, table, and how full the disks are."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QObject,
    QPointF,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QHelpEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QToolTip, QWidget

from lockhouse.ui.frame_parts import EmptyState
from lockhouse.ui.layouts import LEFT, RIGHT, column, stack
from lockhouse.ui.models import model_text
from lockhouse.ui.models.bars import DiskRow, FilterBar, SelectionBar
from lockhouse.ui.models.controller import Freeing, InstalledModels
from lockhouse.ui.models.model_table import (
    FAMILY,
    FIT,
    FOLDER,
    NAME,
    QUANTIZATION,
    ROW,
    SIZE,
    USED,
    VERIFIED,
    Filter,
    ModelTable,
    Row,
)
from lockhouse.ui.table_cells import Index, RowDelegate, RowsView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.pills import paint_pill

_WIDTHS = {
    FAMILY: 84,
    SIZE: 76,
    QUANTIZATION: 132,
    FIT: 118,
    FOLDER: 108,
    USED: 86,
    VERIFIED: 98,
}
# Hidden one after the other where there is no room.
_HIDDEN_BELOW = ((VERIFIED, 880), (USED, 776), (FAMILY, 684), (FOLDER, 600))
_HEADER_HEIGHT = 28


class InstalledView(QWidget):
    """All models of this machine, and which of them are selected."""

    chosen = Signal(object)  # ModelInfo: selected, or opened by Enter or a double click
    several_chosen = Signal(object)  # tuple[str, ...], names
    remove_wanted = Signal(object)  # tuple[str, ...], names
    import_wanted = Signal()
    discover_wanted = Signal()
    explain_wanted = Signal(object)  # ModelInfo: the numbers behind its fit

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._restoring = False
        self._selected: tuple[str, ...] = ()
        self._current = ""
        self.setObjectName("installed_view")
        self.table = ModelTable(self)
        self.filter_bar = FilterBar(theme)
        self.disks = DiskRow(theme)
        self.selection_bar = SelectionBar(theme)
        self.selection_bar.hide()
        self.view = ModelTableView(theme, self.table)
        self._nothing = EmptyState(
            theme,
            "boxes",
            "No models yet",
            "Import a GGUF file, drop one on this window, or search under Discover.",
            (
                ("import", "Import…", self.import_wanted),
                ("discover", "Discover", self.discover_wanted),
            ),
        )
        self._no_match = EmptyState(
            theme,
            "search",
            "No model matches",
            "Try fewer words, or clear the filter.",
            (("clear", "Clear filter", self.filter_bar.clear),),
        )
        self._stack = stack(self.view, self._nothing, self._no_match)
        column(theme, self.filter_bar, (self._stack, 1), self.selection_bar, self.disks, on=self)
        self._wire()

    def _wire(self) -> None:
        self.filter_bar.changed.connect(self._filter)
        self.filter_bar.import_wanted.connect(self.import_wanted)
        self.table.modelAboutToBeReset.connect(self._remember_selection)
        self.table.modelReset.connect(self._restore_selection)
        self.view.selectionModel().selectionChanged.connect(self._tell_selection)
        self.view.activated.connect(lambda index: self.chosen.emit(index.data(ROW).model))
        self.view.installEventFilter(self)
        self.view.viewport().installEventFilter(self)
        self.selection_bar.remove_wanted.connect(lambda: self.remove_wanted.emit(self.names))
        self.selection_bar.clear_wanted.connect(self.view.clearSelection)

    # what it shows

    def show_installed(self, installed: InstalledModels) -> None:
        """Show these models."""
        self.table.set_rows(installed.rows)
        owners = sorted({model_text.folder_name(model) for model in installed.models})
        self.filter_bar.show_owners(owners)
        self.disks.show_disks(installed.disks)
        self._show_rows_or_reason()

    def show_freeing(self, freeing: Freeing) -> None:
        """What removing the selected models would free."""
        if set(freeing.names) == set(self.names):
            self.selection_bar.show_freeing(freeing)

    def show_reason(self, name: str, reason: str) -> None:
        """Show the numbers behind a fit, if the pointer still rests on it."""
        pointer = self.cursor().pos()
        index = self.view.indexAt(self.view.viewport().mapFromGlobal(pointer))
        if index.isValid() and index.column() == FIT and index.data(ROW).model.name == name:
            QToolTip.showText(pointer, reason, self.view.viewport())

    @property
    def names(self) -> tuple[str, ...]:
        """Which models are selected."""
        rows = self.view.selectionModel().selectedRows(NAME)
        return tuple(index.data(ROW).model.name for index in rows)

    def choose(self, name: str) -> None:
        """Select a model, when the filter shows it."""
        number = self.table.number_of(name)
        if number >= 0:
            self.view.selectRow(number)
            self.view.scrollTo(self.table.index(number, NAME))

    def _filter(self, wanted: Filter) -> None:
        self.table.set_filter(wanted)
        self._show_rows_or_reason()

    def _show_rows_or_reason(self) -> None:
        if self.table.rowCount():
            self._stack.setCurrentWidget(self.view)
        else:
            self._stack.setCurrentWidget(self._no_match if self.table.total else self._nothing)
        self.filter_bar.setVisible(self.table.total > 0)
        self.disks.setVisible(self.table.total > 0 and len(self.names) < 2)

    # selection

    def _remember_selection(self) -> None:
        self._selected = self.names
        index = self.view.currentIndex()
        self._current = index.data(ROW).model.name if index.isValid() else ""
        self._restoring = True

    def _restore_selection(self) -> None:
        """The same models stay selected after rows came, went or moved."""
        selection = QItemSelection()
        for name in self._selected:
            number = self.table.number_of(name)
            if number >= 0:
                selection.select(self.table.index(number, NAME), self.table.index(number, VERIFIED))
        model = self.view.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        current = self.table.number_of(self._current) if self._current else -1
        if current >= 0:
            model.setCurrentIndex(self.table.index(current, NAME), flags.NoUpdate)
        model.select(selection, flags.ClearAndSelect)
        self._restoring = False
        self._tell_selection()

    def _tell_selection(self, *_: object) -> None:
        if self._restoring:
            return
        rows = self.view.selectionModel().selectedRows(NAME)
        models = [index.data(ROW).model for index in rows]
        several = len(models) > 1
        self.selection_bar.setVisible(several)
        self.disks.setVisible(self.table.total > 0 and not several)
        if several:
            size_bytes = sum(model.size_bytes for model in models)
            self.selection_bar.show_selection(len(models), size_bytes)
            self.several_chosen.emit(tuple(model.name for model in models))
        elif models:
            self.chosen.emit(models[0])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and watched is self.view:
            pressed = event.type() == QEvent.Type.KeyPress
            if pressed and event.key() == Qt.Key.Key_Delete and self.names:
                self.remove_wanted.emit(self.names)
                return True
        elif isinstance(event, QHelpEvent) and watched is self.view.viewport():
            index = self.view.indexAt(event.pos())
            model = index.data(ROW).model if index.isValid() else None
            if model is not None and index.column() == FIT and model.state == "ready":
                self.explain_wanted.emit(model)
                return True
        return super().eventFilter(watched, event)


class _ModelDelegate(RowDelegate):
    def __init__(self, theme: Theme, table: ModelTable, parent: QObject) -> None:
        super().__init__(theme, parent)
        self._table = table

    def paint_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        """One cell of a model."""
        px, cells, kind = self.theme.px, self.cells, index.column()
        row = self._table.row(index.row())
        shown = self._table.cell_text(row, kind)
        if kind == NAME:
            self._paint_name(painter, area.adjusted(px(8), 0, 0, 0), row, shown)
        elif kind == FIT:
            top = area.top() + (area.height() - px(20)) // 2 + 1
            place = QPointF(area.left(), top)
            paint_pill(painter, self.theme, place, *model_text.model_pill(row.model))
        elif kind == QUANTIZATION:
            width = cells.text(painter, area, row.model.quality, "text-1") + px(4)
            cells.text(painter, area, row.model.quantization, "text-3", indent=width)
        elif kind == FOLDER:
            copies = len(row.model.places) - 1
            shown = f"{shown} +{copies}" if copies > 0 else shown
            cells.icon(painter, area, model_text.folder_icon(row.model), "text-3")
            cells.text(painter, area, shown, "text-2", indent=px(20))
        elif kind == USED and row.model.name in self._table.loaded:
            self._paint_loaded(painter, area, shown)
        elif kind == VERIFIED:
            self._paint_verified(painter, area, row, shown)
        else:
            ink = "text-1" if kind == SIZE else "text-2"
            cells.text(painter, area, shown, ink, is_right=kind == SIZE)

    def _paint_name(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self.theme.px
        cut = px(20) if row.model.pinned else 0
        width = self.cells.text(painter, area, shown, "text-1", weight=500, cut=cut)
        if row.model.pinned:
            self.cells.icon(painter, area, "pin", "text-2", indent=width + px(6))

    def _paint_loaded(self, painter: QPainter, area: QRect, shown: str) -> None:
        theme, px = self.theme, self.theme.px
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent-text"))
        middle = area.top() + area.height() / 2 + 0.5
        painter.drawEllipse(QPointF(area.left() + px(3), middle), px(3), px(3))
        self.cells.text(painter, area, shown, "accent-text", indent=px(12))

    def _paint_verified(self, painter: QPainter, area: QRect, row: Row, shown: str) -> None:
        px = self.theme.px
        checking = row.model.name in self._table.checking
        icon, ink = ("loader-circle", "text-2") if checking else row.verified_icon
        self.cells.icon(painter, area, icon, ink)
        text_ink = "text-2" if ink == "success" else ink
        self.cells.text(painter, area, shown, text_ink, indent=px(18), cut=-px(6))


class _Header(QHeaderView):
    """Small column headings; the sorted one is darker and has an arrow."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setObjectName("models_head")
        self.setAccessibleName("Columns")
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        self.setSortIndicatorShown(True)
        self.setMinimumSectionSize(theme.px(48))

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        theme, px = self._theme, self._theme.px
        painter.save()
        painter.fillRect(rect, theme.color("bg-2"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border-strong"))
        is_sorted = self.sortIndicatorSection() == logical
        painter.setFont(theme.font("caption", weight=500))
        painter.setPen(theme.color("text-1" if is_sorted else "text-3"))
        area = rect.adjusted(px(16 if logical == NAME else 8), 0, -px(8), -1)
        shown = str(self.model().headerData(logical, self.orientation()))
        side = RIGHT if logical == SIZE else LEFT
        if is_sorted and side == RIGHT:
            area.adjust(0, 0, -px(16), 0)
        painter.drawText(area, side, shown)
        if is_sorted:
            ascending = self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
            width = QFontMetrics(painter.font()).horizontalAdvance(shown)
            left = area.left() + width if side == LEFT else area.right()
            ratio = painter.device().devicePixelRatio()
            icon = "arrow-up" if ascending else "arrow-down"
            pixmap = theme.pixmap(icon, 12, "text-1", ratio=ratio)
            painter.drawPixmap(left + px(4), rect.top() + (rect.height() - px(12)) // 2, pixmap)
        painter.restore()


class ModelTableView(RowsView):
    """The table. Its background is opaque, so that scrolling moves what is painted already."""

    def __init__(self, theme: Theme, table: ModelTable) -> None:
        super().__init__(theme, "models_table", "Models on this machine")
        self.setModel(table)
        self.setItemDelegate(_ModelDelegate(theme, table, self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        header = _Header(theme, self)
        self.setHorizontalHeader(header)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(USED, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
        self._fit_columns()
        theme.changed.connect(self._fit_columns)

    def _fit_columns(self) -> None:
        px, header = self._theme.px, self.horizontalHeader()
        header.setFixedHeight(px(_HEADER_HEIGHT))
        for number, width in _WIDTHS.items():
            header.setSectionResizeMode(number, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(number, px(width))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width = self.width() / self._theme.scale
        for number, least in _HIDDEN_BELOW:
            self.setColumnHidden(number, width < least)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), self._theme.color("bg-2"))
        painter.end()
        super().paintEvent(event)
