"""Scales sizes given in pixels when the text size changes.

The theme scales fonts, icons and everything the style sheet sets; margins, gaps and widths that
were given to layouts and panels stay as they were. They are remembered once as drawn sizes, so
that zooming in and out again ends exactly where it began.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QLayout,
    QLineEdit,
    QWidget,
)

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptView

_UNSET = 16_777_215  # what Qt takes for "no maximum"
_DRAWN = "drawn_sizes"
# The style sheet sizes these, or they size themselves.
_OWN_SIZES = (QAbstractButton, QAbstractScrollArea, QAbstractSpinBox, QComboBox, QLineEdit)


class Zoom(QObject):
    """Create it before the widgets, so that those that scale themselves run last."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._theme = theme
        self._scale = theme.scale
        self.root: QWidget | None = None
        theme.changed.connect(self._follow)

    def _follow(self) -> None:
        before, self._scale = self._scale, self._theme.scale
        if self.root is None or before == self._scale:
            return
        for widget in [self.root, *self.root.findChildren(QWidget)]:
            if not _in_transcript(widget):
                self._resize(widget, before)
        for layout in self.root.findChildren(QLayout):
            holder: QWidget | None = layout.parentWidget()
            if not _in_transcript(holder):
                self._respace(layout, before)

    def _resize(self, widget: QWidget, before: float) -> None:
        if isinstance(widget, _OWN_SIZES) or widget.isWindow():
            return
        sizes = (
            widget.minimumWidth(),
            widget.minimumHeight(),
            widget.maximumWidth(),
            widget.maximumHeight(),
        )
        drawn = _remember(widget, sizes, before)
        least_w, least_h, most_w, most_h = (self._scaled(size) for size in drawn)
        widget.setMinimumSize(least_w, least_h)
        widget.setMaximumSize(most_w, most_h)

    def _respace(self, layout: QLayout, before: float) -> None:
        margins = layout.contentsMargins()
        sides = (margins.left(), margins.top(), margins.right(), margins.bottom())
        drawn = _remember(layout, (*sides, layout.spacing()), before)
        left, top, right, bottom, gap = (self._scaled(size) for size in drawn)
        layout.setContentsMargins(left, top, right, bottom)
        if gap >= 0:
            layout.setSpacing(gap)

    def _scaled(self, drawn: float) -> int:
        if drawn <= 1 or drawn >= _UNSET:  # lines stay lines
            return int(drawn)
        return self._theme.px(drawn)


def _remember(thing: QObject, sizes: tuple[int, ...], scale: float) -> list[float]:
    known = thing.property(_DRAWN)
    if isinstance(known, list) and len(known) == len(sizes):
        return [float(size) for size in known]
    drawn = [
        float(size) if size <= 1 or size >= _UNSET else float(round(size / scale)) for size in sizes
    ]
    thing.setProperty(_DRAWN, drawn)
    return drawn


def _in_transcript(widget: QWidget | None) -> bool:
    step = widget
    while step is not None:
        if isinstance(step, TranscriptView):
            return True
        step = step.parentWidget()
    return False
