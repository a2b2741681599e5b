"""The text field of the composer: grows with its text, sends on Enter, takes drops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QTextEdit, QWidget

from lockhouse.ui.theme import Theme

_MAX_LINES = 8
_LONGEST_PASTE = 4000  # characters that still stand in the box
_PASTE_PLAIN = QKeySequence("Ctrl+Shift+V")


def local_files(mime: QMimeData) -> list[Path]:
    """The local files of a drop or a paste."""
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]


def typed_text(event: QKeyEvent) -> str:
    """The text that a key types or pastes, "" for a key that does something else."""
    if event.matches(QKeySequence.StandardKey.Paste):
        return QApplication.clipboard().text()
    held = event.modifiers() & ~(
        Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
    )
    text = event.text()
    return text if not held and text.strip() and text.isprintable() else ""


class ComposerEdit(QTextEdit):
    """Plain text, eight lines at most before it scrolls."""

    send_wanted = Signal()
    recall_wanted = Signal()
    files_dropped = Signal(object)  # list[Path]
    picture_pasted = Signal(object)  # QImage
    text_pasted = Signal(str)  # too long to stand in the box
    focus_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._enter_sends = True
        self.undo_fallback: Callable[[], bool] | None = None  # for an empty box
        self.setObjectName("message")
        self.setAccessibleName("Message")
        self.setAcceptRichText(False)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(0)
        self.textChanged.connect(self._fit)
        theme.changed.connect(self._retheme)
        self._retheme()

    def set_enter_sends(self, *, enter_sends: bool) -> None:
        """Enter sends and Shift+Enter adds a line, or Enter adds a line and Ctrl+Enter sends."""
        self._enter_sends = enter_sends

    def paste_text(self, text: str) -> None:
        """Insert a text, or hand it over to be attached when it is long."""
        if len(text) > _LONGEST_PASTE:
            self.text_pasted.emit(text)
        else:
            self.insertPlainText(text)

    def put_text(self, text: str) -> None:
        """Replace the text and put the cursor at its end; can be undone."""
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.setTextCursor(cursor)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            if control or (self._enter_sends and not shift):
                self.send_wanted.emit()
                return
            self.textCursor().insertText("\n")
            self.ensureCursorVisible()
            return
        if QKeySequence(event.keyCombination()) == _PASTE_PLAIN:
            self.insertPlainText(QApplication.clipboard().text())
            return
        if event.key() == Qt.Key.Key_Up and not self.toPlainText():
            self.recall_wanted.emit()
            return
        undoes = event.matches(QKeySequence.StandardKey.Undo) and not self.toPlainText()
        if undoes and self.undo_fallback is not None and self.undo_fallback():
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    # What is dropped or pasted:

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(local_files(source)) or source.hasText() or source.hasImage()

    def insertFromMimeData(self, source: QMimeData) -> None:
        if files := local_files(source):
            self.files_dropped.emit(files)
        elif source.hasImage() and not source.hasText():
            picture = QImage(source.imageData())
            if not picture.isNull():
                self.picture_pasted.emit(picture)
        elif source.hasText():
            self.paste_text(source.text())

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self._wanted_height())

    def _wanted_height(self) -> int:
        line = self._theme.line_height("reading")
        wanted = int(self.document().size().height()) + 2
        return max(line + 2, min(wanted, line * _MAX_LINES + 2))

    def _fit(self) -> None:
        height = self._wanted_height()
        if height != self.height():
            self.setFixedHeight(height)
            self.ensureCursorVisible()

    def _retheme(self) -> None:
        self.document().setDefaultFont(self._theme.font("reading"))
        self.setFont(self._theme.font("reading"))
        self._fit()
