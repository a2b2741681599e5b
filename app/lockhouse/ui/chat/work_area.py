"""The middle of the Chat page: head, banners, transcript or start screen, composer.

Keeps the composer exactly below the column of text, and finds words in the transcript.
"""

from __future__ import annotations

from enum import IntEnum

from PySide6.QtCore import QMargins
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from lockhouse.ui.chat.composer import Composer
from lockhouse.ui.chat.find_bar import FindBar
from lockhouse.ui.chat.first_start import COLUMN_WIDTH, EmptyChat, FirstStart
from lockhouse.ui.chat.page_head import PageHead
from lockhouse.ui.error_views import BannerStack
from lockhouse.ui.theme import Theme
from lockhouse.ui.toast import Toast
from lockhouse.ui.transcript import TranscriptView


class Face(IntEnum):
    """What is shown in the middle."""

    FIRST = 0  # the first start: nothing was ever asked
    EMPTY = 1
    THREAD = 2
    NOTHING = 3  # not known yet


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
        self._foot = QWidget()
        self._lay_out()
        self.toast = Toast(theme, self, above=self._foot)
        self.transcript.arranged.connect(self._fit_foot)
        self.transcript.find_moved.connect(self.find_bar.show_place)
        self.find_bar.words_changed.connect(self._find_words)
        self.find_bar.next_wanted.connect(self.transcript.find_next)
        self.find_bar.previous_wanted.connect(self.transcript.find_previous)
        self.find_bar.closed.connect(self.close_find)

    def _lay_out(self) -> None:
        px = self._theme.px
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(px(24), px(8), px(24), px(16))
        self.composer.setMaximumWidth(px(COLUMN_WIDTH))
        foot.addStretch(1)
        foot.addWidget(self.composer, 100_000)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.head, self.find_bar, self.banners):
            column.addWidget(part)
        column.addWidget(self._stack, 1)
        column.addWidget(self._foot)

    def tab_order(self) -> tuple[QWidget, ...]:
        """Its parts in the order in which Tab visits them."""
        return (*self.head.tab_order(), self.transcript, *self.composer.tab_order())

    @property
    def face(self) -> Face:
        """What is shown."""
        return Face(self._stack.currentIndex())

    def show_face(self, face: Face, *, has_head: bool) -> None:
        """Show that; ``has_head``: with title and composer."""
        self._stack.setCurrentIndex(face)
        self._fit_foot()
        self._foot.setVisible(has_head)
        self.head.setVisible(has_head)

    def _fit_foot(self) -> None:
        """The composer stands exactly below the column of text, with and without a scroll bar."""
        px = self._theme.px
        left = right = px(24)
        if self.face == Face.THREAD:
            column = self.transcript.column()
            left, right = column.left(), self.transcript.width() - column.right() - 1
        wanted = QMargins(left, px(8), right, px(16))
        layout = self._foot.layout()
        if layout is not None and layout.contentsMargins() != wanted:
            layout.setContentsMargins(wanted)

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
        else:
            self.transcript.clear_find()
            self.find_bar.show_place(0, 0)
