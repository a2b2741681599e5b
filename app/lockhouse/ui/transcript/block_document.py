"""One block as a laid-out document: painting, measuring, hit tests. No widgets.

Hides QTextDocument. It draws what rich text has no words for (grounds of inline code, markers of
list items, bars of quotes, marks of a search) and never loads anything: resources of any kind are
refused. Positions are characters of the document; ``text`` gives them back as plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from PySide6.QtCore import QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QFontMetricsF,
    QPainter,
    QPalette,
    QPen,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextLine,
    QTextOption,
)

from lockhouse.ui.markdown import Block, CodeBlock, Paragraph, Run, TableBlock, TextBlock
from lockhouse.ui.transcript.styles import PAD, Styles, paint_marker
from lockhouse.ui.transcript.syntax_highlighting import Span, formats_for, spans_of
from lockhouse.ui.transcript.tables import TableWriter

MAX_CODE_LINES = 2000
MAX_CODE_LINE_CHARS = 4000


class SealedDocument(QTextDocument):
    """A document that loads no resources, whatever its text refers to."""

    def loadResource(self, _kind: int, _name: QUrl | str) -> Any:
        return None


@dataclass(frozen=True, slots=True)
class Mark:
    """A search match; the current one is highlighted more."""

    start: int
    end: int
    current: bool = False


class BlockDocument:
    """The drawable form of one block."""

    def __init__(self) -> None:
        self.document = SealedDocument()
        self.document.setUndoRedoEnabled(False)
        self.document.setDocumentMargin(0)
        self._styles: Styles | None = None
        self._block: Block | None = None
        self._table: TableWriter | None = None
        self._code_spans: list[tuple[int, int]] = []
        self._code_rects: list[QRectF] | None = None
        self._paragraphs: tuple[Paragraph, ...] = ()
        self._indent_step = 0
        self._width = -1.0
        self._lift = 0.0
        self._spans: Sequence[tuple[Span, ...]] = ()

    @property
    def styles(self) -> Styles | None:
        return self._styles

    # content

    def show(self, block: Block, styles: Styles, *, ink: str = "text-1") -> None:
        """Show a block. Code and tables that only grew are appended to."""
        if block == self._block and styles is self._styles:
            return
        grown = self._grown_code(block, styles)
        grows = (
            self._table is not None
            and styles is self._styles
            and isinstance(block, TableBlock)
            and self._table.can_grow_to(block)
        )
        self._block, self._styles = block, styles
        self._code_rects = None
        if grown is not None:
            self._append_code(grown)
            return
        if grows and isinstance(block, TableBlock):
            self._grow_table(block)
            return
        self._reset(styles)
        match block:
            case TextBlock(paragraphs):
                self._fill_text(paragraphs, styles, ink)
            case CodeBlock():
                self._fill_code(block, styles)
            case TableBlock():
                self._fill_table(block, styles)
            case _:
                pass

    def show_plain(self, text: str, styles: Styles, *, role: str = "reading", ink: str) -> None:
        """Show plain text; text that only grew is appended to."""
        block = TextBlock((Paragraph((Run(text, dim=ink == "text-3"),)),))
        old = self._block
        if (
            isinstance(old, TextBlock)
            and styles is self._styles
            and text.startswith(shown := old.paragraphs[0].runs[0].text)
            and self._paragraphs == ()
            and shown
        ):
            if len(text) > len(shown):
                cursor = QTextCursor(self.document)
                cursor.movePosition(QTextCursor.MoveOperation.End)
                cursor.insertText(text[len(shown) :])
            self._block = block
            return
        self._block, self._styles = block, styles
        self._reset(styles)
        cursor = QTextCursor(self.document)
        cursor.setBlockFormat(styles.fixed_lines("body" if role == "body" else "reading"))
        cursor.insertText(text, styles.char(Run(""), role, ink))

    def _reset(self, styles: Styles) -> None:
        self._code_spans = []
        self._table = None
        self._spans = ()
        self._paragraphs = ()
        self._width = -1.0
        self.document.clear()
        code = isinstance(self._block, CodeBlock)
        self.document.setDefaultFont(styles.fonts["code" if code else "reading"])
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        if code:
            option.setTabStopDistance(
                4 * QFontMetricsF(styles.fonts["code"]).horizontalAdvance(" ")
            )
        self.document.setDefaultTextOption(option)
        self._lift = round(styles.theme.scale)

    def _fill_text(self, paragraphs: tuple[Paragraph, ...], styles: Styles, ink: str) -> None:
        self._paragraphs = paragraphs
        self._indent_step = self._step(paragraphs, styles)
        cursor = QTextCursor(self.document)
        cursor.beginEditBlock()
        for index, paragraph in enumerate(paragraphs):
            form = styles.block(paragraph, first=index == 0, step=self._indent_step)
            colour = "text-2" if paragraph.quote else ink
            if index:
                cursor.insertBlock(form, styles.char(Run(""), paragraph.kind, colour))
            else:
                cursor.setBlockFormat(form)
            self._insert_runs(cursor, paragraph.runs, styles, paragraph.kind, colour)
        cursor.endEditBlock()

    def _insert_runs(
        self, cursor: QTextCursor, runs: Sequence[Run], styles: Styles, base: str, ink: str
    ) -> None:
        for run in runs:
            form = styles.char(run, base, ink)
            text = run.text.replace("\n", "\u2028")
            if not run.code:
                cursor.insertText(text, form)
                continue
            around = styles.char(Run(""), base, ink)
            cursor.insertText(PAD, around)
            start = cursor.position()
            cursor.insertText(text, form)
            self._code_spans.append((start, cursor.position()))
            cursor.insertText(PAD, around)

    def _step(self, paragraphs: tuple[Paragraph, ...], styles: Styles) -> int:
        widest = max((p.marker for p in paragraphs), key=len, default="")
        if len(widest) < 3:
            return styles.indent
        metrics = QFontMetricsF(styles.fonts["reading"])
        return max(styles.indent, round(metrics.horizontalAdvance(widest) + styles.theme.px(10)))

    def _fill_code(self, block: CodeBlock, styles: Styles) -> None:
        cursor = QTextCursor(self.document)
        cursor.setBlockFormat(styles.fixed_lines("code"))
        cursor.insertText(_drawn_code(block.code), styles.char(Run(""), "code", "code-text"))
        if block.closed:
            self.highlight()

    def _grown_code(self, block: Block, styles: Styles) -> str | None:
        """What was appended to the code shown before; None when it is other code."""
        old = self._block
        if not (isinstance(block, CodeBlock) and isinstance(old, CodeBlock)):
            return None
        if styles is not self._styles or not block.code.startswith(old.code) or not old.code:
            return None
        if block.code.count("\n") >= MAX_CODE_LINES or old.language != block.language:
            return None
        last_line = len(block.code) - block.code.rfind("\n", 0, len(old.code))
        if last_line > MAX_CODE_LINE_CHARS:
            return None
        return block.code[len(old.code) :]

    def _append_code(self, text: str) -> None:
        if text:
            cursor = QTextCursor(self.document)
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(text)

    def highlight(self) -> None:
        """Colour the code as it is now. Costly: at most a few times a second while it grows."""
        block, styles = self._block, self._styles
        if not isinstance(block, CodeBlock) or styles is None:
            return
        spans = spans_of(_drawn_code(block.code), block.language)
        line = self.document.begin()
        first = last = -1
        for number, wanted in enumerate(spans):
            if not line.isValid():
                break
            if number >= len(self._spans) or self._spans[number] != wanted:
                line.layout().setFormats(formats_for(wanted, styles.theme))
                first = line.position() if first < 0 else first
                last = line.position() + line.length()
            line = line.next()
        self._spans = spans
        if first >= 0:  # setting formats discarded the lines
            self.document.markContentsDirty(first, last - first)

    def _fill_table(self, block: TableBlock, styles: Styles) -> None:
        cursor = QTextCursor(self.document)
        cursor.beginEditBlock()
        self._table = TableWriter(cursor, block, styles, self._insert_runs)
        cursor.endEditBlock()

    def _grow_table(self, block: TableBlock) -> None:
        assert self._table is not None
        cursor = QTextCursor(self.document)
        cursor.beginEditBlock()
        kept = list(self._code_spans)
        first = self._table.grow_to(block)
        added = self._code_spans[len(kept) :]
        self._code_spans = [span for span in kept if span[0] < first] + added
        cursor.endEditBlock()

    # measuring

    def set_width(self, width: float, *, wrap: bool = True) -> float:
        """Lay out for a width; gives the height."""
        if not wrap:
            width = -1.0
        if self._table is not None:
            width = self._table.fit_to(width)
        if width != self._width or wrap is False:
            self._width = width
            self._code_rects = None
            self.document.setTextWidth(width)
        return self.document.size().height()

    def height(self) -> float:
        return self.document.size().height()

    def ideal_width(self) -> float:
        """How wide it wants to be; of a table, how wide it is."""
        if self._table is not None:
            return self._width
        return self.document.idealWidth()

    # hit tests

    def length(self) -> int:
        return self.document.characterCount() - 1

    def position_at(self, point: QPointF) -> int:
        """The character nearest to a point."""
        layout = self.document.documentLayout()
        found = layout.hitTest(point + QPointF(0, self._lift), Qt.HitTestAccuracy.FuzzyHit)
        return max(0, min(found, self.length()))

    def format_at(self, point: QPointF) -> QTextCharFormat | None:
        """The format of the character exactly under a point, None where there is none."""
        layout = self.document.documentLayout()
        at = layout.hitTest(point + QPointF(0, self._lift), Qt.HitTestAccuracy.ExactHit)
        if at < 0:
            return None
        cursor = QTextCursor(self.document)
        cursor.setPosition(min(at + 1, self.length()))
        return cursor.charFormat()

    def word_at(self, position: int) -> tuple[int, int]:
        return self._around(position, QTextCursor.SelectionType.WordUnderCursor)

    def paragraph_at(self, position: int) -> tuple[int, int]:
        return self._around(position, QTextCursor.SelectionType.BlockUnderCursor)

    def _around(self, position: int, kind: QTextCursor.SelectionType) -> tuple[int, int]:
        cursor = QTextCursor(self.document)
        cursor.setPosition(min(position, self.length()))
        cursor.select(kind)
        return cursor.selectionStart(), cursor.selectionEnd()

    def raw_text(self) -> str:
        """One character per position, for searching."""
        return self.document.toRawText()

    def text(self, start: int, end: int) -> str:
        """Plain text of a range, markers of list items included where it covers them."""
        pieces: list[str] = []
        table = isinstance(self._block, TableBlock)
        row_ends = len(self._block.header) if isinstance(self._block, TableBlock) else 0
        block = self.document.findBlock(start)
        while block.isValid() and block.position() <= end:
            first = max(start - block.position(), 0)
            last = min(end - block.position(), block.length() - 1)
            piece = block.text()[first:last]
            number = block.blockNumber()
            if not table and first == 0 and number < len(self._paragraphs):
                paragraph = self._paragraphs[number]
                if paragraph.marker:
                    piece = f"{'  ' * (paragraph.indent - 1)}{paragraph.marker} {piece}"
            if not table or number:
                pieces.append(piece)
            block = block.next()
        text = "\n".join(pieces)
        if table and row_ends:
            rows = [pieces[i : i + row_ends] for i in range(0, len(pieces), row_ends)]
            text = "\n".join("\t".join(row) for row in rows).rstrip("\n\t")
        return text.replace(PAD, "").replace("\u2028", "\n").replace("\xa0", " ")

    def rect_of(self, position: int) -> QRectF:
        """Where a character is drawn."""
        block = self.document.findBlock(position)
        box = self.document.documentLayout().blockBoundingRect(block)
        line = block.layout().lineForTextPosition(position - block.position())
        if not line.isValid():
            return box
        left = _x(line, position - block.position())
        return QRectF(
            box.left() + left, box.top() + line.y() - self._lift, 1, max(1.0, line.height())
        )

    # painting

    def paint(
        self,
        painter: QPainter,
        clip: QRectF,
        *,
        selection: tuple[int, int] | None = None,
        marks: Sequence[Mark] = (),
    ) -> None:
        styles = self._styles
        if styles is None:
            return
        painter.save()
        painter.translate(0, -self._lift)
        clip = clip.translated(0, self._lift)
        self._paint_grounds(painter, styles)
        for mark in marks:
            self._paint_mark(painter, mark, styles)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.clip = clip
        context.palette.setColor(QPalette.ColorRole.Text, styles.theme.color("text-1"))
        if selection is not None and selection[0] < selection[1]:
            context.selections = [self._selection(*selection, styles)]
        self.document.documentLayout().draw(painter, context)
        self._paint_markers(painter, clip, styles)
        painter.restore()

    def _selection(
        self, start: int, end: int, styles: Styles
    ) -> QAbstractTextDocumentLayout.Selection:
        chosen = QAbstractTextDocumentLayout.Selection()
        cursor = QTextCursor(self.document)
        cursor.setPosition(max(0, start))
        cursor.setPosition(min(end, self.length()), QTextCursor.MoveMode.KeepAnchor)
        chosen.cursor = cursor
        chosen.format.setBackground(styles.theme.color("selection"))
        return chosen

    def _paint_grounds(self, painter: QPainter, styles: Styles) -> None:
        if not self._code_spans:
            return
        if self._code_rects is None:
            self._code_rects = [
                rect for start, end in self._code_spans for rect in self._rects(start, end)
            ]
        px = styles.theme.px
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(styles.theme.color("border"), 1))
        painter.setBrush(styles.theme.color("code-bg"))
        height = px(18)
        for rect in self._code_rects:
            baseline_box = QRectF(
                rect.left() - px(4), rect.bottom() - height, rect.width() + px(8), height
            )
            painter.drawRoundedRect(baseline_box.adjusted(0.5, 0.5, -0.5, -0.5), px(4), px(4))

    def _paint_mark(self, painter: QPainter, mark: Mark, styles: Styles) -> None:
        colour = styles.theme.color("warning-soft" if not mark.current else "selection")
        for rect in self._rects(mark.start, mark.end):
            painter.fillRect(rect, colour)
            if mark.current:
                painter.setPen(QPen(styles.theme.color("focus"), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))

    def _rects(self, start: int, end: int) -> list[QRectF]:
        """Where a range of characters is, one rectangle a line."""
        layout = self.document.documentLayout()
        found: list[QRectF] = []
        block = self.document.findBlock(start)
        while block.isValid() and block.position() < end:
            origin = layout.blockBoundingRect(block).topLeft()
            lines = block.layout()
            first, last = max(start - block.position(), 0), end - block.position()
            for index in range(lines.lineCount()):
                line = lines.lineAt(index)
                left = max(first, line.textStart())
                right = min(last, line.textStart() + line.textLength())
                if left < right:
                    x1, x2 = _x(line, left), _x(line, right)
                    found.append(
                        QRectF(
                            origin.x() + min(x1, x2),
                            origin.y() + line.y(),
                            abs(x2 - x1),
                            line.height(),
                        )
                    )
            block = block.next()
        return found

    def _paint_markers(self, painter: QPainter, clip: QRectF, styles: Styles) -> None:
        if not any(p.marker or p.quote for p in self._paragraphs):
            return
        layout = self.document.documentLayout()
        block = self.document.begin()
        for paragraph in self._paragraphs:
            if not block.isValid():
                return
            if paragraph.marker or paragraph.quote:
                box = layout.blockBoundingRect(block)
                if box.top() > clip.bottom():
                    return
                if box.bottom() >= clip.top():
                    self._paint_marker(painter, paragraph, block, box, styles)
            block = block.next()

    def _paint_marker(
        self,
        painter: QPainter,
        paragraph: Paragraph,
        block: QTextBlock,
        box: QRectF,
        styles: Styles,
    ) -> None:
        theme, px = styles.theme, styles.theme.px
        mirrored = paragraph.is_right_to_left
        right = self.document.size().width()
        for depth in range(paragraph.quote):
            at = depth * styles.quote_indent
            left = right - at - px(3) if mirrored else float(at)
            painter.fillRect(
                QRectF(left, box.top(), px(3), box.height()), theme.color("border-strong")
            )
        if not paragraph.marker:
            return
        line = block.layout().lineAt(0)
        start = paragraph.quote * styles.quote_indent + paragraph.indent * self._indent_step
        text = right - start if mirrored else float(start)
        top = box.top() + (line.y() if line.isValid() else 0)
        height = line.height() if line.isValid() else styles.line
        middle = top + height * 0.8 - px(5)
        paint_marker(
            painter, styles, paragraph.marker, QPointF(text, middle), top, height,
            mirrored=mirrored,
        )  # fmt: skip


def _x(line: QTextLine, position: int) -> float:
    """Where a character starts in its line."""
    return cast("tuple[float, int]", line.cursorToX(position))[0]


def _drawn_code(code: str) -> str:
    """The code as drawn: long lines and many lines are cut, but copied in full."""
    lines = code.split("\n")
    longest = max(map(len, lines), default=0)
    if len(lines) <= MAX_CODE_LINES and longest <= MAX_CODE_LINE_CHARS:
        return code
    shown = [
        line
        if len(line) <= MAX_CODE_LINE_CHARS
        else f"{line[:MAX_CODE_LINE_CHARS]} … {len(line) - MAX_CODE_LINE_CHARS:,} more characters"
        for line in lines[:MAX_CODE_LINES]
    ]
    if len(lines) > MAX_CODE_LINES:
        shown.append(f"… {len(lines) - MAX_CODE_LINES:,} more lines; copy or save to get all")
    return "\n".join(shown)
