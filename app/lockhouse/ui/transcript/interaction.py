"""The mouse in the transcript: selection across parts and cards, links, menus.

Pieces of text let mouse events through to the view, which hands them here; so a selection can
start in one message and end in another. Hides word and paragraph selection, scrolling while
dragging beyond the edge, and that a link opens only after its address was shown.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QMenu, QToolTip

from lockhouse.ui.frame_parts import make_menu
from lockhouse.ui.markdown.parser import host_of
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once, repetition
from lockhouse.ui.transcript.card import MessageCard
from lockhouse.ui.transcript.card_layout import CardLayout
from lockhouse.ui.transcript.parts import TextPart
from lockhouse.ui.transcript.selection import Selection, Spot

_EDGE_SCROLL_MS = 30


class Interaction(QObject):
    """Turns mouse events of the view into selections, link menus and message menus."""

    def __init__(
        self,
        theme: Theme,
        area: QAbstractScrollArea,
        board: CardLayout,
        act: Callable[[MessageCard, str], None],
        open_link: Callable[[str], None] | None,
    ) -> None:
        super().__init__(area)
        self._theme = theme
        self._area = area
        self._board = board
        self._act = act
        self._open_link = open_link
        self.selection = Selection(board.rows.get)
        self._pressed_link = ""
        self._unit: tuple[Spot, Spot] | None = None  # the word or paragraph by which a drag extends
        self._clicks = 0
        self._last_click = QPointF(-99, -99)
        self._click_timer = once(self, QApplication.doubleClickInterval(), lambda: None)
        self._edge = repetition(self, _EDGE_SCROLL_MS, self._scroll_at_edge)
        self._pointer = QPointF()
        board.laid_out.connect(self.draw_selection)

    # selection

    def spot_at(self, place: QPointF) -> Spot | None:
        """The text position nearest to a point of the view."""
        card = self._board.card_at(place.y())
        if card is None or card.item is None:
            return None
        nearest: tuple[float, int, TextPart] | None = None
        for part, leaf in card.leaves().items():
            top = leaf.mapTo(self._area.viewport(), QPoint(0, 0)).y()
            distance = max(top - place.y(), place.y() - top - leaf.height(), 0.0)
            if nearest is None or distance < nearest[0]:
                nearest = (distance, part, leaf)
        if nearest is None:
            return None
        _, part, leaf = nearest
        inner = QPointF(leaf.mapFrom(self._area.viewport(), place.toPoint()))
        if inner.y() < 0:
            position = 0
        elif inner.y() > leaf.height():
            position = leaf.content.length()
        else:
            position = leaf.position_at(inner)
        return Spot(card.item.message.id, part, position)

    def press(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._area.setFocus(Qt.FocusReason.MouseFocusReason)
        self._pressed_link = self._link_at(event.position())
        spot = self.spot_at(event.position())
        if spot is None:
            return
        self._board.hold(held=True)
        self._count_click(event.position())
        self._unit = None
        extend = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if extend and self.selection.anchor is not None:
            self.selection.head = spot
        elif self._clicks > 1:
            self._select_unit(spot)
        else:
            self.selection.start(spot)
        self.draw_selection()

    def move(self, event: QMouseEvent) -> None:
        if not event.buttons() & Qt.MouseButton.LeftButton or self.selection.anchor is None:
            return
        self._pointer = event.position()
        inside = 0 <= self._pointer.y() <= self._area.viewport().height()
        if inside:
            self._edge.stop()
        elif not self._edge.isActive():
            self._edge.start()
        self._extend_to(self._pointer)

    def release(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._let_go()
        clipboard = QGuiApplication.clipboard()
        if self.selection.span() is not None and clipboard.supportsSelection():
            clipboard.setText(self.selected_text(), clipboard.Mode.Selection)
        link = self._link_at(event.position())
        if link and link == self._pressed_link and self.selection.span() is None:
            self.link_menu(link).popup(event.globalPosition().toPoint())

    def _let_go(self) -> None:
        self._edge.stop()
        self._board.hold(held=False)

    def selected_text(self) -> str:
        return self.selection.text(self._board.items, self._board.styles)

    def copy(self) -> bool:
        """Put the selected text on the clipboard; false when nothing is selected."""
        text = self.selected_text()
        if text:
            QGuiApplication.clipboard().setText(text)
        return bool(text)

    def draw_selection(self) -> None:
        for message_id, card in self._board.live.items():
            row = self._board.rows[message_id]
            for part, leaf in card.leaves().items():
                leaf.choose(self.selection.range_in(row, part, leaf.content.length()))

    def _count_click(self, place: QPointF) -> None:
        near = (place - self._last_click).manhattanLength() < 6
        self._clicks = self._clicks + 1 if near and self._click_timer.isActive() else 1
        self._last_click = place
        self._click_timer.start()

    def _select_unit(self, spot: Spot) -> None:
        leaf = self._leaf(spot)
        if leaf is None:
            return
        content = leaf.content
        whole = content.word_at if self._clicks == 2 else content.paragraph_at
        start, end = whole(spot.position)
        first = Spot(spot.message_id, spot.part, start)
        last = Spot(spot.message_id, spot.part, end)
        self._unit = (first, last)
        self.selection.anchor, self.selection.head = first, last

    def _extend_to(self, place: QPointF) -> None:
        spot = self.spot_at(place)
        if spot is None:
            return
        if self._unit is not None:
            first, last = self._unit
            back = self._order(spot) < self._order(first)
            self.selection.anchor = last if back else first
            inside = not back and self._order(spot) < self._order(last)
            spot = last if inside else spot
        self.selection.head = spot
        self.draw_selection()

    def _order(self, spot: Spot) -> tuple[int, int, int]:
        return (self._board.rows.get(spot.message_id, -1), spot.part, spot.position)

    def _leaf(self, spot: Spot) -> TextPart | None:
        card = self._board.live.get(spot.message_id)
        return card.leaves().get(spot.part) if card is not None else None

    def _scroll_at_edge(self) -> None:
        if not QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            self._let_go()  # released outside the window
            return
        height = self._area.viewport().height()
        y = self._pointer.y()
        beyond = y if y < 0 else max(0.0, y - height)
        bar = self._area.verticalScrollBar()
        self._board.hold(held=False)
        bar.setValue(bar.value() + int(beyond / 2))
        self._board.hold(held=True)
        self._extend_to(QPointF(self._pointer.x(), min(max(y, 0), height - 1)))

    # tips, links and menus

    def show_tip(self, event: QHelpEvent) -> bool:
        """Show the tool tip of what is under the pointer, if it has one."""
        viewport = self._area.viewport()
        found = viewport.childAt(event.pos())
        tip = ""
        if isinstance(found, TextPart):
            tip = found.tip_at(QPointF(found.mapFrom(viewport, event.pos())))
        if tip:
            QToolTip.showText(event.globalPos(), _plain_tip(tip), viewport)
        return bool(tip)

    def _link_at(self, place: QPointF) -> str:
        found = self._area.viewport().childAt(place.toPoint())
        if not isinstance(found, TextPart):
            return ""
        return found.link_at(QPointF(found.mapFrom(self._area.viewport(), place.toPoint())))

    def link_menu(self, address: str) -> QMenu:
        """What can be done with a link; its first line says where it leads."""
        menu = make_menu(self._area)
        menu.setObjectName("link-menu")
        shown = address if len(address) < 70 else f"{address[:67]}…"
        head = menu.addAction(self._theme.icon("external-link"), f"{host_of(address)}: {shown}")
        head.setEnabled(False)
        menu.addSeparator()
        if opener := self._open_link:
            menu.addAction(f"Open {host_of(address)} in the browser", lambda: opener(address))
        menu.addAction("Copy link", lambda: QGuiApplication.clipboard().setText(address))
        return menu

    def message_menu(
        self, card: MessageCard, ask_selection: Callable[[], None] | None = None
    ) -> QMenu:
        """The actions of one message."""
        menu = make_menu(self._area)
        menu.setObjectName("message-menu")
        item, icon = card.item, self._theme.icon
        if item is None:
            return menu
        has_selection = self.selection.span() is not None
        selected = menu.addAction(icon("copy"), "Copy selection", self.copy)
        selected.setEnabled(has_selection)
        menu.addAction("Copy message", lambda: self._act(card, "copy"))
        menu.addAction("Select message", lambda: self.select_message(card))
        if not item.streaming:
            menu.addSeparator()
            if ask_selection is not None and has_selection:
                menu.addAction(icon("arrow-up-right"), "Ask about the selection…", ask_selection)
            ask = "Ask another model…"
            menu.addAction(icon("arrow-up-right"), ask, lambda: self._act(card, "forward"))
            menu.addSeparator()
            menu.addAction("Edit", lambda: self._act(card, "edit"))
            menu.addAction("New chat from here", lambda: self._act(card, "branch"))
        return menu

    def select_message(self, card: MessageCard) -> None:
        if card.item is not None:
            self.selection.whole_message(card.item)
            self.draw_selection()


def _plain_tip(text: str) -> str:
    return f"<p style='white-space:pre-wrap'>{escape(text[:600], quote=False)}</p>"
