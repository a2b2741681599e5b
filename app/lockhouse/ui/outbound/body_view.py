"""The body of a request as text: JSON in colours, copied exactly as it is sent.

A body is one long line. It is shown with a line break after each message and each escaped newline;
a copy has none of these breaks. Invisible characters are shown as a replacement character. Only the
lines in sight are laid out and coloured, so that a body of many megabytes scrolls at once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from PySide6.QtCore import QMimeData, QSize, Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QPaintEvent,
    QTextBlock,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QApplication, QFrame, QPlainTextEdit, QWidget

from lockhouse.ui.theme import Theme

_LONGEST_LINE = 2000  # characters: laying out one line must stay cheap
_BREAK = re.compile(r'\\.|\{(?=")(?:(?<=\[\{)|(?<=\},\{))|\n', re.DOTALL)
# Characters that are invisible, or that show text in another order than it is sent. A variation
# selector belongs to the sign before it; a second one does not. The last two end a line in Qt.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ufdd0\ufdd1]"
    "|(?<![#*0-9\u00a9\u00ae\u2000-\u3299\U0001f000-\U0001faff])[\ufe00-\ufe0f]"
)
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")  # two of Qt's units each
_REPLACEMENT = "\ufffd"
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null', re.DOTALL
)
_INSTRUCTION_ROLES = ('"system"', '"developer"')
_INSTRUCTION_KEYS = ('"system"', '"systemInstruction"', '"system_instruction"')
_INSTRUCTION_TEXTS = ('"content"', '"text"', '"system"')
_COLOURS = {
    "key": "syn-function",
    "string": "syn-string",
    "number": "syn-number",
    "constant": "syn-keyword",
    "instruction": "warning",
}

Token = tuple[int, int, str]  # start and end in Qt's units, kind


class BodyView(QPlainTextEdit):
    """Read-only; selects by mouse and keys, copies what is sent."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.text = ""  # as it is sent
        self.invisible = 0  # how many characters are shown as a replacement character
        self._tokens: list[Token] = []
        self._coloured: set[int] = set()  # the lines that are
        self._formats: dict[str, QTextCharFormat] = {}
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
        theme.changed.connect(self._dress)
        self._dress()

    def show_body(self, body: bytes) -> None:
        """Show these bytes, from their beginning."""
        self.text = body.decode("utf-8", errors="backslashreplace")
        shown, self.invisible = _made_visible(self.text)
        self._tokens = list(_tokens(_BEYOND_BMP.sub("__", shown)))
        self._coloured.clear()
        self.setPlainText("\n".join(_lines(shown)))
        self.verticalScrollBar().setValue(0)

    @property
    def has_instructions(self) -> bool:
        """Whether there is a system prompt, which is marked."""
        return any(kind == "instruction" for _, _, kind in self._tokens)

    def copy_all(self) -> None:
        """Put the whole body on the clipboard, exactly."""
        QApplication.clipboard().setText(self.text)

    def selected_text(self) -> str:
        """What is selected, as it is sent."""
        cursor = self.textCursor()
        first, last = (
            2 * (position - self.document().findBlock(position).blockNumber())
            for position in (cursor.selectionStart(), cursor.selectionEnd())
        )
        return self.text.encode("utf-16-le")[first:last].decode("utf-16-le", errors="ignore")

    def rows_at(self, width: int, most: int) -> int:
        """About how many rows it takes in this width, at most so many."""
        room = width - 2 * self.document().documentMargin()
        columns = max(20, int(room / QFontMetricsF(self.font()).horizontalAdvance("0")))
        rows, block = 0, self.document().begin()
        while block.isValid() and rows < most:
            rows += -(-block.length() // columns)
            block = block.next()
        return min(rows, most)

    # Inside

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(400), self._theme.px(112))

    def createMimeDataFromSelection(self) -> QMimeData:
        mime = QMimeData()
        mime.setText(self.selected_text())
        return mime

    def paintEvent(self, event: QPaintEvent) -> None:
        block = self.firstVisibleBlock()
        bottom = self.viewport().height() - self.contentOffset().y()
        while block.isValid() and self.blockBoundingGeometry(block).top() <= bottom:
            if block.blockNumber() not in self._coloured:
                self._coloured.add(block.blockNumber())
                block.layout().setFormats(self._ranges(block))
            block = block.next()
        super().paintEvent(event)

    def _ranges(self, block: QTextBlock) -> list[QTextLayout.FormatRange]:
        """What is coloured in a line."""
        start = block.position() - block.blockNumber()  # in the body, which has no breaks
        end = start + block.length() - 1
        ranges = []
        at = max(0, bisect_left(self._tokens, (start, 0, "")) - 1)
        while at < len(self._tokens) and self._tokens[at][0] < end:
            first, last, kind = self._tokens[at]
            made = QTextLayout.FormatRange()
            made.start = max(first, start) - start
            made.length = min(last, end) - start - made.start
            made.format = self._formats[kind]
            if made.length > 0:
                ranges.append(made)
            at += 1
        return ranges

    def _dress(self) -> None:
        self.setFont(self._theme.font("code-small"))
        self.document().setDefaultFont(self._theme.font("code-small"))
        self.document().setDocumentMargin(self._theme.px(12))
        self.setStyleSheet(
            f"QPlainTextEdit#outbound_body {{ background: transparent; border: 0; padding: 0;"
            f" color: {self._theme.hex('code-text')};"
            f" font-family: 'JetBrains Mono'; font-size: {self._theme.px(12)}px; }}"
        )
        for kind, colour in _COLOURS.items():
            self._formats[kind] = QTextCharFormat()
            self._formats[kind].setForeground(self._theme.color(colour))
        self._formats["instruction"].setBackground(self._theme.color("warning-soft"))
        self._coloured.clear()


def _tokens(text: str) -> Iterator[Token]:
    """What has a colour of its own; the text of a system prompt is an instruction."""
    key, expected = "", False
    for found in _TOKEN.finditer(text):
        start, end = found.span()
        token = text[start:end] if end - start < 40 else ""
        if text[start] != '"':
            kind = "constant" if text[start].isalpha() else "number"
        elif text[end : end + 1] == ":":
            kind, key = "key", token
            expected = expected or key in _INSTRUCTION_KEYS
        elif key == '"role"':
            kind, expected = "string", token in _INSTRUCTION_ROLES
        elif expected and key in _INSTRUCTION_TEXTS:
            kind, expected = "instruction", False
        else:
            kind = "string"
        yield start, end, kind


def _lines(text: str) -> Iterator[str]:
    """The text with line breaks where a reader wants them; nothing else is changed."""
    start = 0
    for end in (*_breaks(text), len(text)):
        while end - start > _LONGEST_LINE:
            most = start + _LONGEST_LINE
            cut = text.rfind(" ", start, most) + 1 or most
            yield text[start:cut]
            start = cut
        if end > start:
            yield text[start:end].replace("\n", " ")
            start = end


def _breaks(text: str) -> Iterator[int]:
    """After each message, and after each line of what a person wrote."""
    for found in _BREAK.finditer(text):
        if found[0] == "{":
            yield found.start()
        elif found[0] in ("\\n", "\n"):
            yield found.end()


def _made_visible(text: str) -> tuple[str, int]:
    """The text with replacements for invisible characters, and how many of them there are.

    Looks closely only where it is not ASCII: a picture is many megabytes of plain letters.
    """
    pieces, at, count = [], 0, 0
    for found in _BEYOND_ASCII.finditer(text):
        start = max(at, found.start() - 1)  # the sign before may be one with a picture
        shown, more = _INVISIBLE.subn(_replacement, text[start : found.end()])
        if more:
            pieces += [text[at:start], shown]
            at, count = found.end(), count + more
    return "".join([*pieces, text[at:]]), count


def _replacement(found: re.Match[str]) -> str:
    """As many units of Qt as the character has."""
    return _REPLACEMENT * (2 if found[0] > "\uffff" else 1)
