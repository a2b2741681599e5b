"""One message on screen; reused for other messages as they scroll into view.

Hides how a message is stacked (header, reasoning, blocks, note, actions), and that only the blocks
near the visible part exist as widgets; the others are gaps of known or guessed height.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from lockhouse.ui.markdown import Block, CodeBlock, TableBlock, TextBlock
from lockhouse.ui.markdown.blocks import block_text
from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.transcript import header
from lockhouse.ui.transcript.actions import ActionRow
from lockhouse.ui.transcript.edit_box import EditBox
from lockhouse.ui.transcript.files import FileMarks, Loader
from lockhouse.ui.transcript.items import Item
from lockhouse.ui.transcript.notes import StatusNote, WaitingRow
from lockhouse.ui.transcript.parts import (
    CodePart,
    TextPart,
    fill_part,
    fit_part,
    fits_block,
    leaf_of,
    make_part,
)
from lockhouse.ui.transcript.reasoning import ReasoningBox
from lockhouse.ui.transcript.styles import Styles, gap, one_line

REASONING_PART = -1
_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.OtherFocusReason,
)


class MessageCard(QWidget):
    """Shows one :class:`Item` at a time. ``arrange`` returns its height."""

    action = Signal(str)
    edited = Signal(str, bool)
    edit_cancelled = Signal()
    layout_wanted = Signal()
    file_forwarded = Signal(int)  # number of the file

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.item: Item | None = None
        self._styles: Styles | None = None
        self._parts: dict[int, QWidget] = {}
        self._spare: list[QWidget] = []
        self._blocks_top = 0
        self._bubble_top = 0
        self._column = QRect()
        self._bubble = QRectF()
        self._newest = False
        self._hovered = False
        self._focus_within = False
        self._ring = False
        self._actions: ActionRow | None = None
        self._reasoning: ReasoningBox | None = None
        self._note: StatusNote | None = None
        self._waiting: WaitingRow | None = None
        self._unfold: QPushButton | None = None
        self._files: FileMarks | None = None
        self.edit_box: EditBox | None = None
        self.load_picture: Loader | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover, on=False)

    # content

    def bind(self, item: Item, styles: Styles) -> None:
        """Show a message, reusing the parts of the one before."""
        if item is not self.item or styles is not self._styles:
            self.stop_editing()
            for index in list(self._parts):
                self._release(index)
            self._hovered = False
            self._focus_within = False
        self.item, self._styles = item, styles
        self.refresh()
        if item.edit_text is not None and self.edit_box is None:
            self._open_editor(item)

    def refresh(self) -> None:
        """Update after the message changed or grew; equal blocks are kept."""
        item, styles = self.item, self._styles
        if item is None or styles is None:
            return
        first = item.look(self._gap_above, self._guess)
        final = not item.streaming
        last = len(item.shown) - 1
        for index, part in list(self._parts.items()):
            if index > last or not fits_block(part, item.shown[index]):
                self._release(index)
                continue
            if index >= first or final:
                fill_part(part, item.shown[index], styles, final=item.is_final(index))
            leaf = leaf_of(part)
            if leaf is not None:
                leaf.caret = item.streaming and index == last
        self._show_furniture(item, styles)
        self.setAccessibleName(self._spoken_name(item))
        self.update()

    def _show_furniture(self, item: Item, styles: Styles) -> None:
        answer = item.message.role == "assistant"
        if answer and item.reasoning():
            box = self._reasoning_box()
            box.show_state(
                item.reasoning(),
                styles,
                seconds=item.thinking_seconds(),
                running=item.thinking,
                opened=item.reasoning_open,
            )
            box.show()
        elif self._reasoning is not None:
            self._reasoning.hide()
        if answer and (item.message.status in ("cut", "cancelled", "failed") or item.message.limit):
            note = self._status_note()
            note.show_message(item.message)
            note.show()
        elif self._note is not None:
            self._note.hide()
        if answer and item.streaming and not item.text() and not item.thinking:
            row = self._waiting_row()
            row.show_progress(item.progress)
            row.show()
        elif self._waiting is not None:
            self._waiting.hide()
        if item.message.files or item.message.pictures:
            marks = self._file_marks()
            marks.show_files(item.message.files, item.open_files, item.message.pictures)
            marks.show()
        elif self._files is not None:
            self._files.hide()
        hidden = item.folded_chars()
        if hidden:
            self._unfold_button().setText(f"Show {hidden:,} more characters")
            self._unfold_button().show()
        elif self._unfold is not None:
            self._unfold.hide()
        if self._actions is not None:
            self._actions.show_message(item.message)
        self._show_actions()

    def _spoken_name(self, item: Item) -> str:
        who = item.message.header_name or "the model"
        speaker = f"Answer from {who}" if item.message.role == "assistant" else "You"
        names = [file.name for file in item.message.files]
        names += [picture.name or "a picture" for picture in item.message.pictures]
        files = ", ".join(names)
        told = f" (with {files})" if files else ""
        badge = f", {item.message.badge}" if item.message.leaves else ""
        return f"{speaker}{badge}{told}: {item.words()[:160]}"

    def name_line(self) -> QRect:
        """The area of the header of an answer, in the view; empty for a question."""
        if self.item is None or self.item.message.role != "assistant":
            return QRect()
        px = self._theme.px
        top = self.y() + px(header.TOP)
        return QRect(self._column.x(), top, self._column.width(), px(header.HEIGHT))

    # layout

    def arrange(
        self, column: QRect, visible: tuple[float, float], *, ahead: int = 0, margin: int = 0
    ) -> tuple[int, bool]:
        """Place everything; returns the height, and whether blocks ahead were made.

        ``visible`` is the visible span in the card's own coordinates. Blocks in it are made;
        within ``margin`` of it at most ``ahead`` more are.
        """
        item = self.item
        if item is None:
            return 0, False
        self._column = column
        answer = item.message.role == "assistant"
        left, width = (column.x(), column.width()) if answer else self._bubble_span(column)
        item.lay_out_for((width, self._styles))
        top = self._arrange_head(column, answer=answer)
        if self.edit_box is not None:
            for index in list(self._parts):
                self._parts[index].hide()
                self._release(index)
            span = QRect(column.x(), top, column.width(), 0)
            height = self.edit_box.fit(span.width())
            self.edit_box.setGeometry(span.x(), top, span.width(), height)
            return top + height + self._theme.px(8), False
        bottom, made = self._arrange_blocks((left, top, width), visible, ahead=ahead, margin=margin)
        return self._arrange_foot(column, top, bottom, answer=answer), made

    def _arrange_head(self, column: QRect, *, answer: bool) -> int:
        """Header, waiting row and reasoning; returns where the blocks begin."""
        px = self._theme.px
        if not answer:
            top = self._bubble_top = px(16) + px(8)
            if self._files is not None and not self._files.isHidden():
                editing = self.edit_box is not None  # over the whole column
                left, width = (column.x(), column.width()) if editing else self._bubble_span(column)
                height = self._files.fit(width)
                self._files.setGeometry(left, top, width, height)
                top += height + (px(8) if self._has_blocks() else 0)
            return top
        top = px(18) + px(20)
        for widget in (self._reasoning, self._waiting, self._files):
            if widget is not None and not widget.isHidden():
                top += px(10)
                height = widget.fit(column.width())
                widget.setGeometry(column.x(), top, column.width(), height)
                top += height
        reasoned = self._reasoning is not None and not self._reasoning.isHidden()
        return top + px(12 if reasoned else 8)

    def _bubble_span(self, column: QRect) -> tuple[int, int]:
        """Left edge and width of the user's own text: at the right, beside its actions."""
        px = self._theme.px
        widest = min(px(tokens.BUBBLE_WIDTH), column.width() - px(120))
        inner = widest - 2 * px(14)
        shown = self.item.shown if self.item is not None else []
        if len(shown) == 1 and (text := one_line(shown[0])):
            metrics = QFontMetricsF(self._theme.font("reading"))
            inner = min(inner, max(int(metrics.horizontalAdvance(text)) + 2, self._files_width()))
        elif not shown and self._files_width():
            inner = min(inner, self._files_width())
        return column.right() + 1 - px(14) - inner, inner

    def _arrange_blocks(
        self,
        place: tuple[int, int, int],
        visible: tuple[float, float],
        *,
        ahead: int,
        margin: int,
    ) -> tuple[int, bool]:
        item = self.item
        assert item is not None
        left, top, width = place
        self._blocks_top = top
        made = False
        rows = item.rows
        index = rows.row_at(visible[0] - margin - top)
        place_y = top + rows.top(index)
        near: set[int] = set()
        while index < len(rows) and place_y <= visible[1] + margin:
            seen = visible[0] <= place_y + rows[index] and place_y <= visible[1]
            part = self._parts.get(index)
            if part is None and (seen or ahead > 0):
                part = self._make(index, item.shown[index])
                if not seen:
                    ahead -= 1
                    made = True
            if part is not None:
                if not item.measured[index] or part.width() != width:
                    item.measure(index, fit_part(part, width, self._theme))
                gap = item.gaps[index]
                part.setGeometry(left, int(place_y) + gap, width, int(rows[index]) - gap)
            near.add(index)
            place_y += rows[index]
            index += 1
        self._drop_far(near)
        return top + int(rows.total()), made

    def _drop_far(self, near: set[int]) -> None:
        for index in [at for at in self._parts if at not in near]:
            if not holds_focus(self._parts[index]):
                self._release(index)
        for spare in self._spare:  # only now: most are reused at once
            if not spare.isHidden():
                spare.hide()

    def _arrange_foot(self, column: QRect, top: int, bottom: int, *, answer: bool) -> int:
        px = self._theme.px
        row = px(tokens.COMPACT_HEIGHT)
        if not answer:
            if self._unfold is not None and not self._unfold.isHidden():
                size = self._unfold.sizeHint()
                left = column.right() - px(14) - size.width() + 1
                self._unfold.setGeometry(left, bottom + px(4), size.width(), size.height())
                bottom += px(4) + size.height()
            left, width = self._bubble_span(column)
            self._bubble = QRectF(
                left - px(14),
                self._bubble_top - px(8),
                width + 2 * px(14),
                bottom - self._bubble_top + 2 * px(8),
            )
            if self._actions is not None:
                wide = self._actions.sizeHint().width()
                beside = int(self._bubble.left()) - px(8) - wide
                self._actions.setGeometry(beside, self._bubble_top - px(4), wide, row)
            return bottom + px(8)
        if self._note is not None and not self._note.isHidden():
            height = self._note.fit(column.width())
            gap = px(12) if self._has_blocks() else px(4)
            self._note.setGeometry(column.x(), bottom + gap, column.width(), height)
            bottom += gap + height
        bottom += px(6)
        if self._actions is not None:
            offset = px(6)  # the icons, not their buttons, line up with the text
            self._actions.setGeometry(column.x() - offset, bottom, column.width() + offset, row)
        return bottom + row + px(4)

    def _has_blocks(self) -> bool:
        return self.item is not None and bool(self.item.shown)

    def _gap_above(self, before: Block | None, block: Block) -> int:
        answer = self.item is not None and self.item.message.role == "assistant"
        wanted = answer or isinstance(before, CodeBlock) or isinstance(block, CodeBlock)
        return self._theme.px(gap(before, block)) if before is not None and wanted else 0

    def _guess(self, block: Block) -> int:
        """The estimated height of a block that is not laid out yet."""
        px = self._theme.px
        width = self._column.width() or px(tokens.TRANSCRIPT_WIDTH)
        text = block_text(block)
        lines = text.count("\n") + 1
        match block:
            case CodeBlock():
                return px(50) + lines * px(20)
            case TableBlock():
                return px(24) + (lines - 1) * px(32)
            case TextBlock():
                return (lines + len(text) // max(10, width // px(7))) * px(24)
            case _:
                return px(17)

    def _make(self, index: int, block: Block) -> QWidget:
        item, styles = self.item, self._styles
        assert item is not None
        assert styles is not None
        part = next((spare for spare in self._spare if fits_block(spare, block)), None)
        if part is not None:
            self._spare.remove(part)
        else:
            part = make_part(block, self._theme, self)
            if isinstance(part, CodePart):
                part.wrap_changed.connect(lambda part=part: self._wrapped(part))
        fill_part(part, block, styles, final=item.is_final(index))
        leaf = leaf_of(part)
        if leaf is not None:
            leaf.choose(None)
            leaf.mark(())
            leaf.caret = item.streaming and index == len(item.shown) - 1
        self._parts[index] = part
        part.resize(1, 1)
        if part.isHidden():
            part.show()
        return part

    def _release(self, index: int) -> None:
        self._spare.append(self._parts.pop(index))

    def _wrapped(self, part: CodePart) -> None:
        for index, other in self._parts.items():
            if other is part and self.item is not None:
                self.item.measured[index] = False
        self.layout_wanted.emit()

    # hit tests

    def leaves(self) -> dict[int, TextPart]:
        """The text parts that exist now, by block; the open reasoning has its own number."""
        found = {
            index: leaf
            for index, part in sorted(self._parts.items())
            if (leaf := leaf_of(part)) is not None
        }
        box = self._reasoning
        if box is not None and not box.isHidden() and box.is_open():
            return {REASONING_PART: box.body, **found}
        return found

    def block_at(self, place: float) -> int:
        """The block at a height of the card; -1 above the first."""
        if self.item is None or place < self._blocks_top or not self.item.shown:
            return -1
        return self.item.rows.row_at(place - self._blocks_top)

    def block_top(self, index: int) -> float:
        """Where a block, with the gap above it, starts in the card."""
        if self.item is None or not 0 <= index < len(self.item.shown):
            return 0
        return self._blocks_top + self.item.rows.top(index)

    # actions and editing

    def set_newest(self, *, newest: bool) -> None:
        if newest != self._newest:
            self._newest = newest
            self._show_actions()

    def set_focus_within(self, *, within: bool) -> None:
        if within != self._focus_within:
            self._focus_within = within
            self._show_actions()

    def show_copied(self) -> None:
        if self._actions is not None:
            self._actions.show_done("copy")

    def _show_actions(self) -> None:
        item = self.item
        if item is None:
            return
        answer = item.message.role == "assistant"
        wanted = self._hovered or self._focus_within or (self._newest and answer)
        empty = not item.text() and item.message.version_count < 2
        wanted = wanted and not item.streaming and not empty and self.edit_box is None
        if wanted and self._actions is None:
            self._actions = ActionRow(self._theme, self)
            self._actions.chosen.connect(self.action)
            self._actions.show_message(item.message)
            if self._blocks_top:
                self.layout_wanted.emit()
        if self._actions is not None:
            self._actions.setVisible(wanted)

    def start_editing(self) -> None:
        item = self.item
        if item is None or self.edit_box is not None:
            return
        item.edit_text = item.words()
        box = self._open_editor(item)
        box.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _open_editor(self, item: Item) -> EditBox:
        box = EditBox(self._theme, item.message.role, item.edit_text or "", self)

        def keep() -> None:
            item.edit_text = box.text()
            self.layout_wanted.emit()

        box.saved.connect(self.edited)
        box.cancelled.connect(self.edit_cancelled)
        box.height_changed.connect(keep)
        self.edit_box = box
        box.show()
        self._show_actions()
        self.update()
        return box

    def stop_editing(self) -> None:
        if self.edit_box is not None:
            self.edit_box.hide()
            self.edit_box.deleteLater()
            self.edit_box = None
            self._show_actions()
            self.update()

    # events

    def enterEvent(self, _event: QEnterEvent) -> None:
        self._hovered = True
        self._show_actions()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hovered = False
        self._show_actions()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ring = event.reason() in _KEYBOARD
        self.update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self._ring = False
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        item, theme, px = self.item, self._theme, self._theme.px
        if item is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if item.message.role != "assistant":
            if self.edit_box is None:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.color("bubble"))
                painter.drawRoundedRect(
                    self._bubble, px(tokens.RADIUS_CARD), px(tokens.RADIUS_CARD)
                )
        else:
            header.paint_header(painter, theme, item.message, self._column)
        if self._ring and self.hasFocus():
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            box = QRectF(self._column.x(), px(8), self._column.width(), self.height() - px(10))
            painter.drawRoundedRect(box.adjusted(-px(10), 0, px(10), 0), px(6), px(6))

    # parts created when first needed

    def _reasoning_box(self) -> ReasoningBox:
        if self._reasoning is None:
            self._reasoning = ReasoningBox(self._theme, self)
            self._reasoning.toggled.connect(self._toggle_reasoning)
            self._reasoning.answer_now.connect(lambda: self.action.emit("answer_now"))
        return self._reasoning

    def _toggle_reasoning(self, opened: bool) -> None:  # noqa: FBT001 - a slot of toggled(bool)
        if self.item is not None:
            self.item.reasoning_open = opened
            self.refresh()
            self.layout_wanted.emit()

    def _status_note(self) -> StatusNote:
        if self._note is None:
            self._note = StatusNote(self._theme, self)
            self._note.chosen.connect(self.action)
        return self._note

    def _waiting_row(self) -> WaitingRow:
        if self._waiting is None:
            self._waiting = WaitingRow(self._theme, self)
        return self._waiting

    def _file_marks(self) -> FileMarks:
        if self._files is None:
            self._files = FileMarks(self._theme, self)
            self._files.toggled.connect(self._toggle_file)
            self._files.forward_wanted.connect(self.file_forwarded)
            self._files.load = self.load_picture
        return self._files

    def _files_width(self) -> int:
        hidden = self._files is None or self._files.isHidden()
        return 0 if hidden or self._files is None else self._files.wide()

    def _toggle_file(self, number: int) -> None:
        if self.item is not None:
            self.item.toggle_file(number)
            self.refresh()
            self.layout_wanted.emit()

    def _unfold_button(self) -> QPushButton:
        if self._unfold is None:
            self._unfold = QPushButton(self)
            self._unfold.setProperty("kind", "link")
            self._unfold.setProperty("compact", "true")
            self._unfold.clicked.connect(self._unfold_text)
        return self._unfold

    def _unfold_text(self) -> None:
        if self.item is not None:
            self.item.unfold()
            self.refresh()
            self.layout_wanted.emit()


def _focused() -> QWidget | None:
    return QApplication.focusWidget()


def holds_focus(widget: QWidget) -> bool:
    """Whether the keyboard is in this widget or in something inside it."""
    focus = _focused()
    return focus is not None and (focus is widget or widget.isAncestorOf(focus))
