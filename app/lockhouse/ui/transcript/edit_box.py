"""The editor of a message, in place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QPushButton, QWidget

from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import STRETCH, column, row
from lockhouse.ui.shortcuts import claims_escape
from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.values import MessageRole

_MAX_LINES = 16


class _Editor(QPlainTextEdit):
    cancelled = Signal()
    accepted = Signal()

    def event(self, event: QEvent) -> bool:
        return claims_escape(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and control:
            self.accepted.emit()
        else:
            super().keyPressEvent(event)


class EditBox(QWidget):
    """The text in an editor. Save stores a new version, Save & send also asks for an answer.

    Esc leaves without a change, Ctrl+Enter is the filled button.
    """

    saved = Signal(str, bool)
    cancelled = Signal()
    height_changed = Signal()

    def __init__(self, theme: Theme, role: MessageRole, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._send_first = role == "user"
        self.editor = _Editor(self)
        self.editor.setFont(theme.font("reading"))
        self.editor.setAccessibleName("Edit message")
        self.editor.setPlainText(text)
        self.editor.setTabChangesFocus(True)
        self.editor.cancelled.connect(self.cancelled)
        self.editor.accepted.connect(self._accept)
        self.editor.textChanged.connect(self.height_changed)
        first = self._send_first
        self._cancel = self._button("Cancel", "edit-cancel")
        self._cancel.clicked.connect(self.cancelled)
        self._save = self._button("Save", "edit-save", primary=not first)
        self._save.clicked.connect(lambda: self._finish(send=False))
        self._send = self._button("Save & send", "edit-send", primary=first)
        self._send.setVisible(first)
        self._send.clicked.connect(lambda: self._finish(send=True))
        keys = f"Ctrl+Enter {'sends' if first else 'saves'}, Enter adds a new line"
        self._keys = label(keys, role="caption", ink="3", name="edit-keys")
        buttons = (self._cancel, self._save, self._send)
        below = row(theme, self._keys, STRETCH, *buttons, gap=8)
        self._column = column(theme, self.editor, below, gap=8, margins=(0, 0, 0, 4), on=self)
        self.editor.moveCursor(QTextCursor.MoveOperation.End)

    def text(self) -> str:
        return self.editor.toPlainText()

    def fit(self, width: int) -> int:
        px = self._theme.px
        line = QFontMetricsF(self.editor.font()).lineSpacing()
        self.editor.setFixedWidth(width)
        lines = int(self.editor.document().size().height())
        self.editor.setFixedHeight(round(max(2, min(_MAX_LINES, lines)) * line) + px(24))
        self._keys.show()
        self._keys.setVisible(self._column.minimumSize().width() <= width)
        return self._column.sizeHint().height()

    def _button(self, label: str, name: str, *, primary: bool = False) -> QPushButton:
        button = QPushButton(label.replace("&", "&&"), self)
        if primary:  # before it is shown: the style sheet reads it only then
            button.setProperty("kind", "primary")
        button.setProperty("compact", "true")
        button.setObjectName(name)
        button.setAccessibleName(label)
        return button

    def _accept(self) -> None:
        self._finish(send=self._send_first)

    def _finish(self, *, send: bool) -> None:
        self.saved.emit(self.text(), send)
