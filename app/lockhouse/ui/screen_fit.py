"""Positions of windows and popups, so that they are fully visible."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QRect, QSize


def fitted(window: QRect, frame: QMargins, available: QRect) -> QRect:
    """The window, shrunk and moved no more than needed.

    ``window`` is without its frame, as Qt counts a window's own geometry.
    """
    inside = available.marginsRemoved(frame)
    fit = QRect(window)
    fit.setSize(window.size().boundedTo(inside.size()))
    left = min(max(fit.left(), inside.left()), inside.right() - fit.width() + 1)
    top = min(max(fit.top(), inside.top()), inside.bottom() - fit.height() + 1)
    fit.moveTo(left, top)
    return fit


def room_for(anchor: QRect, height: int, window: QRect, screen: QRect) -> QRect:
    """The area in which a popup of that height may open above or below ``anchor``.

    Inside the window, so that it is seen to belong there; anywhere on the screen only where the
    window is too low for it.
    """
    within = window.intersected(screen)
    above, below = anchor.top() - within.top(), within.bottom() - anchor.bottom()
    return within if max(above, below) >= height else screen


def beside(anchor: QRect, size: QSize, room: QRect, gap: int) -> QRect:
    """Above the anchor if it fits there, else on the side with more room.

    It is made lower where neither side is high enough, and never leaves ``room``.
    """
    above = anchor.top() - room.top() - gap
    below = room.bottom() - anchor.bottom() - gap
    goes_up = above >= min(size.height(), below)
    height = min(size.height(), max(0, above if goes_up else below))
    width = min(size.width(), room.width())
    left = max(room.left(), min(anchor.left(), room.right() - width + 1))
    top = anchor.top() - gap - height if goes_up else anchor.bottom() + 1 + gap
    return QRect(left, top, width, height)
