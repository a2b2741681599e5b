"""The widget of the conversation: messages, streaming, search, keyboard.

Hides the queue between tokens and frames: ``feed`` only remembers, a timer draws at most sixty
times a second and less often when drawing takes longer, so the window never waits for the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt, QThreadPool, QTimer, Signal, Slot
from PySide6.QtGui import (
    QContextMenuEvent,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QPushButton, QWidget

from lockhouse.ui import shortcuts
from lockhouse.ui.markdown import parser
from lockhouse.ui.shortcuts import claims_escape
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once, repetition
from lockhouse.ui.transcript import syntax_highlighting
from lockhouse.ui.transcript.card import MessageCard, holds_focus
from lockhouse.ui.transcript.card_layout import CardLayout
from lockhouse.ui.transcript.files import Loader
from lockhouse.ui.transcript.find import Finder, Match
from lockhouse.ui.transcript.interaction import Interaction
from lockhouse.ui.transcript.items import Item
from lockhouse.ui.transcript.screen_reader import Sentences, announce
from lockhouse.ui.transcript.tab_order import beyond, stops
from lockhouse.ui.transcript.values import (
    ActionKind,
    Progress,
    ProgressKind,
    TranscriptAction,
    TranscriptMessage,
)

_FRAME_MS = 16
_SLOWEST_FRAME_MS = 120
_WARM_UP_AFTER_MS = 1500


def _warm_up() -> None:
    """Load parser and lexers on other threads, some time after the first paint."""
    pool = QThreadPool.globalInstance()
    pool.start(parser.warm_up)
    pool.start(syntax_highlighting.warm_up)


class TranscriptView(QAbstractScrollArea):
    """Shows a conversation; the package's docstring says how it is used."""

    action_requested = Signal(TranscriptAction)
    find_moved = Signal(int, int)
    arranged = Signal()  # the column of text may have moved
    _is_made = False  # Qt sends events during construction

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        open_link: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._queue: dict[str, tuple[list[str], list[str]]] = {}
        self._finder = Finder()
        self._match: tuple[str, int, int] | None = None
        self._focus_id = ""
        self._edits: dict[str, str] = {}  # unfinished edits, of any conversation
        self._jump = QPushButton("Jump to latest", self)
        self._ask = QPushButton("Ask about this…", self.viewport())
        self.load_picture: Loader | None = None
        self.offers_selection = False  # whether another model can be asked about it
        self._dress()
        self._board = CardLayout(theme, self)
        self._board.card_made.connect(self._wire)
        self._board.laid_out.connect(self._after_layout)
        self._mouse = Interaction(theme, self, self._board, self._act, open_link)
        self._frame = once(self, _FRAME_MS, self._flush)
        self._rest_ms = _FRAME_MS
        self._spoken: dict[str, Sentences] = {}
        self._seconds = repetition(self, 1000, self._tick)
        theme.changed.connect(self._retheme)
        cast("QApplication", QApplication.instance()).focusChanged.connect(self._focus_moved)
        QTimer.singleShot(_WARM_UP_AFTER_MS, self, _warm_up)
        self._is_made = True

    def _dress(self) -> None:
        self.setObjectName("transcript")
        self.setAccessibleName("Conversation")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(self._theme.px(24))
        self._jump.setObjectName("jump-to-latest")
        self._jump.setProperty("compact", "true")
        self._theme.bind_icon(self._jump, "arrow-down", size=14)
        self._jump.clicked.connect(self.jump_to_latest)
        self._jump.hide()
        self._ask.setObjectName("ask-selection")
        about = "Ask another model about the selection"
        self._ask.setAccessibleName(about)
        self._ask.setToolTip(shortcuts.with_keys(about, "ask_elsewhere"))
        self._ask.setProperty("compact", "true")
        self._theme.bind_icon(self._ask, "arrow-up-right", size=14)
        self._ask.clicked.connect(self.forward_selection)
        self._ask.hide()

    # the conversation

    def set_messages(self, messages: Sequence[TranscriptMessage]) -> None:
        """Show another conversation, at its end."""
        self._ask.hide()
        self._queue.clear()
        self._spoken.clear()
        self._mouse.selection.clear()
        self._finder = Finder()
        self._match = None
        self._keep_edits()
        items = [Item(message) for message in messages]
        edited = ""
        for item in items:
            item.edit_text = self._edits.get(item.message.id)
            edited = item.message.id if item.edit_text is not None else edited
        self._board.show(items)
        if edited:
            self._board.go_to(edited)

    def _keep_edits(self) -> None:
        """Keep unfinished edits, like drafts, before another conversation is shown."""
        for item in self._board.items:
            if item.edit_text is not None:
                self._edits[item.message.id] = item.edit_text

    def messages(self) -> list[TranscriptMessage]:
        return [item.message for item in self._board.items]

    def append_message(self, message: TranscriptMessage) -> None:
        """Append a message; a known id is updated instead."""
        if message.id in self._board.rows:
            self.update_message(message)
        else:
            self._board.append(Item(message))

    def update_message(self, message: TranscriptMessage) -> None:
        """Update a message, known by its id."""
        self._take_queued(message.id)
        item = self._board.item(message.id)
        if item is not None:
            item.replace_message(message)
            self._board.refresh(message.id)
            self._board.relayout()

    def remove_message(self, message_id: str) -> None:
        if message_id in self._board.rows:
            self._board.remove(message_id)

    def truncate_after(self, message_id: str) -> None:
        """Remove everything below this message."""
        if message_id in self._board.rows:
            self._board.truncate_after(message_id)

    # streaming

    def begin_stream(self, message: TranscriptMessage) -> None:
        """An answer starts: a new message, or a known one that continues or restarts."""
        self.append_message(message)
        self._spoken[message.id] = Sentences(lambda words: announce(self, words))
        self._seconds.start()

    def feed(self, message_id: str, *, text: str = "", reasoning: str = "") -> None:
        """More of an answer; queued and drawn with the next frame."""
        texts, thoughts = self._queue.setdefault(message_id, ([], []))
        if text:
            texts.append(text)
        if reasoning:
            thoughts.append(reasoning)
        self._want_frame()

    def restart_stream(self, message: TranscriptMessage) -> None:
        """Discard what has arrived of an answer: it starts again."""
        self._queue.pop(message.id, None)
        item = self._board.item(message.id)
        if item is not None:
            item.restart(message)
            self._board.refresh(message.id)
            self._board.relayout()

    def set_progress(
        self, message_id: str, kind: ProgressKind, done: int, total: int, words: str = ""
    ) -> None:
        """Progress of loading or prompt processing, before the first word; ``words`` for others."""
        item = self._board.item(message_id)
        if item is not None:
            item.progress = Progress(kind, done, total, words)
            self._queue.setdefault(message_id, ([], []))
            self._want_frame()

    def end_stream(self, message: TranscriptMessage) -> None:
        """The answer has ended, however it did."""
        self.update_message(message)
        spoken = self._spoken.pop(message.id, None)
        if spoken is not None:
            spoken.finish()
        if message.status != "complete":
            announce(self, message.error_message or "The answer was not finished.")
        if not any(item.streaming for item in self._board.items[-8:]):
            self._seconds.stop()

    def _want_frame(self) -> None:
        if not self._frame.isActive():
            self._frame.start(self._rest_ms)

    def _take_queued(self, message_id: str) -> None:
        texts, thoughts = self._queue.pop(message_id, ((), ()))
        item = self._board.item(message_id)
        if item is not None and (texts or thoughts):
            item.add("".join(texts), "".join(thoughts))
            if message_id in self._spoken:
                self._spoken[message_id].feed("".join(texts))

    def _flush(self) -> None:
        """Draw what arrived since the last frame, then pause twice as long as that took."""
        started = time.perf_counter()
        for message_id in list(self._queue):
            self._take_queued(message_id)
            self._board.refresh(message_id)
        self._board.relayout()
        cost_ms = (time.perf_counter() - started) * 1000
        self._rest_ms = min(_SLOWEST_FRAME_MS, max(_FRAME_MS, int(2 * cost_ms)))

    def _tick(self) -> None:
        """Update the duration of running reasoning."""
        for card in list(self._board.live.values()):
            if card.item is not None and card.item.thinking:
                card.refresh()

    # search

    def find(self, words: str) -> int:  # type: ignore[override]
        """Highlight all matches; returns their number. Does not scroll yet."""
        count = self._finder.search(words, self._board.items)
        self._finder.start_from(set(self._board.live))
        self._match = None
        self._mark_found()
        return count

    def find_next(self) -> None:
        self._show_match(self._finder.step(1))

    def find_previous(self) -> None:
        self._show_match(self._finder.step(-1))

    def clear_find(self) -> None:
        self.find("")

    def scroll_to(self, message_id: str, highlight: str = "") -> None:
        """Bring a message to the top; with ``highlight``, the first of those words in it."""
        if message_id not in self._board.rows:
            return
        if highlight and self.find(highlight):
            match = Match(message_id, 0)
            if match in self._finder.matches:
                self._finder.current = self._finder.matches.index(match)
                self._show_match(match)
                return
        self._board.go_to(message_id)

    def _show_match(self, match: Match | None) -> None:
        item = self._board.item(match.message_id) if match is not None else None
        if match is None or item is None:
            return
        part, nth, position = self._finder.locate(match, item, self._board.styles)
        self._match = (match.message_id, part, nth)
        third = self.viewport().height() / 3
        self._board.go_to(match.message_id, part, -third)
        card = self._board.live.get(match.message_id)
        leaf = card.leaves().get(part) if card is not None else None
        if leaf is not None:
            inner = leaf.content.rect_of(position).top()
            self._board.go_to(match.message_id, part, inner - third)
        self._mark_found()
        self.find_moved.emit(self._finder.current + 1, len(self._finder.matches))

    def _mark_found(self) -> None:
        for message_id, card in self._board.live.items():
            for part, leaf in card.leaves().items():
                if not self._finder.words:
                    leaf.mark(())
                    continue
                here = self._match is not None and self._match[:2] == (message_id, part)
                nth = self._match[2] if here and self._match is not None else -1
                leaf.mark(self._finder.marks_in(leaf.content.raw_text(), current=nth))

    # position and selection

    def jump_to_latest(self) -> None:
        self._board.follow_end()

    def is_at_end(self) -> bool:
        """Whether the view follows what comes."""
        return self._board.follow

    def selected_text(self) -> str:
        return self._mouse.selected_text()

    @property
    def focused(self) -> str:
        """The id of the message that has the focus; "" when none has."""
        card = self._board.live.get(self._focus_id)
        return self._focus_id if card is not None and holds_focus(card) else ""

    def copy_selection(self) -> bool:
        return self._mouse.copy()

    def column(self) -> QRect:
        """The column of text."""
        return self._board.column()

    def _after_layout(self) -> None:
        self.arranged.emit()
        if self._finder.words:
            self._mark_found()
        px = self._theme.px
        bar = self.verticalScrollBar()
        away = not self._board.follow and bar.maximum() - bar.value() > px(80)
        self._jump.setVisible(away)
        if away:
            size = self._jump.sizeHint()
            left = (self.width() - size.width()) // 2
            self._jump.setGeometry(
                left, self.height() - size.height() - px(12), size.width(), size.height()
            )
            self._jump.raise_()

    # actions on messages

    def _wire(self, card: MessageCard) -> None:
        card.action.connect(lambda kind: self._act(card, kind))
        card.edited.connect(lambda text, send: self._save_edit(card, text, send=send))
        card.edit_cancelled.connect(lambda: self._leave_edit(card))
        card.file_forwarded.connect(lambda number: self._forward_file(card, number))
        card.load_picture = self.load_picture

    def _act(self, card: MessageCard, kind: str) -> None:
        item = card.item
        if item is None:
            return
        if kind == "edit":
            card.start_editing()
            self._board.relayout()
            return
        if kind == "copy":
            QGuiApplication.clipboard().setText(item.text())
            card.show_copied()
        known = cast("ActionKind", kind)
        self.action_requested.emit(TranscriptAction(item.message.id, known))

    def _forward_file(self, card: MessageCard, number: int) -> None:
        if card.item is not None:
            action = TranscriptAction(card.item.message.id, "forward_file", str(number))
            self.action_requested.emit(action)

    def forward_selection(self) -> None:
        """Ask another model about the selection."""
        self._ask.hide()
        text, span = self.selected_text(), self._mouse.selection.span()
        if text and span is not None:
            message_id = self._board.items[span[1][0]].message.id
            self.action_requested.emit(TranscriptAction(message_id, "forward_selection", text))

    def _offer_selection(self, place: QPointF) -> None:
        """Show a button beside a new selection."""
        is_offered = self.offers_selection and bool(self.selected_text().strip())
        if is_offered:
            size, px = self._ask.sizeHint(), self._theme.px
            left = min(max(int(place.x()), px(8)), self.width() - size.width() - px(20))
            lowest = self.height() - size.height() - px(8)
            below, above = int(place.y()) + px(14), int(place.y()) - size.height() - px(14)
            spots = [
                QRect(QPoint(left, max(px(4), min(top, lowest))), size) for top in (below, above)
            ]
            names = [card.name_line() for card in self._board.live.values()]
            free = [one for one in spots if not any(one.intersects(name) for name in names)]
            self._ask.setGeometry((free or spots)[0])
            self._ask.raise_()
        self._ask.setVisible(is_offered)

    def _save_edit(self, card: MessageCard, text: str, *, send: bool) -> None:
        item = card.item
        self._leave_edit(card)
        if item is not None and text.strip() and (send or text != item.words()):
            text = item.text()[: item.message.words_from] + text
            action = TranscriptAction(item.message.id, "edit", text, send)
            self.action_requested.emit(action)

    def _leave_edit(self, card: MessageCard) -> None:
        if card.item is not None:
            card.item.edit_text = None
            self._edits.pop(card.item.message.id, None)
        card.stop_editing()
        card.setFocus(Qt.FocusReason.OtherFocusReason)
        self._board.relayout()

    # keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            if not self.copy_selection() and (card := self._board.live.get(self._focus_id)):
                self._act(card, "copy")
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self._select_all()
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not event.modifiers():
            self._walk(1 if event.key() == Qt.Key.Key_Down else -1)
        elif event.key() == Qt.Key.Key_Home:
            self.verticalScrollBar().setValue(0)
        elif event.key() == Qt.Key.Key_End:
            self.jump_to_latest()
        elif event.key() == Qt.Key.Key_Escape and self._mouse.selection.span() is not None:
            self._ask.hide()
            self._mouse.selection.clear()
            self._mouse.draw_selection()
        else:
            super().keyPressEvent(event)

    def _select_all(self) -> None:
        """The message in focus; all of them when none is."""
        card = self._board.live.get(self._focus_id)
        if card is not None and holds_focus(card):
            self._mouse.select_message(card)
        else:
            self._mouse.selection.everything(self._board.items)
            self._mouse.draw_selection()

    def _walk(self, by: int) -> None:
        """Move the focus to the next message and bring it into view."""
        items = self._board.items
        if not items:
            return
        row = self._board.rows.get(self._focus_id)
        if row is None:
            row = len(items) if by < 0 else -1
        row = min(max(0, row + by), len(items) - 1)
        message_id = items[row].message.id
        card = self._board.live.get(message_id)
        inside = card is not None and card.y() >= 0 and card.geometry().bottom() < self.height()
        if not inside:
            if row == len(items) - 1:
                self._board.follow_end()
            else:
                self._board.go_to(message_id)
        card = self._board.live.get(message_id)
        if card is not None:
            card.setFocus(Qt.FocusReason.OtherFocusReason)

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: FBT001 - as Qt calls it
        """Tab moves down through what is on screen, then out; Shift+Tab the other way."""
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        order = stops(self.viewport(), list(self._board.live.values()))
        focus = QApplication.focusWidget()
        if focus is self:
            at = -1 if forward else 0
        else:
            at = order.index(focus) if focus in order else -1
        wanted = at + (1 if forward else -1)
        target = order[wanted] if 0 <= wanted < len(order) else beyond(self, forward=forward)
        if target is None:
            return super().focusNextPrevChild(forward)
        target.window().setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
        target.setFocus(reason)
        return True

    @Slot(QWidget, QWidget)
    def _focus_moved(self, _old: QWidget | None, now: QWidget | None) -> None:
        inside = now is not None and self.viewport().isAncestorOf(now)
        for message_id, card in self._board.live.items():
            within = inside and now is not None and (now is card or card.isAncestorOf(now))
            card.set_focus_within(within=within)
            if within:
                self._focus_id = message_id

    # events

    def event(self, event: QEvent) -> bool:
        if self._is_made and self._mouse.selection.span() is not None and claims_escape(event):
            return True
        return super().event(event)

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        self._ask.hide()
        self._board.scrolled_to(self.verticalScrollBar().value())

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._board.relayout()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._ask.hide()
        self._mouse.press(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mouse.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._mouse.release(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._offer_selection(event.position())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        card = self._board.live.get(self._focus_id) if by_key else None
        card = card or self._board.card_at(float(event.pos().y()))
        if card is not None:
            self._ask.hide()
            self._mouse.message_menu(card, self.forward_selection).popup(event.globalPos())

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            return self._mouse.show_tip(event)
        return super().viewportEvent(event)

    def _retheme(self) -> None:
        self.verticalScrollBar().setSingleStep(self._theme.px(24))
        self._board.retheme()
