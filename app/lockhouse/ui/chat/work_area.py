"""The middle of the Chat page: head, banners, transcript or start screen, composer.

Keeps the composer exactly below the column of text, and finds words in the transcript.
"""

from __future__ import annotations

from enum import IntEnum

from PySide6.QtCore import QMargins, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QStackedWidget, QWidget

from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.first_start import COLUMN_WIDTH, EmptyChat, FirstStart
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.error_views import BannerStack
from lockhouse.ui.frame_parts import icon_button, label, line_edit
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.theme import Theme
from lockhouse.ui.toast import Toast
from lockhouse.ui.transcript import TranscriptView


class Face(IntEnum):
    """What is shown in the middle."""

    FIRST = 0  # the first start: nothing was ever asked
    EMPTY = 1
    THREAD = 2
    NOTHING = 3  # not known yet


class FindBar(QFrame):
    """A field for the words, the number of matches, next and previous."""

    words_changed = Signal(str)
    next_wanted = Signal()
    previous_wanted = Signal()
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        self.setObjectName("find_bar")
        self.setProperty("tone", "bg-1")
        self.setProperty("line", "bottom")
        self.edit = line_edit("find_words", "Find in this chat", compact=True)
        self.edit.setMaximumWidth(px(320))
        self.edit.textChanged.connect(self.words_changed)
        self._count = label("", role="caption", ink="3", name="find_count")
        self._count.setMinimumWidth(px(72))
        before, after = self.previous_wanted, self.next_wanted
        row(
            theme,
            (self.edit, 1),
            8,
            self._count,
            icon_button(theme, "chevron-up", "Previous", before, name="find_previous"),
            icon_button(theme, "chevron-down", "Next", after, name="find_next"),
            STRETCH,
            icon_button(theme, "x", "Close the search", self.closed, name="find_close"),
            gap=4,
            margins=(16, 6, 16, 7),
            on=self,
        )
        self.hide()

    def open(self) -> None:
        """Show it and give it the keyboard."""
        self.show()
        self.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.edit.selectAll()
        if self.edit.text():
            self.words_changed.emit(self.edit.text())

    def show_place(self, number: int, count: int) -> None:
        """Which match is shown, and how many there are."""
        if not self.edit.text():
            self._count.setText("")
        elif count:
            self._count.setText(f"{number} of {count}")
        else:
            self._count.setText("Not found")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            (self.previous_wanted if shift else self.next_wanted).emit()
        else:
            super().keyPressEvent(event)


class WorkArea(QWidget):
    """Its parts are public: the page wires them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        px = theme.px
        self.setObjectName("chat_work")
        self.setMinimumWidth(px(320))
        self.head = PageHead(theme)
        self.banners = BannerStack(theme)
        self.find_bar = FindBar(theme)
        self.transcript = TranscriptView(theme)
        self.transcript.setObjectName("transcript")
        self.first_start = FirstStart(theme)
        self.empty = EmptyChat(theme)
        self.composer = Composer(theme)
        self._stack = QStackedWidget()
        for face in (self.first_start, self.empty, self.transcript, QWidget()):
            self._stack.addWidget(face)
        self.composer.setMaximumWidth(px(COLUMN_WIDTH))
        self._foot_row = row(
            theme, STRETCH, (self.composer, 100_000), STRETCH, margins=(24, 8, 24, 16)
        )
        self._foot = holding(self._foot_row)
        above = (self.head, self.find_bar, self.banners)
        column(theme, *above, (self._stack, 1), self._foot, on=self)
        self.toast = Toast(theme, self, above=self._foot)
        self.transcript.arranged.connect(self._fit_foot)
        self.transcript.find_moved.connect(self.find_bar.show_place)
        self.find_bar.words_changed.connect(self._find_words)
        self.find_bar.next_wanted.connect(self.transcript.find_next)
        self.find_bar.previous_wanted.connect(self.transcript.find_previous)
        self.find_bar.closed.connect(self.close_find)

    def tab_order(self) -> tuple[QWidget, ...]:
        """Its parts in the order in which Tab visits them."""
        return (*self.head.tab_order(), self.transcript, *self.composer.tab_order())

    @property
    def face(self) -> Face:
        """What is shown."""
        return Face(self._stack.currentIndex())

    def show_face(self, face: Face, *, has_head: bool, has_composer: bool) -> None:
        """Show that; ``has_head``: with the title of the chat."""
        self._stack.setCurrentIndex(face)
        self._fit_foot()
        self._foot.setVisible(has_composer)
        self.head.setVisible(has_head)

    def _fit_foot(self) -> None:
        """The composer stands exactly below the column of text, with and without a scroll bar."""
        px = self._theme.px
        left = right = px(24)
        if self.face == Face.THREAD:
            column = self.transcript.column()
            left, right = column.left(), self.transcript.width() - column.right() - 1
        wanted = QMargins(left, px(8), right, px(16))
        if self._foot_row.contentsMargins() != wanted:
            self._foot_row.setContentsMargins(wanted)

    # -- finding ----------------------------------------------------------------------------

    def open_find(self) -> None:
        """Find in the open chat."""
        if self.face == Face.THREAD:
            self.find_bar.open()

    def close_find(self) -> None:
        """Stop finding."""
        if self.find_bar.isVisible():
            self.find_bar.hide()
            self.transcript.clear_find()
            self.composer.edit.setFocus()

    def _find_words(self, words: str) -> None:
        if words:
            count = self.transcript.find(words)
            self.find_bar.show_place(1 if count else 0, count)
            self.transcript.find_next()  # the first one from here on is shown at once
        else:
            self.transcript.clear_find()
            self.find_bar.show_place(0, 0)
