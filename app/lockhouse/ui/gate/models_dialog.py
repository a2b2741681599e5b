"""The models of a provider: its own list, searched, with a tick for those that can be used."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QRegularExpression,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.providers import RemoteModel
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import SearchEdit, label
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.table_cells import Cells
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import BannerTone, paint_box

_ROLES = Qt.ItemDataRole
_NAME, _SEARCHED, _CONTEXT = _ROLES.UserRole, _ROLES.UserRole + 1, _ROLES.UserRole + 2


class _TickDelegate(QStyledItemDelegate):
    """A box with a tick, the name, and the context length."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._cells = Cells(theme)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, self._theme.px(32))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px, rect = self._theme, self._theme.px, option.rect
        state = QStyle.StateFlag
        if option.state & (state.State_Selected | state.State_MouseOver):
            is_current = bool(option.state & state.State_Selected)
            painter.fillRect(rect, theme.color("active" if is_current else "hover"))
        top = rect.top() + (rect.height() - px(16)) // 2
        ticked = Qt.CheckState(index.data(_ROLES.CheckStateRole)) == Qt.CheckState.Checked
        paint_box(painter, theme, rect.left() + px(8), top, ticked=ticked)
        area = rect.adjusted(px(34), 0, -px(8), 0)
        context = index.data(_CONTEXT)
        wide = self._cells.text(painter, area, context, "text-3", is_right=True)
        self._cells.text(
            painter, area, index.data(), "text-1", cut=wide + px(12), elide=_in_the_middle
        )


class ModelsDialog(FormDialog):
    """Ticks take effect at once."""

    read_wanted = Signal()
    key_wanted = Signal()
    change_wanted = Signal()
    chosen = Signal(str, bool)

    def __init__(
        self, theme: Theme, row: ProviderRow, view: NetworkView, parent: QWidget | None = None
    ) -> None:
        title = f"Models of {row.provider.title}"
        super().__init__(
            theme, "models_dialog", title, "Ticked models can be used in chats and for questions.",
            width=560, height=560, parent=parent,
        )  # fmt: skip
        self.name = row.provider.name
        self._row = row
        self._has_failed = self._was_asked = False
        self._listed = ""
        self._can_read = view.is_open and row.is_open(view.hosts)
        self._models = QStandardItemModel(self)
        self.shown = QSortFilterProxyModel(self)
        self.shown.setSourceModel(self._models)
        self.shown.setFilterRole(_SEARCHED)
        self._edit = SearchEdit(theme, "models_search", "Search the models", "Search models…")
        self._edit.textChanged.connect(self._search)
        self._list = QListView()
        self._list.setObjectName("provider_models")
        self._list.setAccessibleName(title)
        self._list.setModel(self.shown)
        self._list.setUniformItemSizes(True)
        self._list.setItemDelegate(_TickDelegate(theme, self))
        self._list.setMouseTracking(True)
        self._list.clicked.connect(self.toggle)
        self._list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._nothing = label("", ink="2", wrap=True, name="models_nothing")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._list)
        self._stack.addWidget(self._nothing)
        self._summary = label("", role="caption", ink="3", wrap=True, name="models_summary")
        self.content.addWidget(self._edit)
        self.content.addWidget(self._stack, 1)
        self.content.addWidget(self._summary)
        self._read = self.add_button(
            "Refresh list", self.ask, name="models_read", icon="refresh-cw", on_left=True
        )
        self._read.setEnabled(self._can_read)
        if not self._can_read:
            self._read.setToolTip("Network access is not allowed")
        self.add_button("Done", self.accept, name="models_done")

    @property
    def total(self) -> int:
        """How many models there are without the search."""
        return self._models.rowCount()

    @property
    def ticked(self) -> int:
        """How many are ticked."""
        items = (self._models.item(number) for number in range(self.total))
        return sum(item.checkState() == Qt.CheckState.Checked for item in items)

    def toggle(self, index: QModelIndex) -> None:
        """Tick a model, or take its tick away."""
        item = self._models.itemFromIndex(self.shown.mapToSource(index))
        is_chosen = item.checkState() != Qt.CheckState.Checked
        _tick(item, is_chosen=is_chosen)
        self.chosen.emit(item.data(_NAME), is_chosen)
        self._show_summary()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self._list.currentIndex()
        is_tick = event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return)
        if is_tick and self._list.hasFocus() and index.isValid():
            self.toggle(index)
        else:
            super().keyPressEvent(event)

    def ask(self) -> None:
        """Request the provider’s list."""
        self._was_asked = True
        self._has_failed = False
        self.clear_messages()
        self._read.setEnabled(False)
        self.show_busy()
        self.read_wanted.emit()

    def show_models(self, models: tuple[RemoteModel, ...]) -> None:
        """What is known of them."""
        self._show_end()
        self._models.clear()
        for model in models:
            self._models.appendRow(_item(model))
        listed = max((model.listed_at for model in models), default="")
        self._listed = "These are suggestions: the provider’s list is not loaded."
        if listed:
            self._listed = f"Refreshed {formatting.clock(listed, formatting.local_now())}."
        elif not self._was_asked and self._row.wants_key:
            self._offer_key(f"{self._row.provider.title} requires an API key.", tone="info")
        elif not self._was_asked and self._can_read:
            self.ask()
        self._show_summary()

    def show_failed(self, error: LockhouseError) -> None:
        """The list could not be read."""
        self._show_end()
        self._has_failed = True
        self._show_summary()
        if error.code == "unauthorized":
            self._offer_key(error.message)
        elif error.code in ("not_there", "redirected") and self._row.is_own:
            change = ("change", "Edit server…", self.change_wanted.emit)
            self.say(error.message, error.hint, actions=(change,))
        else:
            self.say(error.message, error.hint)

    def _offer_key(self, message: str, *, tone: BannerTone = "danger") -> None:
        words = "Replace key…" if self._row.may_have_key else "Set key…"
        self.say(message, tone=tone, actions=(("key", words, self.key_wanted.emit),))

    def _show_end(self) -> None:
        self._read.setEnabled(self._can_read)
        self.show_idle()

    def _search(self, text: str) -> None:
        words = (QRegularExpression.escape(word) for word in text.casefold().split())
        self.shown.setFilterRegularExpression("".join(f"(?=.*{word})" for word in words))
        self._show_summary()

    def _show_summary(self) -> None:
        some = self.shown.rowCount() > 0
        self._stack.setCurrentIndex(0 if some else 1)
        nothing = "No model matches." if self.total else self._nothing_words()
        self._nothing.setText(nothing)
        total = formatting.counted(self.total, "model")
        summary = f"{total}, {self.ticked} ticked. {self._listed}"
        self._summary.setText(summary if self.total else "")

    def _nothing_words(self) -> str:
        if self._has_failed:
            return "The models of this provider are not known."
        if self._was_asked:
            return "This provider lists no models."
        if self._can_read:
            return "The list was not requested yet."
        return "No models are known yet. Allow network access to this provider, then refresh."


def _in_the_middle(name: str, metrics: QFontMetrics, width: int) -> str:
    return metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width)


def _item(model: RemoteModel) -> QStandardItem:
    shown = model.called
    if model.title and model.title not in (model.name, model.called):
        shown = f"{model.called}  {model.title}"
    item = QStandardItem(shown)
    item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
    item.setData(model.name, _NAME)
    item.setData(f"{model.name} {model.title}".casefold(), _SEARCHED)
    context = f"{formatting.tokens(model.context_length)} context" if model.context_length else ""
    item.setData(context, _CONTEXT)
    own_name = model.name if model.short else ""
    tip = (part for part in (own_name, ", ".join(model.capabilities)) if part)
    item.setToolTip("\n".join(tip))
    _tick(item, is_chosen=model.is_chosen)
    return item


def _tick(item: QStandardItem, *, is_chosen: bool) -> None:
    item.setCheckState(Qt.CheckState.Checked if is_chosen else Qt.CheckState.Unchecked)
    item.setAccessibleText(f"{item.text()}, {'ticked' if is_chosen else 'not ticked'}")
