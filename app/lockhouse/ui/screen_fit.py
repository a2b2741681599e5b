"""Where a window goes so that all of it, frame included, is on the screen."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QRect


def fitted(window: QRect, frame: QMargins, available: QRect) -> QRect:
    """The window, made smaller and moved only as far as it must be.

    ``window`` is without its frame, as Qt counts a window's own geometry.
    """
    inside = available.marginsRemoved(frame)
    fit = QRect(window)
    fit.setSize(window.size().boundedTo(inside.size()))
    left = min(max(fit.left(), inside.left()), inside.right() - fit.width() + 1)
    top = min(max(fit.top(), inside.top()), inside.bottom() - fit.height() + 1)
    fit.moveTo(left, top)
    return fit
