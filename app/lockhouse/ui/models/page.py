"""The Models page: filter, table, import, and the panel of the chosen model."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from lockhouse.core.errors import LockhouseError
from lockhouse.library.model_info import ImportOutcome, ModelInfo
from lockhouse.ui import wording
from lockhouse.ui.machine import MachineState
from lockhouse.ui.models.controller import ModelsController, Shelf
from lockhouse.ui.models.details import ModelDetails
from lockhouse.ui.models.table import (
    FAMILY,
    FIT,
    FOLDER,
    MODEL,
    NAME,
    QUANTIZATION,
    SIZE,
    VERIFIED,
    ModelDelegate,
    ModelFilter,
    ModelTable,
)
from lockhouse.ui.parts import label, push_button
from lockhouse.ui.surfaces import BannerStack
from lockhouse.ui.theme import Theme
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.ui.toast import Toast

_WIDTHS = {
    FAMILY: 88,
    SIZE: 84,
    QUANTIZATION: 144,
    FIT: 124,
    FOLDER: 112,
    VERIFIED: 88,
}
# Dropped one after the other where there is no room.
_DROPPED_BELOW = ((VERIFIED, 760), (FAMILY, 660), (FOLDER, 560))


class ModelsPage(QWidget):
    """Everything about the models of this machine."""

    chat_wanted = Signal(str)
    unload_wanted = Signal(str)
    import_wanted = Signal()

    def __init__(
        self, controller: ModelsController, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._theme = theme
        self._loaded: dict[str, int] = {}
        self._contexts: dict[str, int] = {}
        self.setObjectName("models_page")
        self._table = ModelTable(self)
        self._filter = ModelFilter(self)
        self._filter.setSourceModel(self._table)
        self.details = ModelDetails(theme)
        self.banners = BannerStack(theme)
        self._make_view()
        self._lay_out()
        self.toast = Toast(theme, self)
        controller.listed.connect(self.show_shelf)
        controller.imported.connect(self._show_imported)
        controller.measured.connect(self.details.show_need)
        controller.verified.connect(self._show_verified)
        controller.failed.connect(self.show_error)
        self.details.closed.connect(lambda: self.columns.show_details(shown=False))
        self.details.chat_wanted.connect(self.chat_wanted)
        self.details.unload_wanted.connect(self.unload_wanted)
        self.details.verify_wanted.connect(self._verify)
        self.details.forget_wanted.connect(controller.forget)
        self.details.copied.connect(self.toast.say)

    def _make_view(self) -> None:
        theme, px = self._theme, self._theme.px
        view = QTableView()
        view.setObjectName("models_table")
        view.setAccessibleName("Models on this machine")
        view.setModel(self._filter)
        view.setItemDelegate(ModelDelegate(theme, self))
        view.setShowGrid(False)
        view.setSortingEnabled(True)
        view.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
        view.setWordWrap(False)
        view.setMouseTracking(True)
        view.setTabKeyNavigation(False)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(px(36))
        head = view.horizontalHeader()
        head.setObjectName("models_head")
        head.setHighlightSections(False)
        head.setMinimumSectionSize(px(48))
        head.setStyleSheet(f"QHeaderView::section:first {{ padding-left: {px(16)}px; }}")
        head.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in _WIDTHS.items():
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            view.setColumnWidth(column, px(width))
        view.selectionModel().currentRowChanged.connect(self._chosen)
        view.activated.connect(self._chosen)
        view.clicked.connect(self._chosen)
        self._view = view

    def _lay_out(self) -> None:
        px = self._theme.px
        top = self._make_top()
        self._nothing = label(
            "No models on this machine yet. Import a GGUF file, or drop one on this window.",
            ink="3",
            wrap=True,
        )
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._view)
        self._stack.addWidget(self._nothing)
        self._total = label("", role="caption", ink="3", name="models_total")
        self._total.setContentsMargins(px(16), px(8), px(16), px(8))
        work = QWidget()
        column = QVBoxLayout(work)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QWidget()
        head.setFixedHeight(px(48))
        row = QHBoxLayout(head)
        row.setContentsMargins(px(16), 0, px(16), 0)
        row.addWidget(label("Models on this machine", role="page-title"))
        column.addWidget(head)
        column.addWidget(self.banners)
        column.addLayout(top)
        column.addWidget(self._stack, 1)
        column.addWidget(self._total)
        nothing = QWidget()  # this page has no list at its left
        nothing.setMaximumWidth(0)
        self.columns = ThreeColumns(self._theme, nothing, work, self.details)
        self.columns.restore({"list": False})
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.columns)
        self._work = work
        work.installEventFilter(self)

    def _make_top(self) -> QHBoxLayout:
        """The filter, and the way to bring in another model."""
        px = self._theme.px
        self._words = QLineEdit()
        self._words.setObjectName("models_filter")
        self._words.setAccessibleName("Filter models")
        self._words.setPlaceholderText("Filter by name, family, folder…")
        self._words.setMaximumWidth(px(280))
        self._words.addAction(
            self._theme.icon("search", 16, "text-3"), QLineEdit.ActionPosition.LeadingPosition
        )
        self._words.textChanged.connect(self._filter.set_words)
        bring = push_button(self._theme, "Import…", name="models_import", icon="file-input")
        bring.clicked.connect(self.import_wanted)
        top = QHBoxLayout()
        top.setContentsMargins(px(16), px(12), px(16), px(8))
        top.setSpacing(px(8))
        top.addWidget(self._words, 1)
        top.addStretch(1)
        top.addWidget(bring)
        return top

    def show_machine(self, state: MachineState) -> None:
        """Which models are loaded."""
        self._loaded = {one.model_name: one.memory_bytes for one in state.engines}
        self._contexts = {one.model_name: one.context_length for one in state.engines}
        model = self._current()
        if model is not None:
            self.details.show_model(model, self._loaded.get(model.name, 0))

    def show_error(self, error: LockhouseError) -> None:
        """What went wrong."""
        self.banners.say(error.message, error.hint)

    def show_shelf(self, shelf: Shelf) -> None:
        """The models of this machine."""
        chosen = self._current()
        self._table.show(shelf.models)
        self._stack.setCurrentIndex(0 if shelf.models else 1)
        total = sum(model.size_bytes for model in shelf.models)
        count = wording.counted(len(shelf.models), "model")
        self._total.setText(f"{count}, {wording.size(total)}" if shelf.models else "")
        if chosen is not None:
            for row in range(self._filter.rowCount()):
                index = self._filter.index(row, NAME)
                if index.data(MODEL).name == chosen.name:
                    self._view.setCurrentIndex(index)
                    return
            self.columns.show_details(shown=False)

    def _show_imported(self, outcomes: tuple[ImportOutcome, ...]) -> None:
        good = [one for one in outcomes if one.action != "refused"]
        for one in outcomes:
            if one.action == "refused":
                self.banners.say(one.message, one.hint)
        if good:
            names = ", ".join(one.model.title for one in good if one.model)
            fresh = any(one.action != "already there" for one in good)
            self.toast.say(f"Imported {names}" if fresh else f"{names} is here already")

    def _show_verified(self, name: str, unchanged: bool) -> None:  # noqa: FBT001 - a Qt slot
        if unchanged:
            self.toast.say(f"{name}: the file is unchanged")
        else:
            self.banners.say(
                f"{name} is not the file it was: its content has changed.", tone="warning"
            )

    def _verify(self, name: str) -> None:
        self.toast.say("Reading the whole file…")
        self._controller.verify(name)

    def _current(self) -> ModelInfo | None:
        index = self._view.currentIndex()
        return index.data(MODEL) if index.isValid() else None

    def _chosen(self, index: QModelIndex, _before: QModelIndex | None = None) -> None:
        model: ModelInfo | None = index.data(MODEL) if index.isValid() else None
        if model is None:
            return
        self.details.show_model(model, self._loaded.get(model.name, 0))
        if model.state in ("ready", "changed"):
            self._controller.measure(model, self._contexts.get(model.name, 0))
        self.columns.show_details(shown=True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._work and event.type() == QEvent.Type.Resize:
            self._drop_columns()
        return super().eventFilter(watched, event)

    def _drop_columns(self) -> None:
        width = self._work.width() / self._theme.scale
        for column, least in _DROPPED_BELOW:
            self._view.setColumnHidden(column, width < least)
