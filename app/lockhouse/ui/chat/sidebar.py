"""The sidebar of the Chat page: search, the list of chats, and what can be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QListView,
    QMenu,
    QStackedWidget,
    QWidget,
)

from lockhouse.ui import formatting, shortcuts
from lockhouse.ui.chat.composer_edit import typed_text
from lockhouse.ui.chat.list_controller import ListController
from lockhouse.ui.chat.list_delegate import ListDelegate
from lockhouse.ui.chat.list_model import ROW, ListModel, Row
from lockhouse.ui.chat.values import AnswerEnded, Listing, RunState
from lockhouse.ui.form_dialog import ask_text
from lockhouse.ui.frame_parts import (
    SearchButton,
    icon_button,
    label,
    make_menu,
    open_below,
    push_button,
)
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import repetition

LIST_MIN_WIDTH = 200
_SPIN_INTERVAL_MS = 60
_CLOCK_INTERVAL_MS = 60_000


class Sidebar(QFrame):
    """The list of chats, with its head and its menus."""

    open_wanted = Signal(str)  # conversation id
    new_chat_wanted = Signal()
    search_wanted = Signal()
    typed = Signal(str)  # text typed into the list: it belongs into the message box

    def __init__(
        self, controller: ListController, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._theme = theme
        self._current_id = ""
        self.setObjectName("chat_list_panel")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(LIST_MIN_WIDTH)
        self.model = ListModel(self)
        self._delegate = ListDelegate(theme, self)
        self._delegate.renamed.connect(self._renamed)
        self._delegate.editing.connect(lambda: self.model.hold(held=True))
        # The editor is still being put away when this is told.
        self._delegate.closeEditor.connect(
            lambda *_: QTimer.singleShot(0, self, lambda: self.model.hold(held=False))
        )
        self._view = self._make_view()
        self._stack = QStackedWidget()
        self._stack.addWidget(self._view)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(QWidget())  # nothing is known yet, which is not none
        self._selection_bar = self._make_selection_bar()
        above = (self._make_head(), self._make_search(), 8)
        column(theme, *above, (self._stack, 1), self._selection_bar, on=self)
        self._spin = repetition(self, _SPIN_INTERVAL_MS, self._turn)
        self._running: set[str] = set()
        repetition(self, _CLOCK_INTERVAL_MS, self.model.refresh_times).start()
        controller.listed.connect(self._show)
        theme.changed.connect(self._retheme)
        self._stack.setCurrentIndex(2)

    # -- parts ------------------------------------------------------------------------------

    def _make_head(self) -> QWidget:
        px = self._theme.px
        folder = icon_button(
            self._theme,
            "folder-plus",
            "New folder",
            lambda _checked=False: self.new_folder(),
            name="new_folder",
        )
        new = icon_button(
            self._theme, "square-pen", "New chat", self.new_chat_wanted, name="new_chat"
        )
        more = icon_button(
            self._theme, "ellipsis", "More for the list", self._show_more, name="list_more"
        )
        new.setToolTip(shortcuts.with_keys("New chat", "new_chat"))
        self._head_buttons = (more, folder, new)
        title, margins = label("Chats", role="page-title"), (16, 0, 8, 0)
        head = holding(row(self._theme, title, STRETCH, more, folder, new, gap=4, margins=margins))
        head.setFixedHeight(px(48))
        return head

    def _make_search(self) -> QWidget:
        self._search = SearchButton(self._theme, "Search", shortcuts.shown_keys("search"))
        self._search.setObjectName("search_chats")
        self._search.setAccessibleName("Search all chats")
        self._search.clicked.connect(self.search_wanted)
        return holding(row(self._theme, self._search, margins=(12, 0)))

    def _make_view(self) -> QListView:
        view = QListView()
        view.setObjectName("chat_list")
        view.setAccessibleName("Chats")
        view.setModel(self.model)
        view.setItemDelegate(self._delegate)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setMouseTracking(True)
        view.customContextMenuRequested.connect(self._show_menu)
        view.clicked.connect(self._clicked)
        view.activated.connect(self._activated)
        view.selectionModel().selectionChanged.connect(lambda *_: self._selection_changed())
        view.installEventFilter(self)
        return view

    def _make_empty(self) -> QWidget:
        words = (
            "Your chats are kept on this machine only. Import them from an export of "
            "Lockhouse, ChatGPT or Open WebUI."
        )
        button = push_button(
            self._theme, "Import chats…", self.import_chats, name="import_chats",
            icon="file-input", compact=True, spoken="Import chats from a file",
        )  # fmt: skip
        page = column(
            self._theme,
            label("No chats yet", role="medium", ink="2"),
            label(words, ink="3", wrap=True),
            8,
            row(self._theme, button, STRETCH),
            STRETCH,
            gap=4,
            margins=(16, 20, 16, 0),
        )
        return holding(page)

    def _make_selection_bar(self) -> QFrame:
        theme = self._theme
        bar = QFrame()
        bar.setObjectName("selection_bar")
        bar.setProperty("tone", "bg-1")
        bar.setProperty("line", "top")
        self._selected_words = label("", role="caption", ink="2")

        def pin() -> None:
            self._controller.set_pinned(self.selected_ids(), pinned=True)

        delete, clear = self.delete_selected, self._view.clearSelection
        row(
            theme,
            self._selected_words,
            STRETCH,
            icon_button(theme, "pin", "Pin the selected chats", pin, name="pin_selected"),
            icon_button(
                theme, "trash-2", "Delete the selected chats", delete, name="delete_selected"
            ),
            icon_button(theme, "x", "Clear the selection", clear, name="clear_selection"),
            gap=4,
            margins=(16, 6, 8, 6),
            on=bar,
        )
        bar.hide()
        return bar

    # -- what others tell -------------------------------------------------------------------

    def set_current(self, conversation_id: str) -> None:
        """Mark the conversation that is on the page."""
        self._current_id = conversation_id
        self._delegate.current_id = conversation_id
        index = self.model.index_of(conversation_id)
        selection = self._view.selectionModel()
        if len(selection.selectedIndexes()) <= 1:
            selection.clearSelection()
            if index.isValid():
                selection.setCurrentIndex(index, selection.SelectionFlag.NoUpdate)
                self._view.scrollTo(index)
        self._view.viewport().update()

    def show_progress(self, run: RunState) -> None:
        """An answer is being written in some conversation."""
        self._running.add(run.conversation_id)
        self.model.show_run(run.conversation_id, run)
        if not self._theme.less_motion and not self._spin.isActive():
            self._spin.start()

    def show_end(self, ended: AnswerEnded) -> None:
        """It is over."""
        self._running.discard(ended.conversation_id)
        self.model.show_run(ended.conversation_id, None)
        if not self._running:
            self._spin.stop()

    def import_chats(self) -> None:
        """Choose files to import."""
        names, _ = QFileDialog.getOpenFileNames(
            self, "Import chats", str(Path.home()), "Exported chats (*.json *.jsonl *.zip)"
        )
        if names:
            self._controller.import_files([Path(name) for name in names])

    def selected_ids(self) -> list[str]:
        """The selected conversations, top to bottom."""
        rows = sorted(index.row() for index in self._view.selectionModel().selectedIndexes())
        picked = [self.model.row(row).conversation for row in rows]
        return [one.id for one in picked if one is not None]

    def delete_selected(self) -> None:
        """Delete what is selected, or the current row."""
        ids = self.selected_ids()
        if not ids:
            row = self._row(self._view.currentIndex())
            ids = [row.conversation.id] if row and row.conversation else []
        self._controller.delete(ids)

    def rename_current(self) -> bool:
        """Edit the title of the current row, when the list has the keyboard."""
        index = self._view.currentIndex()
        if self._view.hasFocus() and index.isValid():
            self._view.edit(index)
            return True
        return False

    @property
    def has_keyboard(self) -> bool:
        """Whether the list was used last."""
        return self._view.hasFocus()

    def tab_order(self) -> tuple[QWidget, ...]:
        """Its parts in the order in which Tab visits them."""
        return (*self._head_buttons, self._search, self._view)

    # -- inside -----------------------------------------------------------------------------

    def _show_more(self) -> None:
        menu = make_menu(self)
        icon = self._theme.icon
        menu.addAction(icon("file-input"), "Import chats…", self.import_chats)
        menu.addAction(icon("folder-plus"), "New folder…", partial(self.new_folder, ()))
        open_below(menu, self._head_buttons[0])

    def _show(self, listing: Listing) -> None:
        self.model.show(listing)
        has_any = bool(listing.conversations or listing.folders)
        self._stack.setCurrentIndex(0 if has_any else 1)
        self.set_current(self._current_id)
        self._selection_changed()

    def _row(self, index: QModelIndex) -> Row | None:
        return index.data(ROW) if index.isValid() else None

    def _clicked(self, index: QModelIndex) -> None:
        row = self._row(index)
        if row is None:
            return
        if row.kind == "folder":
            self.model.toggle_folder(row.folder_id)
        elif row.conversation is not None and len(self.selected_ids()) <= 1:
            self.open_wanted.emit(row.conversation.id)

    def _activated(self, index: QModelIndex) -> None:
        row = self._row(index)
        if row is not None and row.conversation is not None:
            self.open_wanted.emit(row.conversation.id)

    def _renamed(self, row: Row, title: str) -> None:
        if row.conversation is not None:
            self._controller.rename(row.conversation.id, title)
        elif row.folder_id:
            self._controller.rename_folder(row.folder_id, title)

    def new_folder(self, ids: Sequence[str] = ()) -> None:
        """Ask for a name, and make a folder with these chats."""
        name = ask_text(self, self._theme, "New folder", "Folder name", "Create")
        if name:
            self._controller.create_folder(name, ids)

    def _show_menu(self, position: QPoint) -> None:
        index = self._view.indexAt(position)
        row = self._row(index)
        if row is not None and row.kind != "head":
            self.menu_of(index).popup(self._view.viewport().mapToGlobal(position))

    def menu_of(self, index: QModelIndex) -> QMenu:
        """What can be done with a folder, or with the selected chats."""
        theme, controller = self._theme, self._controller
        row: Row = index.data(ROW)
        menu = make_menu(self)
        if row.kind == "folder":
            menu.addAction(theme.icon("pencil"), "Rename", lambda: self._view.edit(index))
            menu.addAction(
                theme.icon("trash-2"),
                "Remove folder, keep its chats",
                lambda: controller.delete_folder(row.folder_id),
            )
            return menu
        ids = self.selected_ids()
        if row.conversation is not None and row.conversation.id not in ids:
            ids = [row.conversation.id]
        chosen = [one for one in self.model.listing.conversations if one.id in ids]
        if len(chosen) == 1:
            rename = menu.addAction(theme.icon("pencil"), "Rename", lambda: self._view.edit(index))
            rename.setShortcut("F2")
        pinned = bool(chosen) and all(one.pinned for one in chosen)
        menu.addAction(
            theme.icon("pin-off" if pinned else "pin"),
            "Unpin" if pinned else "Pin",
            lambda: controller.set_pinned(ids, pinned=not pinned),
        )
        menu.addMenu(self._folder_menu(menu, ids, row))
        menu.addSeparator()
        words = "Delete" if len(chosen) < 2 else f"Delete {formatting.counted(len(chosen), 'chat')}"
        delete = menu.addAction(theme.icon("trash-2"), words, lambda: controller.delete(ids))
        delete.setShortcut("Del")
        return menu

    def _folder_menu(self, parent: QMenu, ids: list[str], row: Row) -> QMenu:
        controller, present = self._controller, row.conversation and row.conversation.folder_id
        menu = make_menu(parent, "Move to folder")
        menu.setIcon(self._theme.icon("folder"))
        for folder in self.model.listing.folders:
            action = menu.addAction(folder.name)
            action.triggered.connect(lambda _checked=False, to=folder.id: controller.move(ids, to))
            action.setEnabled(folder.id != present)
        if self.model.listing.folders:
            menu.addSeparator()
        icon = self._theme.icon("folder-plus")
        menu.addAction(icon, "New folder…", lambda: self.new_folder(ids))
        if present:
            menu.addAction("Remove from folder", lambda: controller.move(ids, None))
        return menu

    def _selection_changed(self) -> None:
        count = len(self.selected_ids())
        self._selection_bar.setVisible(count > 1)
        self._selected_words.setText(f"{formatting.counted(count, 'chat')} selected")

    def _turn(self) -> None:
        self._delegate.angle = (self._delegate.angle + 18) % 360
        for conversation_id in self._running:
            index = self.model.index_of(conversation_id)
            if index.isValid():
                self._view.update(index)

    def _retheme(self) -> None:
        self._view.doItemsLayout()
        self._view.viewport().update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view and isinstance(event, QKeyEvent):
            return self._press(event) or super().eventFilter(watched, event)
        return super().eventFilter(watched, event)

    def _press(self, event: QKeyEvent) -> bool:
        """Whether a key that was pressed means something to the list."""
        if event.type() != QEvent.Type.KeyPress:
            return False
        if event.key() == Qt.Key.Key_Delete:
            self.delete_selected()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            row = self._row(self._view.currentIndex())
            if row is not None and row.kind == "folder":
                self.model.toggle_folder(row.folder_id)
            else:
                self._activated(self._view.currentIndex())
        elif words := typed_text(event):
            self.typed.emit(words)
        else:
            return False
        return True
