"""Tab order of the transcript: the order on screen.

Cards are reused in any order, so Qt's own focus chain does not apply.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget

from lockhouse.ui.transcript.card import MessageCard


def stops(viewport: QWidget, cards: list[MessageCard]) -> list[QWidget]:
    """Everything on screen that takes focus: card by card, in reading order."""
    found: list[QWidget] = []
    for card in sorted(cards, key=lambda each: each.y()):
        if card.y() >= viewport.height() or card.geometry().bottom() < 0:
            continue
        inside = [w for w in card.findChildren(QWidget) if _takes_tab(w)]
        places = {w: w.mapTo(card, QPoint(0, 0)) for w in inside}
        found.append(card)
        found += sorted(inside, key=lambda w: (places[w].y() // 8, places[w].x()))
    return found


def beyond(area: QWidget, *, forward: bool) -> QWidget | None:
    """The first widget outside of the area, after or before it."""
    at = _neighbour(area, forward=forward)
    while at is not None and at is not area:
        if not area.isAncestorOf(at) and _takes_tab(at):
            return at
        at = _neighbour(at, forward=forward)
    return None


def _neighbour(widget: QWidget, *, forward: bool) -> QWidget | None:
    return widget.nextInFocusChain() if forward else widget.previousInFocusChain()


def _takes_tab(widget: QWidget) -> bool:
    policy = widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value
    return bool(policy) and widget.isVisible() and widget.isEnabled()
