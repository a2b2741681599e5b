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
    return step_from(area, area, forward=forward)  # the area itself is where it starts


def step_from(at: QWidget, area: QWidget, *, forward: bool) -> QWidget | None:
    """The next or previous widget that takes focus, nothing in ``area`` but that itself."""
    start: QWidget = at
    found: QWidget | None = at
    while found is not None:
        found = found.nextInFocusChain() if forward else found.previousInFocusChain()
        if found is start:
            return None
        if found is None or (found is not area and area.isAncestorOf(found)):
            continue
        if _takes_tab(found):
            return found
    return None


def _takes_tab(widget: QWidget) -> bool:
    policy = widget.focusPolicy().value & Qt.FocusPolicy.TabFocus.value
    return bool(policy) and widget.isVisible() and widget.isEnabled()
