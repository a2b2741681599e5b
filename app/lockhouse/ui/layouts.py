"""Layouts, each written as the list of its parts in the order in which they stand.

A part is a widget, another layout, a number for a fixed space, or ``STRETCH`` for the room that is
left over. ``(part, 1)`` takes that share of the room, ``(part, TOP)`` stands at the top. Sizes are
drawn ones, which the theme scales; 1 is a line and stays one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lockhouse.ui.theme import Theme

TOP = Qt.AlignmentFlag.AlignTop
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTER = Qt.AlignmentFlag.AlignHCenter
MIDDLE = Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Stretch:
    """Empty room that grows, by its share of what is left over."""

    share: int = 1


STRETCH = Stretch()

Part = QWidget | QLayout | int | Stretch | tuple[QWidget | QLayout, int | Qt.AlignmentFlag]
Margins = tuple[int, int] | tuple[int, int, int, int]  # across, down; left, top, right, bottom
_Box = TypeVar("_Box", bound=QBoxLayout)
_Widget = TypeVar("_Widget", bound=QWidget)


def row(
    theme: Theme, *parts: Part, gap: int = 0, margins: Margins = (0, 0), on: QWidget | None = None
) -> QHBoxLayout:
    """From left to right, ``gap`` apart; the layout of ``on``, or one to put into another."""
    return _filled(QHBoxLayout(), theme, parts, gap, margins, on)


def column(
    theme: Theme, *parts: Part, gap: int = 0, margins: Margins = (0, 0), on: QWidget | None = None
) -> QVBoxLayout:
    """From top to bottom, ``gap`` apart."""
    return _filled(QVBoxLayout(), theme, parts, gap, margins, on)


def _filled(
    box: _Box,
    theme: Theme,
    parts: tuple[Part, ...],
    gap: int,
    margins: Margins,
    on: QWidget | None,
) -> _Box:
    sides = margins if len(margins) == 4 else margins * 2
    box.setSpacing(_scaled(theme, gap))
    box.setContentsMargins(*(_scaled(theme, side) for side in sides))
    add(theme, box, *parts)
    if on is not None:
        on.setLayout(box)
    return box


def _scaled(theme: Theme, size: int) -> int:
    return theme.px(size) if size > 1 else size


def add(theme: Theme, box: QBoxLayout, *parts: Part) -> None:
    """Add these parts at the end of a layout."""
    for whole in parts:
        part, how = whole if isinstance(whole, tuple) else (whole, 0)
        side = how if isinstance(how, Qt.AlignmentFlag) else Qt.AlignmentFlag(0)
        share = 0 if isinstance(how, Qt.AlignmentFlag) else how
        if isinstance(part, QWidget):
            box.addWidget(part, share, side)
        elif isinstance(part, QLayout):
            box.addLayout(part, share)
        elif isinstance(part, Stretch):
            box.addStretch(part.share)
        else:
            box.addSpacing(_scaled(theme, part))


def holding(layout: QLayout) -> QWidget:
    """A widget for that layout: to be hidden as a whole, to scroll, to have a height."""
    holder = QWidget()
    holder.setLayout(layout)
    return holder


def stack(*pages: QWidget) -> QStackedWidget:
    """Widgets of which one is shown, the first one now."""
    made = QStackedWidget()
    for page in pages:
        made.addWidget(page)
    return made


def splitter(name: str, *parts: QWidget) -> QSplitter:
    """Widgets side by side whose widths the user sets; the second takes what room there is."""
    made = QSplitter(Qt.Orientation.Horizontal)
    made.setObjectName(name)
    made.setChildrenCollapsible(False)
    made.setHandleWidth(1)
    for part in parts:
        made.addWidget(part)
    made.setStretchFactor(1, 1)
    return made


def discard(widget: QWidget) -> None:
    """Delete a widget, and do not show it until then."""
    widget.hide()
    widget.deleteLater()


def clear(layout: QLayout) -> None:
    """Remove and delete every widget in a layout."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            discard(widget)


def replace(layout: QLayout, before: QWidget, after: _Widget) -> _Widget:
    """Put ``after`` where ``before`` was, which is deleted."""
    layout.replaceWidget(before, after)
    discard(before)
    return after
