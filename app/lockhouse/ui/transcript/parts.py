"""The parts of a card: text, framed code, a rule.

Each draws a :class:`BlockDocument` and passes mouse events to the view, which handles selection
across parts and cards. To a screen reader each is a static text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QScrollBar,
    QToolButton,
    QToolTip,
    QWidget,
)

from lockhouse.core.errors import StorageError
from lockhouse.storage.exports import export_text
from lockhouse.ui.markdown import Block, CodeBlock, RuleBlock, TableBlock
from lockhouse.ui.markdown.blocks import block_text
from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.timers import once
from lockhouse.ui.transcript.block_document import BlockDocument, Mark
from lockhouse.ui.transcript.styles import Styles
from lockhouse.ui.transcript.syntax_highlighting import language_of
from lockhouse.ui.widgets import IconButton

_HIGHLIGHT_EVERY_MS = 150
_COPIED_MS = 1500


class TextPart(QLabel):
    """A block of text or a table, drawn."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.content = BlockDocument()
        self.shift = 0.0  # scrolled to the right by, for code that is not wrapped
        self.selection: tuple[int, int] | None = None
        self.marks: Sequence[Mark] = ()
        self.caret = False  # a block cursor at the end while text streams in
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)

    def show_block(self, block: Block, styles: Styles, *, ink: str = "text-1") -> None:
        self.content.show(block, styles, ink=ink)
        self.update()

    def show_plain(self, text: str, styles: Styles, *, role: str = "reading", ink: str) -> None:
        self.content.show_plain(text, styles, role=role, ink=ink)
        self.update()

    def fit(self, width: int) -> int:
        return int(self.content.set_width(width) + 0.999)

    def describe(self, words: str) -> None:
        """What a screen reader reads; set when the text is final, not for each token."""
        if self.accessibleName() != words:
            self.setAccessibleName(words)

    def choose(self, selection: tuple[int, int] | None) -> None:
        if selection != self.selection:
            self.selection = selection
            self.update()

    def mark(self, marks: Sequence[Mark]) -> None:
        if marks != self.marks:
            self.marks = marks
            self.update()

    def position_at(self, point: QPointF) -> int:
        return self.content.position_at(point + QPointF(self.shift, 0))

    def link_at(self, point: QPointF) -> str:
        form = self.content.format_at(point + QPointF(self.shift, 0))
        return form.anchorHref() if form is not None else ""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.translate(-self.shift, 0)
        clip = QRectF(event.rect()).translated(self.shift, 0)
        self.content.paint(painter, clip, selection=self.selection, marks=self.marks)
        if self.caret:
            self._paint_caret(painter)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() == Qt.MouseButton.NoButton:
            over = bool(self.link_at(event.position()))
            shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.IBeamCursor
            if self.cursor().shape() != shape:
                self.setCursor(shape)
        event.ignore()

    def tip_at(self, point: QPointF) -> str:
        """What is said about the text under a point: a formula's source, a link's address."""
        form = self.content.format_at(point + QPointF(self.shift, 0))
        return form.toolTip() if form is not None else ""

    def _paint_caret(self, painter: QPainter) -> None:
        box = self.content.rect_of(self.content.length())
        styles = self.content.styles
        if styles is not None:
            px = styles.theme.px
            top = box.center().y() - px(7)
            painter.fillRect(
                QRectF(box.left() + px(2), top, px(7), px(15)), styles.theme.color("accent")
            )


class RulePart(QWidget):
    """A horizontal line."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        line = QRectF(0, self.height() // 2, self.width(), 1)
        painter.fillRect(line, self._theme.color("border-strong"))


class ScrolledPart(TextPart):
    """What is inside a frame that scrolls: turns the wheel sideways into scrolling."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        frame = self.parent()
        step = event.pixelDelta().x() or event.angleDelta().x() / 2
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not step:
            step = event.angleDelta().y() / 2
        if step and isinstance(frame, CodePart | TablePart) and frame.scroll_by(-int(step)):
            event.accept()
        else:
            event.ignore()


class CodePart(QWidget):
    """A framed box: language, wrap, save, copy; the code below."""

    wrap_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._block = CodeBlock("")
        self._wrapped = False
        self._language = language_of("")
        self.body = ScrolledPart(self)
        self._wrap = IconButton(theme, "wrap-text", "Wrap long lines", self)
        self._wrap.setCheckable(True)
        self._wrap.toggled.connect(self._set_wrapped)
        self._save = IconButton(theme, "download", "Save code as a file", self)
        self._save.clicked.connect(self._save_file)
        self._copy = QToolButton(self)
        self._copy.setText("Copy")
        self._copy.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._copy.setProperty("kind", "text")
        self._copy.setAccessibleName("Copy code")
        self._copy.clicked.connect(self._copy_code)
        theme.bind_icon(self._copy, "copy", size=14)
        self._bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self._bar.valueChanged.connect(self._scrolled)
        self._bar.hide()
        self._colour_later = once(self, _HIGHLIGHT_EVERY_MS, self._colour)
        self._copied = once(self, _COPIED_MS, self._show_copy)

    def show_block(self, block: CodeBlock, styles: Styles) -> None:
        if block.language != self._block.language or not block.code.startswith(self._block.code):
            self._wrap.setChecked(False)
            self._bar.setValue(0)
        self._block = block
        self._language = language_of(block.language)
        self._save.setToolTip(f"Save as .{self._language.suffix}")
        self.body.show_block(block, styles)
        if block.closed:  # what was filled at once has its colours; what grew gets its last now
            self._colour_later.start(0)
        elif not self._colour_later.isActive():
            self._colour_later.start(_HIGHLIGHT_EVERY_MS)
        self.update()

    def fit(self, width: int) -> int:
        """Lay out for a width; gives the height of the whole frame."""
        px = self._theme.px
        head, pad, side = px(32), px(8), px(12)
        inner = width - 2 * side - 2
        text = int(self.body.content.set_width(inner, wrap=self._wrapped) + 0.999)
        wide = 0 if self._wrapped else int(self.body.content.ideal_width()) - inner
        bar = px(12) if wide > 0 else 0
        self.body.setGeometry(1 + side, 1 + head + pad, inner + side, text)
        self._bar.setVisible(wide > 0)
        if wide > 0:
            self._bar.setGeometry(1, 1 + head + pad + text, width - 2, bar)
            self._bar.setRange(0, wide + side)
            self._bar.setPageStep(inner)
        else:
            self.body.shift = 0
        self._place_head(width, head)
        return 1 + head + pad + text + max(pad, bar) + 1

    def scroll_by(self, step: int) -> bool:
        before = self._bar.value()
        if self._bar.isVisible():
            self._bar.setValue(before + step)
        return self._bar.value() != before

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("border"), 1))
        painter.setBrush(theme.color("code-bg"))
        radius = px(tokens.RADIUS_CONTROL)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        painter.fillRect(QRectF(1, px(32), self.width() - 2, 1), theme.color("border"))
        painter.setFont(theme.font("caption", weight=500))
        painter.setPen(theme.color("text-2"))
        box = QRectF(1 + px(12), 0, self.width() / 2, px(32))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self._language.label)

    def _place_head(self, width: int, head: int) -> None:
        px = self._theme.px
        side = px(tokens.COMPACT_HEIGHT)
        top = (head - side) // 2 + 1
        words = QFontMetricsF(self._theme.font("caption", weight=500))
        copy = round(words.horizontalAdvance(self._copy.text())) + px(14 + 8 + 14)
        self._copy.setGeometry(width - px(6) - copy, top, copy, side)
        left = self._copy.x() - side
        self._save.setGeometry(left, top, side, side)
        self._wrap.setGeometry(left - side, top, side, side)

    def _set_wrapped(self, wrapped: bool) -> None:  # noqa: FBT001 - a slot of toggled(bool)
        self._wrapped = wrapped
        self.wrap_changed.emit()

    def _scrolled(self, value: int) -> None:
        self.body.shift = value
        self.body.update()

    def _colour(self) -> None:
        self.body.content.highlight()
        self.body.update()

    def _copy_code(self) -> None:
        QApplication.clipboard().setText(self._block.code)
        self._theme.bind_icon(self._copy, "check", size=14, role="success")
        self._copy.setText("Copied")
        self._place_head(self.width(), self._theme.px(32))
        self._copied.start()

    def _show_copy(self) -> None:
        self._theme.bind_icon(self._copy, "copy", size=14)
        self._copy.setText("Copy")
        self._place_head(self.width(), self._theme.px(32))

    def _save_file(self) -> None:
        suggested = f"snippet.{self._language.suffix}"
        name, _ = QFileDialog.getSaveFileName(self, "Save code", suggested)
        if name and not save_text(Path(name), self._block.code):
            QToolTip.showText(
                self._save.mapToGlobal(self._save.rect().bottomLeft()),
                "The file could not be written. Choose another folder.",
                self._save,
            )


class TablePart(QWidget):
    """A table, and a scroll bar below it when it is wider than its room."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.body = ScrolledPart(self)
        self._bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self._bar.valueChanged.connect(self._scrolled)
        self._bar.hide()

    def show_block(self, block: TableBlock, styles: Styles) -> None:
        self.body.show_block(block, styles)

    def fit(self, width: int) -> int:
        """Lay out for a width; gives the height with the scroll bar."""
        height = int(self.body.content.set_width(width) + 0.999)
        wide = int(self.body.content.ideal_width()) - width
        self.body.setGeometry(0, 0, width, height)
        self._bar.setVisible(wide > 0)
        if wide <= 0:
            self.body.shift = 0
            return height
        bar = self._theme.px(12)
        self._bar.setGeometry(0, height, width, bar)
        self._bar.setRange(0, wide)
        self._bar.setPageStep(width)
        return height + bar

    def scroll_by(self, step: int) -> bool:
        before = self._bar.value()
        if self._bar.isVisible():
            self._bar.setValue(before + step)
        return self._bar.value() != before

    def _scrolled(self, value: int) -> None:
        self.body.shift = value
        self.body.update()


def save_text(path: Path, text: str) -> bool:
    """Write a file whole or not at all."""
    try:
        export_text(path, text)
    except StorageError:
        return False
    return True


def make_part(block: Block, theme: Theme, parent: QWidget) -> QWidget:
    """A new empty widget of the kind that draws this block."""
    if isinstance(block, CodeBlock):
        return CodePart(theme, parent)
    if isinstance(block, TableBlock):
        return TablePart(theme, parent)
    if isinstance(block, RuleBlock):
        return RulePart(theme, parent)
    return TextPart(parent)


def fits_block(part: QWidget, block: Block) -> bool:
    """Whether this widget can be used again for that block."""
    if isinstance(block, CodeBlock):
        return isinstance(part, CodePart)
    if isinstance(block, TableBlock):
        return isinstance(part, TablePart)
    if isinstance(block, RuleBlock):
        return isinstance(part, RulePart)
    return type(part) is TextPart


def fill_part(part: QWidget, block: Block, styles: Styles, *, final: bool) -> None:
    """Show a block in a widget that fits it."""
    leaf = leaf_of(part)
    if isinstance(part, CodePart):
        assert isinstance(block, CodeBlock)
        part.show_block(block, styles)
    elif isinstance(part, TablePart):
        assert isinstance(block, TableBlock)
        part.show_block(block, styles)
    elif isinstance(part, TextPart):
        part.show_block(block, styles)
    if leaf is not None:
        leaf.describe(block_text(block)[:20_000] if final else "")


def fit_part(part: QWidget, width: int, theme: Theme) -> int:
    """Lay a piece out for a width; gives its height."""
    if isinstance(part, TextPart | CodePart | TablePart):
        return part.fit(width)
    return theme.px(17)


def leaf_of(part: QWidget) -> TextPart | None:
    """The text in a piece that can be selected and searched."""
    if isinstance(part, CodePart | TablePart):
        return part.body
    return part if isinstance(part, TextPart) else None
