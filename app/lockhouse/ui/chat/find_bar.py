"""Find in the open chat."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from lockhouse.ui.frame_parts import icon_button, label
from lockhouse.ui.theme import Theme


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
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(6), px(16), px(7))
        row.setSpacing(px(4))
        self.edit = QLineEdit()
        self.edit.setObjectName("find_words")
        self.edit.setAccessibleName("Find in this chat")
        self.edit.setPlaceholderText("Find in this chat")
        self.edit.setProperty("compact", "true")
        self.edit.setMaximumWidth(px(320))
        self.edit.textChanged.connect(self.words_changed)
        row.addWidget(self.edit, 1)
        self._count = label("", role="caption", ink="3", name="find_count")
        self._count.setMinimumWidth(px(72))
        row.addSpacing(px(8))
        row.addWidget(self._count)
        for icon, words, signal in (
            ("chevron-up", "Previous", self.previous_wanted),
            ("chevron-down", "Next", self.next_wanted),
        ):
            button = icon_button(theme, icon, words, name=f"find_{words.lower()}")
            button.clicked.connect(signal)
            row.addWidget(button)
        row.addStretch(1)
        close = icon_button(theme, "x", "Close the search", name="find_close")
        close.clicked.connect(self.closed)
        row.addWidget(close)
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
