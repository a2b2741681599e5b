"""The tab On this machine: filter, table, use of the disks."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    Qt,
    Signal,
)
from PySide6.QtGui import QHelpEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStackedWidget,
    QTableView,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from lockhouse.library.model_info import ModelInfo
from lockhouse.ui.models import words
from lockhouse.ui.models.delegate import ModelDelegate, ModelView, TableHead
from lockhouse.ui.models.empty import EmptyState
from lockhouse.ui.models.filter_bar import ChosenBar, DiskRow, FilterBar
from lockhouse.ui.models.table import (
    FAMILY,
    FIT,
    FOLDER,
    NAME,
    QUANTIZATION,
    ROW,
    SIZE,
    USED,
    VERIFIED,
    ModelTable,
    Row,
)
from lockhouse.ui.models.values import Freeing, Shelf
from lockhouse.ui.table_cells import ROW_HEIGHT
from lockhouse.ui.theme import Theme

_WIDTHS = {
    FAMILY: 84,
    SIZE: 76,
    QUANTIZATION: 132,
    FIT: 118,
    FOLDER: 108,
    USED: 86,
    VERIFIED: 98,
}
# Dropped one after the other where there is no room.
_DROPPED_BELOW = ((VERIFIED, 880), (USED, 776), (FAMILY, 684), (FOLDER, 600))


class InstalledView(QWidget):
    """Everything that is here, and what is chosen of it."""

    chosen = Signal(object)  # ModelInfo
    several_chosen = Signal(object)  # tuple[str, ...], names
    remove_wanted = Signal(object)  # tuple[str, ...]
    opened = Signal(object)  # ModelInfo: Enter or a double click
    import_wanted = Signal()
    folders_wanted = Signal()
    discover_wanted = Signal()
    explain_wanted = Signal(object)  # ModelInfo: the numbers behind its fit

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._restoring = False
        self._names: tuple[str, ...] = ()
        self.setObjectName("shelf_view")
        self.table = ModelTable(self)
        self.filter_bar = FilterBar(theme)
        self.disks = DiskRow(theme)
        self.chosen_bar = ChosenBar(theme)
        self.chosen_bar.hide()
        self.view = self._make_view()
        self._nothing = EmptyState(
            theme,
            "boxes",
            "No models on this machine yet",
            "Import a GGUF file, drop one on this window, or look for one under Discover.",
            (("import", "Import…"), ("discover", "Discover")),
        )
        self._none_found = EmptyState(
            theme,
            "search",
            "No model matches the filter",
            "Use fewer words, or another fit or folder.",
            (("clear", "Clear the filter"),),
        )
        self._lay_out()
        self._wire()

    def _make_view(self) -> QTableView:
        theme, px = self._theme, self._theme.px
        view = ModelView(theme)
        view.setObjectName("models_table")
        view.setAccessibleName("Models on this machine")
        view.setModel(self.table)
        self._delegate = ModelDelegate(theme, self.table, self)
        view.setItemDelegate(self._delegate)
        head = TableHead(theme)
        head.setObjectName("models_head")
        head.setAccessibleName("Columns")
        view.setHorizontalHeader(head)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setMouseTracking(True)
        view.setTabKeyNavigation(False)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows = view.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # never asks 2,000 rows for sizes
        rows.setMinimumSectionSize(px(ROW_HEIGHT))
        rows.setDefaultSectionSize(px(ROW_HEIGHT))
        head.setMinimumSectionSize(px(48))
        head.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        head.setSortIndicator(USED, Qt.SortOrder.DescendingOrder)
        view.setSortingEnabled(True)
        self._size_columns(view)
        return view

    def _size_columns(self, view: QTableView) -> None:
        for column, width in _WIDTHS.items():
            view.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            view.setColumnWidth(column, self._theme.px(width))

    def _lay_out(self) -> None:
        self._stack = QStackedWidget()
        for widget in (self.view, self._nothing, self._none_found):
            self._stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.filter_bar)
        column.addWidget(self._stack, 1)
        column.addWidget(self.chosen_bar)
        column.addWidget(self.disks)

    def _wire(self) -> None:
        self.filter_bar.changed.connect(self._filter)
        self.filter_bar.import_wanted.connect(self.import_wanted)
        self.filter_bar.folders_wanted.connect(self.folders_wanted)
        self._nothing.chosen.connect(
            lambda key: (self.import_wanted if key == "import" else self.discover_wanted).emit()
        )
        self._none_found.chosen.connect(lambda _: self.filter_bar.clear())
        self.table.modelAboutToBeReset.connect(self._remember)
        self.table.modelReset.connect(self._restore)
        self.view.selectionModel().selectionChanged.connect(self._tell_chosen)
        self.view.activated.connect(self._open)
        self.view.installEventFilter(self)
        self.view.viewport().installEventFilter(self)
        self.chosen_bar.remove_wanted.connect(lambda: self.remove_wanted.emit(self.names))
        self.chosen_bar.clear_wanted.connect(self.view.clearSelection)
        self._theme.changed.connect(self._rescale)

    # what it shows

    def show_shelf(self, shelf: Shelf) -> None:
        """The models of this machine."""
        self._delegate.set_now()
        self.table.show(shelf.rows)
        owners = sorted({words.folder_words(model) for model in shelf.models})
        self.filter_bar.show_owners(owners)
        self.disks.show_disks(shelf.disks)
        self._show_rows_or_why_none()

    def show_freeing(self, freeing: Freeing) -> None:
        """What a removal of the chosen ones would do."""
        if set(freeing.names) == set(self.names):
            self.chosen_bar.show_freeing(freeing)

    def show_reason(self, name: str, reason: str) -> None:
        """The numbers behind a fit, where the pointer still rests on it."""
        place = self.view.viewport().mapFromGlobal(self.cursor().pos())
        index = self.view.indexAt(place)
        if index.isValid() and index.column() == FIT and index.data(ROW).model.name == name:
            QToolTip.showText(self.cursor().pos(), reason, self.view.viewport())

    @property
    def names(self) -> tuple[str, ...]:
        """Which models are chosen."""
        rows = self.view.selectionModel().selectedRows(NAME)
        return tuple(self.table.row(index.row()).model.name for index in rows)

    def choose(self, name: str) -> None:
        """Choose a model, when the filter shows it."""
        number = self.table.number_of(name)
        if number >= 0:
            self.view.selectRow(number)
            self.view.scrollTo(self.table.index(number, NAME))

    # following

    def _filter(self, wanted: object) -> None:
        self.table.set_wanted(wanted)  # type: ignore[arg-type] # a Wanted, through a signal
        self._show_rows_or_why_none()

    def _show_rows_or_why_none(self) -> None:
        if self.table.rowCount():
            self._stack.setCurrentWidget(self.view)
        else:
            self._stack.setCurrentWidget(self._none_found if self.table.total else self._nothing)
        self.filter_bar.setVisible(self.table.total > 0)
        self.disks.setVisible(self.table.total > 0 and len(self.names) < 2)

    def _remember(self) -> None:
        self._names = self.names
        index = self.view.currentIndex()
        self._current = self.table.row(index.row()).model.name if index.isValid() else ""
        self._restoring = True

    def _restore(self) -> None:
        """The same models are chosen after rows came, went or moved."""
        selection = QItemSelection()
        for name in self._names:
            number = self.table.number_of(name)
            if number >= 0:
                selection.select(self.table.index(number, NAME), self.table.index(number, VERIFIED))
        chooser = self.view.selectionModel()
        kind = QItemSelectionModel.SelectionFlag
        current = self.table.number_of(self._current) if self._current else -1
        if current >= 0:
            chooser.setCurrentIndex(self.table.index(current, NAME), kind.NoUpdate)
        chooser.select(selection, kind.ClearAndSelect)
        self._restoring = False
        self._tell_chosen()

    def _tell_chosen(self, *_: object) -> None:
        if self._restoring:
            return
        rows = self._chosen_rows()
        several = len(rows) > 1
        self.chosen_bar.setVisible(several)
        self.disks.setVisible(self.table.total > 0 and not several)
        if several:
            self.chosen_bar.show_chosen(len(rows), sum(row.model.size_bytes for row in rows))
            self.several_chosen.emit(tuple(row.model.name for row in rows))
        elif rows:
            self.chosen.emit(rows[0].model)

    def _chosen_rows(self) -> Sequence[Row]:
        found = self.view.selectionModel().selectedRows(NAME)
        return [self.table.row(index.row()) for index in found]

    def _open(self, index: QModelIndex) -> None:
        model: ModelInfo = self.table.row(index.row()).model
        self.opened.emit(model)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.view and event.type() == QEvent.Type.Resize:
            self._drop_columns()
        elif watched is self.view and isinstance(event, QKeyEvent) and self._key(event):
            return True
        elif isinstance(event, QHelpEvent) and watched is self.view.viewport():
            index = self.view.indexAt(event.pos())
            model = index.data(ROW).model if index.isValid() else None
            if model is not None and index.column() == FIT and model.state == "ready":
                self.explain_wanted.emit(model)
                return True
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress:
            return False
        if event.key() == Qt.Key.Key_Delete and self.names:
            self.remove_wanted.emit(self.names)
            return True
        return False

    def _drop_columns(self) -> None:
        width = self.view.width() / self._theme.scale
        for column, least in _DROPPED_BELOW:
            self.view.setColumnHidden(column, width < least)

    def _rescale(self) -> None:
        self.view.verticalHeader().setMinimumSectionSize(self._theme.px(ROW_HEIGHT))
        self.view.verticalHeader().setDefaultSectionSize(self._theme.px(ROW_HEIGHT))
        self._size_columns(self.view)
