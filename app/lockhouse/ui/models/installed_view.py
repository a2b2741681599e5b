"""The tab On this machine: filter, table, and how full the disks are."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelection, QItemSelectionModel, QObject, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent
from PySide6.QtWidgets import QStackedWidget, QToolTip, QVBoxLayout, QWidget

from lockhouse.ui.models import model_text
from lockhouse.ui.models.controller import Freeing, InstalledModels
from lockhouse.ui.models.empty_state import EmptyState
from lockhouse.ui.models.filter_bar import DiskRow, FilterBar, SelectionBar
from lockhouse.ui.models.model_table import FIT, NAME, ROW, VERIFIED, Filter, ModelTable
from lockhouse.ui.models.table_view import ModelTableView
from lockhouse.ui.theme import Theme


class InstalledView(QWidget):
    """All models of this machine, and which of them are selected."""

    chosen = Signal(object)  # ModelInfo: selected, or opened by Enter or a double click
    several_chosen = Signal(object)  # tuple[str, ...], names
    remove_wanted = Signal(object)  # tuple[str, ...], names
    import_wanted = Signal()
    folders_wanted = Signal()
    discover_wanted = Signal()
    explain_wanted = Signal(object)  # ModelInfo: the numbers behind its fit

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
            (("import", "Import…"), ("discover", "Discover")),
        )
        self._no_match = EmptyState(
            theme,
            "search",
            "No model matches",
            "Try fewer words, or clear the filter.",
            (("clear", "Clear filter"),),
        )
        self._stack = QStackedWidget()
        for widget in (self.view, self._nothing, self._no_match):
            self._stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.filter_bar)
        column.addWidget(self._stack, 1)
        column.addWidget(self.selection_bar)
        column.addWidget(self.disks)
        self._wire()

    def _wire(self) -> None:
        self.filter_bar.changed.connect(self._filter)
        self.filter_bar.import_wanted.connect(self.import_wanted)
        self.filter_bar.folders_wanted.connect(self.folders_wanted)
        self._nothing.chosen.connect(
            lambda key: (self.import_wanted if key == "import" else self.discover_wanted).emit()
        )
        self._no_match.chosen.connect(lambda _: self.filter_bar.clear())
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
