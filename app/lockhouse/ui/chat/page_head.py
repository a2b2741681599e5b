"""The head of the Chat page: title, target, sharing, more, and the details button."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QPushButton, QWidget

from lockhouse.ui import shortcuts
from lockhouse.ui.chat.list_delegate import fitted_title
from lockhouse.ui.frame_parts import icon_button, make_menu, pop_under
from lockhouse.ui.layouts import row
from lockhouse.ui.shortcuts import claims_escape
from lockhouse.ui.theme import Theme, repolish

EXPORT_FORMATS = (
    ("md", "Markdown…", "Markdown (*.md)"),
    ("html", "Web page…", "Web page (*.html)"),
    ("json", "JSON, every version…", "JSON (*.json)"),
    ("jsonl", "JSONL, for training…", "JSONL (*.jsonl)"),
)


class TitleEdit(QLineEdit):
    """The title as text; a click or F2 edits it, Enter keeps the change, Esc discards it."""

    renamed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._kept = ""
        self._is_edited = False  # it has the keyboard; the whole title is shown
        self.setObjectName("chat_title")
        self.setAccessibleName("Title of the chat")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self._dress)
        self.editingFinished.connect(self._keep)
        self._dress()

    def show_title(self, title: str, *, editable: bool) -> None:
        """Another conversation's title."""
        self._kept = title
        self.setReadOnly(not editable)
        if not self._is_edited:
            self._show_kept()
        self.setToolTip("Rename" if editable else "")

    def _show_kept(self) -> None:
        """The title; cut at its end with "…" where there is no room, while it is not edited."""
        room = self.width() - self._theme.px(16)
        self.setText(fitted_title(self._kept, self.font(), room))
        self.setCursorPosition(0)

    def _keep(self) -> None:
        wanted = self.text().strip()
        if self._is_edited and wanted and wanted != self._kept:
            self._kept = wanted
            self.renamed.emit(wanted)

    def event(self, event: QEvent) -> bool:
        return claims_escape(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._kept)
            self.clearFocus()
            return
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clearFocus()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self._is_edited:  # not when only the window was left and came back
            self._is_edited = True
            self.setText(self._kept)
        if not self.isReadOnly():
            self.selectAll()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        reasons = Qt.FocusReason
        if event.reason() not in (reasons.ActiveWindowFocusReason, reasons.PopupFocusReason):
            self._is_edited = False
            self._show_kept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._is_edited:
            self._show_kept()

    def _dress(self) -> None:
        theme = self._theme
        self.setFont(theme.font("reading", weight=600))
        self.setStyleSheet(
            f"QLineEdit#chat_title {{ background: transparent; border: 2px solid transparent;"
            f" border-radius: {theme.px(6)}px; padding: 0 {theme.px(4)}px;"
            f" min-height: {theme.px(26)}px; max-height: {theme.px(26)}px;"
            f" font-size: {theme.px(14)}px; font-weight: 600; }}"
            f"QLineEdit#chat_title:hover:!read-only {{ background: {theme.hex('hover')}; }}"
            f"QLineEdit#chat_title:focus:!read-only {{ border-color: {theme.hex('focus')};"
            f" background: {theme.hex('surface')}; }}"
        )


class PageHead(QFrame):
    """48 px at the top of the page."""

    renamed = Signal(str)
    list_wanted = Signal()
    copy_wanted = Signal()
    export_wanted = Signal(str)  # format
    find_wanted = Signal()
    pin_wanted = Signal()
    delete_wanted = Signal()
    details_toggled = Signal()
    chat_settings_wanted = Signal()
    destination_pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pinned = False
        self._destination_words = self._destination_obstacle = ""
        px = theme.px
        self.setObjectName("chat_head")
        self.setProperty("tone", "bg-2")
        self.setProperty("line", "bottom")
        self.setFixedHeight(px(48))
        self._list = icon_button(
            theme, "panel-left", "Show the list of chats", self.list_wanted, name="show_list"
        )
        self.title = TitleEdit(theme)
        self.title.renamed.connect(self.renamed)
        self.destination = QPushButton("")
        self.destination.setObjectName("destination")
        self.destination.setAutoDefault(False)
        self.destination.clicked.connect(self.destination_pressed)
        self._share = icon_button(
            theme, "share", "Copy or export this chat", self._show_share, name="share"
        )
        self._more = icon_button(
            theme, "ellipsis", "More for this chat", self._show_more, name="more"
        )
        self._details = icon_button(
            theme, "panel-right", "Details", self.details_toggled,
            name="toggle_details", checkable=True,
        )  # fmt: skip
        self._details.setToolTip(shortcuts.with_keys("Details", "details"))
        right = (self.destination, self._share, self._more, self._details)
        margins = (8, 0, 16, 1)
        row(theme, self._list, (self.title, 1), *right, gap=8, margins=margins, on=self)
        theme.changed.connect(lambda: self.setFixedHeight(theme.px(48)))

    def show_chat(self, title: str, *, exists: bool, pinned: bool) -> None:
        """Show another chat."""
        self._pinned = pinned
        self.title.show_title(title, editable=exists)
        self._share.setVisible(exists)
        self._more.setVisible(exists)

    def show_destination(
        self, words: str, icon: str, sentence: str, *, leaves: bool = False, obstacle: str = ""
    ) -> None:
        """Where the next message goes, and what stands in the way, which is never shortened."""
        self._destination_words = words
        self._destination_obstacle = f" · {obstacle}" if obstacle else ""
        self._fit_destination()
        self.destination.setToolTip(f"{sentence}. Choose a model")
        self.destination.setAccessibleName(f"{sentence}. Choose a model")
        self._theme.bind_icon(
            self.destination, icon, size=14, role="warning" if leaves else "text-2"
        )
        self.destination.setProperty("leaves", leaves)
        repolish(self.destination)

    def _fit_destination(self) -> None:
        """At most half of the head is for it; what it says whole is in its tool tip."""
        room = self.width() // 2 - self._theme.px(48)
        metrics = self.destination.fontMetrics()
        middle = Qt.TextElideMode.ElideMiddle
        obstacle = self._destination_obstacle
        room -= metrics.horizontalAdvance(obstacle)
        shown = metrics.elidedText(self._destination_words, middle, max(room, self._theme.px(120)))
        self.destination.setText(shown + obstacle)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_destination()

    def tab_order(self) -> tuple[QWidget, ...]:
        """Its parts in the order in which Tab visits them."""
        return (
            self._list,
            self.title,
            self.destination,
            self._share,
            self._more,
            self._details,
        )

    def show_panels(self, *, list_shown: bool, details_shown: bool) -> None:
        """Which side panels are open."""
        self._list.setVisible(not list_shown)
        self._details.setChecked(details_shown)

    def _show_share(self) -> None:
        menu = make_menu(self)
        menu.addAction(self._theme.icon("copy"), "Copy as Markdown", self.copy_wanted.emit)
        menu.addSeparator()
        for key, words, _ in EXPORT_FORMATS:
            menu.addAction(
                self._theme.icon("file-down"),
                f"Save as {words}",
                lambda fmt=key: self.export_wanted.emit(fmt),
            )
        pop_under(menu, self._share)

    def _show_more(self) -> None:
        theme = self._theme
        menu = make_menu(self)
        find = menu.addAction(theme.icon("search"), "Find in this chat", self.find_wanted.emit)
        find.setShortcut(shortcuts.shown_keys("find"))
        menu.addAction(theme.icon("pencil"), "Rename", self.title.setFocus)
        menu.addAction(
            theme.icon("pin-off" if self._pinned else "pin"),
            "Unpin" if self._pinned else "Pin",
            self.pin_wanted.emit,
        )
        tune = theme.icon("sliders-horizontal")
        menu.addAction(tune, "Chat settings", self.chat_settings_wanted.emit)
        menu.addSeparator()
        menu.addAction(theme.icon("trash-2"), "Delete", self.delete_wanted.emit)
        pop_under(menu, self._more)
