"""The position of every message, and which of them have a card now.

The part of the view that counts: heights of all messages (guessed until looked at), cards for those
on screen and just outside it, the reader's place. Hides how the place stays when something above
it changes size: it is remembered as a block and a distance, not as a number of pixels.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from PySide6.QtCore import QObject, QRect, Qt, Signal
from PySide6.QtWidgets import QAbstractScrollArea

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.timers import once
from lockhouse.ui.transcript.card import MessageCard, holds_focus
from lockhouse.ui.transcript.heights import Heights
from lockhouse.ui.transcript.items import Item
from lockhouse.ui.transcript.styles import Styles

_AHEAD_BUDGET_S = 0.004
_SCROLL_BUDGET_S = 0.008
_NEAR_END = 4
_BOTTOM_ROOM = 16
_KEPT_BLOCKS = 300


class CardLayout(QObject):
    """Messages, their heights and cards. Emits ``laid_out`` after every layout."""

    laid_out = Signal()
    card_made = Signal(object)

    def __init__(self, theme: Theme, area: QAbstractScrollArea) -> None:
        super().__init__(area)
        self._theme = theme
        self._area = area
        self.styles = Styles(theme)
        self.items: list[Item] = []
        self.rows: dict[str, int] = {}
        self.live: dict[str, MessageCard] = {}
        self.follow = True
        self.held = False  # while selecting, the text must not move
        self._heights = Heights()
        self._spare: list[MessageCard] = []
        self._anchor: tuple[str, int, float] = ("", -1, 0.0)
        self._busy = False
        self._parsed: dict[str, None] = {}
        self._deadline = 0.0
        self._soon = once(self, 0, lambda: self.relayout(budget_s=_SCROLL_BUDGET_S))
        self._ahead = once(self, 0, self._prepare_ahead)

    # content

    def show(self, items: Iterable[Item]) -> None:
        """Show other messages, at their end."""
        self._busy = True  # recycling a card may request a layout
        for message_id in list(self.live):
            self._recycle(message_id)
        self._busy = False
        self.items = list(items)
        self._number()
        self._heights = Heights(self._estimate(item) for item in self.items)
        self._parsed.clear()
        self.follow = True
        self.relayout()

    def append(self, item: Item) -> None:
        self.rows[item.message.id] = len(self.items)
        self.items.append(item)
        self._heights.append(self._estimate(item))
        self.relayout()

    def remove(self, message_id: str) -> None:
        row = self.rows[message_id]
        self._recycle(message_id)
        del self.items[row]
        self._heights.remove(row)
        self._number()
        self.relayout()

    def truncate_after(self, message_id: str) -> None:
        count = self.rows[message_id] + 1
        for item in self.items[count:]:
            self._recycle(item.message.id)
            del self.rows[item.message.id]
        del self.items[count:]
        self._heights.truncate(count)
        self.relayout()

    def item(self, message_id: str) -> Item | None:
        row = self.rows.get(message_id)
        return None if row is None else self.items[row]

    def refresh(self, message_id: str) -> None:
        """The message changed: update its card, if it has one."""
        card = self.live.get(message_id)
        if card is not None:
            card.refresh()

    def retheme(self) -> None:
        """Fonts or colours changed: draw everything on screen again."""
        self.styles = Styles(self._theme)
        for item in self.items:
            item.remake_rows()
        for message_id, card in self.live.items():
            card.bind(self.items[self.rows[message_id]], self.styles)
        self.relayout()

    def _number(self) -> None:
        self.rows.clear()
        self.rows.update({item.message.id: row for row, item in enumerate(self.items)})

    def _estimate(self, item: Item) -> float:
        px = self._theme.px
        return item.estimated_height(max(20, self.column().width() // px(7)), px(22))

    # scroll position

    def column(self) -> QRect:
        """The column of text: at most 760, in the middle of the view with its scroll bar."""
        px = self._theme.px
        room = self._area.viewport().width()
        width = min(px(tokens.TRANSCRIPT_WIDTH), room - 2 * px(24))
        left = min((self._area.width() - width) // 2, room - width - px(12))
        return QRect(max(0, left), 0, max(120, width), 0)

    def room(self) -> int:
        return self._area.viewport().height()

    def end(self) -> float:
        """The largest scroll position."""
        total = self._heights.total() + self._theme.px(_BOTTOM_ROOM)
        return max(0.0, total - self.room())

    def place(self) -> float:
        """The scroll position: what is above the view, in pixels."""
        if self.follow and not self.held:
            return self.end()
        message_id, part, offset = self._anchor
        row = self.rows.get(message_id)
        if row is None:
            return self.end()
        place = self._heights.top(row) + offset
        card = self.live.get(message_id)
        if part >= 0 and card is not None:
            place += card.block_top(part)
        return min(max(0.0, place), self.end())

    def scrolled_to(self, value: int) -> None:
        """The user moved the scroll bar."""
        if self._busy:
            return
        self.follow = value >= self._area.verticalScrollBar().maximum() - _NEAR_END
        self._remember(float(value))
        self.relayout(budget_s=_SCROLL_BUDGET_S)

    def go_to(self, message_id: str, part: int = -1, offset: float = 0.0) -> None:
        """Bring a message, or a block of it, to the top of the view."""
        self.follow = False
        self._anchor = (message_id, part, offset)
        self.relayout()

    def follow_end(self) -> None:
        self.follow = True
        self.relayout()

    def hold(self, *, held: bool) -> None:
        """While held nothing scrolls by itself, whatever is appended."""
        if held and not self.held:
            self._remember(self.place())
        elif not held and self.held:
            self.follow = self.follow and self.place() >= self.end() - _NEAR_END
        self.held = held

    def card_at(self, place: float) -> MessageCard | None:
        """The card at a height of the view; the nearest one where there is none."""
        cards = [card for card in self.live.values() if card.isVisible()]
        if not cards:
            return None
        return min(cards, key=lambda c: max(c.y() - place, place - c.y() - c.height() + 1, 0))

    def _remember(self, place: float) -> None:
        if not self.items:
            return
        row = self._heights.row_at(place)
        message_id = self.items[row].message.id
        inside = place - self._heights.top(row)
        card = self.live.get(message_id)
        part = card.block_at(inside) if card is not None else -1
        if card is not None and part >= 0:
            inside -= card.block_top(part)
        self._anchor = (message_id, part, inside)

    # layout

    def relayout(self, budget_s: float = 10.0) -> None:
        """Give every message on screen a card and every card its place.

        With a budget, cards that cannot be made in that time come with the next frame; at least
        the first one is there, so the reader's place is right at once.
        """
        if self._busy:
            return
        self._busy = True
        self._deadline = time.perf_counter() + budget_s
        column, room = self.column(), self.room()
        on_screen: set[str] = set()
        place = 0.0
        for _ in range(8):
            place = self.place()
            on_screen, settled = self._arrange_from(place, column, room)
            if settled and abs(self.place() - place) < 1:
                break
        self._put_cards(on_screen, place, room)
        bar = self._area.verticalScrollBar()
        bar.setPageStep(room)
        bar.setRange(0, round(self.end()))
        bar.setValue(round(place))
        self._busy = False
        self.laid_out.emit()
        if not self._ahead.isActive():
            self._ahead.start()

    def _arrange_from(self, place: float, column: QRect, room: int) -> tuple[set[str], bool]:
        on_screen: set[str] = set()
        settled = True
        if not self.items:
            return on_screen, settled
        row = self._heights.row_at(place)
        top = self._heights.top(row) - place
        while row < len(self.items) and top < room:
            late = on_screen and time.perf_counter() > self._deadline
            if late and self.items[row].message.id not in self.live:
                self._soon.start()
                top += self._heights[row]
                row += 1
                continue
            height, _ = self._card_for(row).arrange(column, (-top, room - top))
            settled = self._set_height(row, height) and settled
            on_screen.add(self.items[row].message.id)
            top += height
            row += 1
        return on_screen, settled

    def _set_height(self, row: int, height: int) -> bool:
        """Store a measured height; True when it was the same."""
        if abs(height - self._heights[row]) < 0.5:
            return True
        self._heights.set(row, height)
        return False

    def _put_cards(self, on_screen: set[str], place: float, room: int) -> None:
        width = self._area.viewport().width()
        newest = len(self.items) - 1
        for message_id, card in list(self.live.items()):
            row = self.rows[message_id]
            top = self._heights.top(row) - place
            far = top > 2 * room or top + self._heights[row] < -room
            if message_id not in on_screen and far and card.edit_box is None:
                self._recycle(message_id)
                continue
            card.set_newest(newest=row == newest)
            card.setGeometry(0, round(top), width, int(self._heights[row]))
            card.show()

    def _card_for(self, row: int) -> MessageCard:
        item = self.items[row]
        card = self.live.get(item.message.id)
        if card is None:
            card = self._spare.pop() if self._spare else self._new_card()
            card.bind(item, self.styles)
            self.live[item.message.id] = card
            self._keep_few_parsed(item)
        return card

    def _new_card(self) -> MessageCard:
        card = MessageCard(self._theme, self._area.viewport())
        card.layout_wanted.connect(self.relayout)
        self.card_made.emit(card)
        return card

    def _keep_few_parsed(self, item: Item) -> None:
        """Drop the parsed blocks of messages that were shown long ago."""
        self._parsed.pop(item.message.id, None)
        self._parsed[item.message.id] = None
        if len(self._parsed) > _KEPT_BLOCKS:
            oldest = next(iter(self._parsed))
            del self._parsed[oldest]
            old = self.item(oldest)
            if old is not None and oldest not in self.live:
                old.forget_blocks()

    def _recycle(self, message_id: str) -> None:
        card = self.live.pop(message_id, None)
        if card is None:
            return
        if holds_focus(card):
            self._area.setFocus(Qt.FocusReason.NoFocusReason)
        card.hide()
        card.stop_editing()
        self._spare.append(card)

    def _prepare_ahead(self) -> None:
        """When idle, create the blocks just outside the screen."""
        if self._busy or not self.items or self._area.isHidden():
            return
        started = time.perf_counter()
        column, room = self.column(), self.room()
        self._busy = True
        place = self.place()
        first = self._heights.row_at(place - room / 2)
        last = self._heights.row_at(place + 1.5 * room)
        more = False
        for row in range(first, last + 1):
            top = self._heights.top(row) - place
            new = self.items[row].message.id not in self.live
            height, made = self._card_for(row).arrange(
                column, (-top, room - top), ahead=1, margin=room // 2
            )
            known = self._set_height(row, height)
            more = made or new or not known
            if more or time.perf_counter() - started > _AHEAD_BUDGET_S:
                break
        self._busy = False
        if more:
            self.relayout()
