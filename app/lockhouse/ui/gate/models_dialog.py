"""The models of a provider: read from its own list, searched, and ticked as targets."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.providers import RemoteModel
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.error_views import BannerStack
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.gate import words
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.models.search_edit import SearchEdit
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Spinner, paint_box

MODEL = Qt.ItemDataRole.UserRole + 1


class _Models(QAbstractListModel):
    """Those that the search takes, with a tick each."""

    ticked = Signal(str, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[RemoteModel, ...] = ()
        self._shown: list[RemoteModel] = []
        self._words: tuple[str, ...] = ()

    def show(self, models: Sequence[RemoteModel]) -> None:
        """Another list."""
        self._all = tuple(models)
        self._renew()

    def search(self, text: str) -> None:
        """Only those whose name holds every word."""
        self._words = tuple(text.casefold().split())
        self._renew()

    @property
    def total(self) -> int:
        """How many there are without the search."""
        return len(self._all)

    @property
    def chosen(self) -> int:
        """How many are ticked."""
        return sum(1 for model in self._all if model.is_chosen)

    def _renew(self) -> None:
        self.beginResetModel()
        self._shown = [
            model
            for model in self._all
            if all(word in f"{model.name} {model.title}".casefold() for word in self._words)
        ]
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._shown)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        model = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return _name(model)
        if role == MODEL:
            return model
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if model.is_chosen else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{_name(model)}, {'chosen' if model.is_chosen else 'not chosen'}"
        if role == Qt.ItemDataRole.ToolTipRole:
            own_name = model.name if model.short else ""
            return "\n".join(part for part in (own_name, ", ".join(model.capabilities)) if part)
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        model = self._shown[index.row()]
        is_chosen = not model.is_chosen
        changed = msgspec.structs.replace(model, is_chosen=is_chosen)
        self._shown[index.row()] = changed
        self._all = tuple(changed if one is model else one for one in self._all)
        self.dataChanged.emit(index, index)
        self.ticked.emit(model.name, is_chosen)
        return True


class _Ticks(QStyledItemDelegate):
    """A box with a tick, the name, and what is known of it."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, self._theme.px(32))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self._theme, self._theme.px
        rect: QRect = option.rect
        chosen = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
        state = QStyle.StateFlag
        if option.state & (state.State_Selected | state.State_MouseOver):
            is_here = bool(option.state & state.State_Selected)
            painter.fillRect(rect, theme.color("active" if is_here else "hover"))
        top = rect.top() + (rect.height() - px(16)) // 2
        paint_box(painter, theme, rect.left() + px(8), top, ticked=chosen)
        model: RemoteModel = index.data(MODEL)
        area = rect.adjusted(px(34), 0, -px(8), 0)
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("text-1"))
        metrics = QFontMetrics(painter.font())
        context = (
            f"{formatting.tokens(model.context_length)} context" if model.context_length else ""
        )
        room = area.width() - metrics.horizontalAdvance(context) - px(12)
        name = metrics.elidedText(_name(model), Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(theme.color("text-3"))
        side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(area, side, context)


class ModelsDialog(QDialog):
    """Ticks take effect at once."""

    read_wanted = Signal()
    key_wanted = Signal()
    change_wanted = Signal()
    chosen = Signal(str, bool)

    def __init__(
        self, theme: Theme, row: ProviderRow, view: NetworkView, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self.name = row.provider.name
        self._row = row
        self._has_failed = False
        self.setObjectName("models_dialog")
        self.setWindowTitle(f"Models of {row.provider.title}")
        self.resize(px(560), px(560))
        self._was_asked = False
        self._listed = ""
        self._can_read = view.is_open and row.is_open(view.hosts)
        self.models = _Models(self)
        self.models.ticked.connect(self.chosen)
        self.models.ticked.connect(lambda *_: self._count())
        self._edit = SearchEdit(theme, "models_search", "Search the models", "Search models…")
        self._edit.textChanged.connect(self._search)
        self._list = QListView()
        self._list.setObjectName("provider_models")
        self._list.setAccessibleName(f"Models of {row.provider.title}")
        self._list.setModel(self.models)
        self._list.setUniformItemSizes(True)
        self._list.setItemDelegate(_Ticks(theme, self))
        self._list.setMouseTracking(True)
        self._list.clicked.connect(self._tick)
        self._list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._words = label("", role="caption", ink="3", wrap=True, name="models_words")
        self._nothing = label("", ink="2", wrap=True, name="models_nothing")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._list)
        self._stack.addWidget(self._nothing)
        self._banners = BannerStack(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(16), px(20), px(16))
        column.setSpacing(px(8))
        column.addWidget(label(f"Models of {row.provider.title}", role="h3"))
        column.addWidget(
            label("Those with a tick can be chosen for a chat or a single question.", ink="2")
        )
        column.addWidget(self._edit)
        column.addWidget(self._banners)
        column.addWidget(self._stack, 1)
        column.addWidget(self._words)
        column.addLayout(self._make_buttons())

    def _make_buttons(self) -> QHBoxLayout:
        theme, px = self._theme, self._theme.px
        self._spinner = Spinner(theme, "Reading the list")
        self._spinner.hide()
        self._read = push_button(theme, "Read the list anew", name="models_read", icon="refresh-cw")
        self._read.setEnabled(self._can_read)
        if not self._can_read:
            self._read.setToolTip("There is no door to it now")
        self._read.clicked.connect(self.ask)
        close = push_button(theme, "Done", name="models_done")
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(self._read)
        row.addWidget(self._spinner)
        row.addStretch(1)
        row.addWidget(close)
        return row

    def _tick(self, index: QModelIndex) -> None:
        self.models.setData(index, None, Qt.ItemDataRole.CheckStateRole)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self._list.currentIndex()
        is_tick = event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return)
        if is_tick and self._list.hasFocus() and index.isValid():
            self._tick(index)
        else:
            super().keyPressEvent(event)

    def ask(self) -> None:
        """Read the provider's list."""
        self._was_asked = True
        self._has_failed = False
        self._banners.clear()
        self._read.setEnabled(False)
        self._spinner.show()
        self.read_wanted.emit()

    def show_models(self, models: tuple[RemoteModel, ...]) -> None:
        """What is known of them."""
        self._rest()
        self.models.show(models)
        if not self._was_asked and not any(one.listed_at for one in models):
            if self._row.wants_key:
                self._offer_key(f"{self._row.provider.title} wants a key, and none is set.")
            elif self._can_read:
                self.ask()
        listed = max((model.listed_at for model in models), default="")
        when = (
            f"Read from the provider {words.clock(listed, formatting.local_now())}."
            if listed
            else ""
        )
        self._listed = when or "Its list was not read yet: these are suggestions."
        self._count()

    def show_failed(self, error: LockhouseError) -> None:
        """The list could not be read."""
        self._rest()
        self._has_failed = True
        self._count()
        if error.code == "unauthorized":
            self._offer_key(error.message)
        elif error.code in ("not_there", "redirected") and self._row.is_own:
            change = ("change", "Change address…", self.change_wanted.emit)
            self._banners.say(error.message, error.hint, actions=(change,))
        else:
            self._banners.say(error.message, error.hint)

    def _offer_key(self, message: str) -> None:
        words = "Replace key…" if self._row.may_have_key else "Set key…"
        self._banners.say(message, actions=(("key", words, self.key_wanted.emit),))

    def _rest(self) -> None:
        self._read.setEnabled(self._can_read)
        self._spinner.hide()

    def _search(self, text: str) -> None:
        self.models.search(text)
        self._count()

    def _count(self) -> None:
        some = self.models.rowCount() > 0
        self._stack.setCurrentIndex(0 if some else 1)
        if not self.models.total:
            self._nothing.setText(self._nothing_words())
        elif not some:
            self._nothing.setText("No model matches.")
        total = formatting.counted(self.models.total, "model")
        known = f"{total}, {self.models.chosen} chosen. {self._listed}"
        self._words.setText(known if self.models.total else "")

    def _nothing_words(self) -> str:
        if self._has_failed:
            return "Nothing is known of its models."
        if self._was_asked:
            return "It lists no models."
        if self._can_read:
            return "Its list was not read yet."
        return "Nothing is known of its models yet. Open a door to it, then read its list."


def _name(model: RemoteModel) -> str:
    if model.title and model.title not in (model.name, model.called):
        return f"{model.called}  {model.title}"
    return model.called
