"""The text of a body in a box that scrolls at once, however long it is.

Hides that only what is in sight is laid out and coloured, and that what is copied has none of
the line ends that were put in for reading.
"""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QApplication, QFrame, QPlainTextEdit, QWidget

from lockhouse.ui.outbound.body import BodyText
from lockhouse.ui.theme import Theme

_COLOURS = {
    "key": "syn-function",
    "string": "syn-string",
    "number": "syn-number",
    "word": "syn-keyword",
}
_REFIT_MS = 60


class BodyView(QPlainTextEdit):
    """Read-only; selects by mouse and keys, copies what would be sent."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._body = BodyText(b"")
        self._pieces: list[tuple[int, int]] = []
        self._columns = 0
        self.setObjectName("outbound_body")
        self.setAccessibleName("The body of the request, as it is sent")
        self.setReadOnly(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._refit = QTimer(self)
        self._refit.setSingleShot(True)
        self._refit.setInterval(_REFIT_MS)
        self._refit.timeout.connect(self._fit_columns)
        theme.changed.connect(self._dress)
        self._dress()

    def show_body(self, body: bytes) -> None:
        """Show these bytes, from their beginning."""
        self._body = BodyText(body)
        self._columns = 0
        self._fit_columns()
        self.verticalScrollBar().setValue(0)

    @property
    def body(self) -> BodyText:
        """What is shown."""
        return self._body

    def copy_all(self) -> None:
        """The whole body on the clipboard, exactly."""
        QApplication.clipboard().setText(self._body.text)

    def chosen_text(self) -> str:
        """What is selected, as it is sent."""
        cursor = self.textCursor()
        first, last = cursor.selectionStart(), cursor.selectionEnd()
        return self._body.text[self._offset(first) : self._offset(last)]

    # Inside

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(400), self._theme.px(112))

    def createMimeDataFromSelection(self) -> QMimeData:
        mime = QMimeData()
        mime.setText(self.chosen_text())
        return mime

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit.start()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        offset = self.contentOffset()
        block = self.firstVisibleBlock()
        bottom = self.viewport().height()
        cursor = self.textCursor()
        painter.setPen(self._theme.color("code-text"))
        while block.isValid():
            box = self.blockBoundingGeometry(block).translated(offset)
            if box.top() > bottom:
                break
            layout = block.layout()
            ranges = self._ranges(block.blockNumber())
            ranges += self._selected(block.position(), block.length(), cursor)
            layout.draw(painter, box.topLeft(), ranges, QRectF(self.viewport().rect()))
            within = cursor.position() - block.position()
            if self.hasFocus() and 0 <= within < block.length() and not cursor.hasSelection():
                layout.drawCursor(painter, box.topLeft(), within, 1)
            block = block.next()

    def _ranges(self, number: int) -> list[QTextLayout.FormatRange]:
        if number >= len(self._pieces):
            return []
        start, end = self._pieces[number]
        text = self._body.shown[start:end]
        ranges = []
        for first, last in self._body.instructions_in(start, end):
            form = QTextCharFormat()
            form.setBackground(self._theme.color("warning-soft"))
            ranges.append(_range(text, first - start, last - start, form))
        marked = list(self._body.instructions_in(start, end))
        for token in self._body.tokens_in(start, end):
            inside = any(first - 1 <= token.start < last for first, last in marked)
            colour = "warning" if inside else _COLOURS[token.kind]
            form = QTextCharFormat()
            form.setForeground(self._theme.color(colour))
            ranges.append(_range(text, token.start - start, token.end - start, form))
        return ranges

    def _selected(
        self, position: int, length: int, cursor: QTextCursor
    ) -> list[QTextLayout.FormatRange]:
        first = max(cursor.selectionStart() - position, 0)
        last = min(cursor.selectionEnd() - position, length)
        if first >= last:
            return []
        form = QTextCharFormat()
        form.setBackground(self._theme.color("selection"))
        chosen = QTextLayout.FormatRange()
        chosen.start, chosen.length, chosen.format = first, last - first, form
        return [chosen]

    def _offset(self, position: int) -> int:
        """Where a place in the document is in the text."""
        block = self.document().findBlock(position)
        start, end = self._pieces[block.blockNumber()]
        units = position - block.position()
        return min(start + _characters(self._body.shown[start:end], units), end)

    def _fit_columns(self) -> None:
        room = self.viewport().width() - 2 * self.document().documentMargin()
        wide = QFontMetricsF(self.font()).horizontalAdvance("0")
        columns = max(20, int(room / wide))
        if columns == self._columns:
            return
        at = (
            self._offset(self.cursorForPosition(self.rect().topLeft()).position())
            if (self._columns)
            else 0
        )
        self._columns = columns
        self._pieces = self._body.pieces(columns)
        shown = self._body.shown
        self.setPlainText("\n".join(shown[start:end].rstrip("\n") for start, end in self._pieces))
        if at:
            row = next((n for n, (_, end) in enumerate(self._pieces) if end > at), 0)
            self.verticalScrollBar().setValue(row)

    def _dress(self) -> None:
        self.setFont(self._theme.font("code-small"))
        self.document().setDefaultFont(self._theme.font("code-small"))
        self.document().setDocumentMargin(self._theme.px(12))
        size = self._theme.px(12)
        self.setStyleSheet(
            f"QPlainTextEdit#outbound_body {{ background: transparent; border: 0; padding: 0;"
            f" font-family: 'JetBrains Mono'; font-size: {size}px; }}"
        )
        self._columns = 0
        self._fit_columns()


def _range(text: str, first: int, last: int, form: QTextCharFormat) -> QTextLayout.FormatRange:
    """A range in the units of Qt, which counts characters beyond the first 65,536 twice."""
    made = QTextLayout.FormatRange()
    start, end = _units(text, first), _units(text, last)
    made.start, made.length, made.format = start, end - start, form
    return made


def _units(text: str, characters: int) -> int:
    if text.isascii():
        return characters
    return len(text[:characters].encode("utf-16-le")) // 2


def _characters(text: str, units: int) -> int:
    if text.isascii():
        return units
    return len(text.encode("utf-16-le")[: units * 2].decode("utf-16-le", errors="ignore"))
