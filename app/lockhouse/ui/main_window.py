"""The window: rail, pages, status bar, and the shortcuts that reach everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QMargins, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QMoveEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QFrame,
    QMainWindow,
    QToolButton,
    QWidget,
)

from lockhouse.ui import commands, shortcuts
from lockhouse.ui.chat.composer_edit import local_files
from lockhouse.ui.chat.page import ChatPage
from lockhouse.ui.chat.palette import Command, Palette
from lockhouse.ui.frame_parts import IconLabel
from lockhouse.ui.layouts import CENTER, STRETCH, TOP, column, holding, row, stack
from lockhouse.ui.pages import PageEntry, Pages
from lockhouse.ui.screen_fit import fitted
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.status_bar import StatusBar
from lockhouse.ui.theme import Theme
from lockhouse.ui.theme.tokens import RAIL_WIDTH
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.ui.timers import once
from lockhouse.ui.transcript.tab_order import step_from
from lockhouse.ui.window_state import WindowState

_SCALE_STEP = 0.1
_SCALES = (0.8, 2.0)
_SCALE_PAUSE_MS = 60
_FIRST_SIZE = (1280, 800)
_LIKELY_FRAME = QMargins(1, 36, 1, 1)  # until the desktop has added its own
_FRAMED_AFTER_MS = 250


class Rail(QFrame):
    """The bar at the left edge: the logo, and a button for each page; a bar marks the shown one."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, pages: Sequence[PageEntry]) -> None:
        super().__init__()
        self._theme = theme
        self._buttons: dict[str, QToolButton] = {}
        self.setObjectName("rail")
        self.setAccessibleName("Pages")
        self.setFixedWidth(theme.px(RAIL_WIDTH))
        mark = IconLabel(theme, "mark", 32, "accent")
        mark.setObjectName("mark")
        mark.setAlignment(TOP | CENTER)
        mark.setAccessibleName("Lockhouse")
        mark.setFixedHeight(theme.px(44))
        group = QButtonGroup(self)
        for entry in pages:
            button = self._buttons[entry.key] = self._make_button(entry)
            group.addButton(button)
        upper = [(self._buttons[entry.key], CENTER) for entry in pages if not entry.at_foot]
        lower = [(self._buttons[entry.key], CENTER) for entry in pages if entry.at_foot]
        column(theme, mark, *upper, STRETCH, *lower, gap=4, margins=(8, 12, 7, 8), on=self)

    def _make_button(self, entry: PageEntry) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"rail_{entry.key}")
        button.setAccessibleName(entry.title)
        button.setToolTip(f"{entry.title}  ({shortcuts.native_keys(entry.shortcut)})")
        button.setProperty("kind", "rail")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self.chosen.emit(entry.key))
        self._theme.bind_icon(button, entry.icon, size=20)
        return button

    def show_page(self, key: str) -> None:
        """Mark the page that is shown."""
        self._buttons[key].setChecked(True)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        px = self._theme.px
        for button in self._buttons.values():
            if button.isChecked():
                painter = QPainter(self)
                middle = button.geometry().center().y()
                bar = QRect(0, middle - px(10), px(3), px(20))
                painter.fillRect(bar, self._theme.color("accent"))
                painter.end()


class MainWindow(QMainWindow):
    """Contains the pages; knows no services."""

    closing = Signal()
    models_dropped = Signal(object)  # list[Path]
    reshaped = Signal()  # another position, size or page

    def __init__(
        self,
        theme: Theme,
        settings: SettingsStore,
        pages: Pages,
        entries: Sequence[PageEntry],
        status: StatusBar,
    ) -> None:
        """The first of ``entries`` is the Chat page; the others are made when they are shown."""
        super().__init__()
        chat = pages.make(entries[0])
        assert isinstance(chat, ChatPage)
        self._theme = theme
        self._settings = settings
        self._pages = pages
        self._entries = {entry.key: entry for entry in entries}
        self.chat = chat
        self.status = status
        self.commands: tuple[Command, ...] = ()  # of the search, besides those of the window
        self._page = "chat"
        self._chat_title = ""
        self._was_shown = False
        self._wanted_scale = 0.0  # of the text, by keys pressed a moment ago
        self._scaling = once(self, _SCALE_PAUSE_MS, self._apply_scale)
        self.setObjectName("main_window")
        self.setWindowTitle("Lockhouse")
        self.setAcceptDrops(True)
        self.setMinimumSize(640, 480)
        self._rail = Rail(theme, entries)
        self._stack = stack(chat)
        self._lay_out()
        self._shortcuts = shortcuts.with_pages(entries)
        shortcuts.bind(self, self._shortcuts, self._handlers())
        self._rail.chosen.connect(self.show_page)
        status.seal_pressed.connect(lambda: self.show_page("gate"))
        chat.search_wanted.connect(self.show_palette)
        chat.models_dropped.connect(self.models_dropped)
        chat.titled.connect(self._name_chat)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._keep_focus)
        self.resize(*_FIRST_SIZE)
        self.show_page("chat")

    def _lay_out(self) -> None:
        theme = self._theme
        pages = row(theme, self._rail, (self._stack, 1))
        self.setCentralWidget(holding(column(theme, (pages, 1), self.status)))

    def _handlers(self) -> dict[str, shortcuts.Handler]:
        chat = self.chat
        return {
            "new_chat": self._new_chat,
            "search": self.show_palette,
            "sidebar": self._on_chat(chat.columns.toggle_list),
            "rename": self._on_chat(chat.rename_chat),
            "find": self._on_chat(chat.work.open_find),
            "stop": self._escape,
            "regenerate": self._on_chat(chat.regenerate),
            "ask_elsewhere": self._on_chat(chat.ask_another_model),
            "copy_answer": self._on_chat(chat.copy_last_answer),
            "focus_composer": self._on_chat(chat.composer.edit.setFocus),
            "details": self._on_chat(chat.aside.toggle),
            **{f"page_{key}": partial(self.show_page, key) for key in self._entries},
            "larger": lambda: self._scale(+_SCALE_STEP),
            "smaller": lambda: self._scale(-_SCALE_STEP),
            "normal_size": self._reset_scale,
            "shortcuts": self.show_shortcuts,
            "quit": self.close,
        }

    # -- pages ------------------------------------------------------------------------------

    @property
    def page(self) -> str:
        """The key of the page that is shown."""
        return self._page

    def show_page(self, key: str) -> None:
        """Show another page."""
        page = self._pages.make(self._entries[key])
        if self._stack.indexOf(page) < 0:
            self._stack.addWidget(page)
        self._page = key
        self._name_window()
        self._rail.show_page(key)
        self._stack.setCurrentWidget(page)
        self._keep_focus(None, QApplication.focusWidget())
        self.reshaped.emit()

    def _keep_focus(self, _before: QWidget | None, now: QWidget | None) -> None:
        """Keys go to the page that is visible, never into one behind it."""
        page = self._pages.made[self._page]
        is_in_a_page = now is not None and now is not page and self._stack.isAncestorOf(now)
        if now is not None and is_in_a_page and not page.isAncestorOf(now):
            page.setFocus()

    def show_palette(self) -> None:
        """Search chats, messages and commands."""
        listing = self.chat.list_panel.model.listing
        palette = Palette(
            self.chat.listing, self._theme, listing.conversations, self._commands(), self
        )
        palette.open_wanted.connect(self._open)
        palette.finished.connect(palette.deleteLater)
        palette.show()

    def show_shortcuts(self) -> None:
        """The list of all shortcuts."""
        shortcuts.ShortcutList(self._theme, self._shortcuts, self).show_once()

    def _commands(self) -> tuple[Command, ...]:
        dark = not self._theme.is_dark
        pages = (
            Command(
                entry.icon,
                entry.title,
                shortcuts.native_keys(entry.shortcut),
                partial(self.show_page, entry.key),
            )
            for entry in self._entries.values()
        )
        in_chat = (replace(one, run=self._on_chat(one.run)) for one in commands.of_chats(self.chat))
        theme = Command(
            "moon" if dark else "sun",
            "Dark theme" if dark else "Light theme",
            "",
            lambda: self._settings.set("theme", "dark" if dark else "light"),
        )
        keyed = commands.with_shortcuts(self._shortcuts, self._handlers(), self.chat)
        return (*pages, *keyed, *in_chat, theme, *self.commands)

    def _open(self, conversation_id: str, message_id: str, words: str) -> None:
        self.show_page("chat")
        self.chat.composer.edit.setFocus()
        self.chat.open_chat(conversation_id, message_id, words)

    def _new_chat(self) -> None:
        self.show_page("chat")
        self.chat.new_chat()

    def chat_with(self, name: str) -> None:
        """Start a chat with that model."""
        self.show_page("chat")
        self.chat.start_chatting(name)

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: FBT001 - as Qt calls it
        """Tab. Messages come last in Qt's order, wherever they stand: the transcript leads in."""
        focused = QApplication.focusWidget()
        if self._page != "chat" or focused is None:
            return super().focusNextPrevChild(forward)
        found = step_from(focused, self.chat.transcript, forward=forward)
        if found is None:
            return False
        self.setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
        reasons = Qt.FocusReason
        found.setFocus(reasons.TabFocusReason if forward else reasons.BacktabFocusReason)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What is typed while a button of the rail has the keyboard is meant for the page."""
        focused = QApplication.focusWidget()
        is_outside = focused is None or not self.chat.isAncestorOf(focused)
        if self._page == "chat" and is_outside:
            self.chat.keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def _escape(self) -> None:
        if self._page == "chat":
            self.chat.stop_or_close()
        elif columns := self._pages.made[self._page].findChild(ThreeColumns):
            columns.close_drawer()

    def _on_chat(self, action: shortcuts.Handler) -> shortcuts.Handler:
        def act() -> None:
            self.show_page("chat")
            action()

        return act

    def _scale(self, step: float) -> None:
        low, high = _SCALES
        before = self._wanted_scale or self._settings.current.text_scale
        self._wanted_scale = round(min(high, max(low, before + step)), 2)
        self._scaling.start()

    def _reset_scale(self) -> None:
        """At once, and instead of a step that still waits."""
        self._scaling.stop()
        self._wanted_scale = 1.0
        self._apply_scale()

    def _apply_scale(self) -> None:
        """Keys that repeat come faster than a window can be drawn anew: once for all of them."""
        wanted, self._wanted_scale = self._wanted_scale, 0.0
        self._settings.set("text_scale", wanted)

    def _name_chat(self, title: str) -> None:
        self._chat_title = title
        self._name_window()

    def _name_window(self) -> None:
        """Name the window after its page, and on the Chat page after the chat."""
        title = self._chat_title if self._page == "chat" else self._entries[self._page].title
        self.setWindowTitle(f"{title} – Lockhouse" if title else "Lockhouse")

    # -- saved state ------------------------------------------------------------------------

    def state(self, conversation_id: str, draft: str) -> WindowState:
        """What is restored at the next start."""
        return WindowState(
            geometry=self.saveGeometry().toBase64().toStdString(),
            page=self._page,
            conversation_id=conversation_id,
            columns=self.chat.columns.state(),
            was_used=True,
            draft=draft,
        )

    def restore(self, state: WindowState) -> None:
        """Restore what the last window saved."""
        if state.geometry_bytes:
            self.restoreGeometry(QByteArray(state.geometry_bytes))
        self._fit_screen(_LIKELY_FRAME)
        self.chat.columns.restore(state.columns)
        if state.page in self._entries:
            self.show_page(state.page)

    def _fit_screen(self, frame: QMargins) -> None:
        screen = self.screen()
        if QApplication.platformName() == "offscreen" or screen is None:
            return  # there is no real screen
        if self.isMaximized() or self.isFullScreen():
            return
        here = self.geometry()
        wanted = fitted(here, frame, screen.availableGeometry())
        if wanted.size() != here.size() or (self._was_shown and wanted != here):
            self.setGeometry(wanted)

    def _fit_frame(self) -> None:
        inner, outer = self.geometry(), self.frameGeometry()
        self._fit_screen(
            QMargins(
                inner.left() - outer.left(),
                inner.top() - outer.top(),
                outer.right() - inner.right(),
                outer.bottom() - inner.bottom(),
            )
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            QTimer.singleShot(_FRAMED_AFTER_MS, self, self._fit_frame)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.reshaped.emit()

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self.reshaped.emit()

    # -- drops and close --------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        files = local_files(event.mimeData())
        models = [path for path in files if path.suffix.lower() == ".gguf"]
        others: list[Path] = [path for path in files if path not in models]
        event.acceptProposedAction()
        if models:
            self.models_dropped.emit(models)
        if others and self._page == "chat":
            self.chat.composer.take_files(others)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closing.emit()
        event.accept()
