"""A slider for the context length, with stops at even distances: 2k, 4k, 8k and so on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from PySide6.QtCore import QRect, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QSlider, QSpinBox, QWidget

from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import CENTER, LEFT, MIDDLE, RIGHT, STRETCH, column, row
from lockhouse.ui.theme import Theme

_PER_STOP = 1000
_STEP = 256  # llama.cpp rounds to it
_SMALLEST = 512
_MOST_STOPS = 6


def stops_up_to(most: int) -> tuple[int, ...]:
    """Powers of two that end with the largest length there is, six at most."""
    if most <= 0:
        return ()
    most = max(_SMALLEST, most // _STEP * _STEP)
    stops = []
    power = 2048 if most > 2048 else _SMALLEST
    while power < most * 0.95:
        stops.append(power)
        power *= 2
    stops.append(most)
    return tuple(stops[-_MOST_STOPS:]) if len(stops) > 1 else (_SMALLEST, max(most, 1024))


def length_at(position: int, stops: Sequence[int]) -> int:
    """The length at a position of the slider."""
    number, rest = divmod(max(0, position), _PER_STOP)
    if number >= len(stops) - 1:
        return stops[-1]
    low, high = stops[number], stops[number + 1]
    length = low + (high - low) * rest / _PER_STOP
    return min(stops[-1], max(_STEP, round(length / _STEP) * _STEP))


def position_of(length: int, stops: Sequence[int]) -> int:
    """The position of a length on the slider."""
    if length <= stops[0]:
        return 0
    for number, (low, high) in enumerate(itertools.pairwise(stops)):
        if length <= high:
            return round((number + (length - low) / (high - low)) * _PER_STOP)
    return (len(stops) - 1) * _PER_STOP


class _Stops(QWidget):
    """The lengths under the slider; the chosen one is darker, each can be clicked."""

    chosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._stops: tuple[int, ...] = ()
        self._length = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.updateGeometry)

    def show_stops(self, stops: tuple[int, ...], length: int) -> None:
        self._stops, self._length = stops, length
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self._theme.px(16))

    def _areas(self) -> list[QRect]:
        if len(self._stops) < 2:
            return []
        px = self._theme.px
        step = (self.width() - px(16)) / (len(self._stops) - 1)
        return [
            QRect(round(px(8) + number * step - px(24)), 0, px(48), self.height())
            for number in range(len(self._stops))
        ]

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        areas = self._areas()
        for number, (stop, area) in enumerate(zip(self._stops, areas, strict=False)):
            here = stop == self._length
            painter.setFont(theme.font("caption", weight=500 if here else 400, tabular=True))
            painter.setPen(theme.color("text-1" if here else "text-3"))
            side = CENTER | MIDDLE
            if number == 0:
                area.setLeft(0)
                side = LEFT
            elif number == len(areas) - 1:
                area.setRight(self.width() - 1)
                side = RIGHT
            painter.drawText(area, side, short_length(stop))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for stop, area in zip(self._stops, self._areas(), strict=False):
            if area.contains(event.position().toPoint()):
                self.chosen.emit(stop)


def short_length(length: int) -> str:
    """2k, 16k, 40k in units of 1,024; else as any count of tokens."""
    if length >= 1024 and length % 1024 == 0:
        return f"{length // 1024}k"
    return formatting.tokens(length)


class ContextSlider(QWidget):
    """The length as a number, the slider, and its stops."""

    moved = Signal(int)  # while it moves
    settled = Signal(int)  # released, or a number was entered

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._stops: tuple[int, ...] = ()
        self._length = 0
        px = theme.px
        self._number = QSpinBox()
        self._number.setObjectName("context_number")
        self._number.setAccessibleName("Context length in tokens")
        self._number.setGroupSeparatorShown(True)
        self._number.setSuffix(" tokens")
        self._number.setAlignment(RIGHT)
        self._number.setKeyboardTracking(False)
        self._number.setSingleStep(_STEP)
        self._number.setFixedWidth(px(124))
        self._number.setProperty("compact", "true")
        self._number.valueChanged.connect(self._typed)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("context_slider")
        self._slider.setAccessibleName("Context length")
        self._slider.valueChanged.connect(self._slid)
        self._slider.sliderReleased.connect(lambda: self.settled.emit(self._length))
        self._labels = _Stops(theme)
        self._labels.chosen.connect(self._choose)
        head = row(theme, label("Context length"), STRETCH, self._number, gap=4)
        column(theme, head, self._slider, self._labels, gap=4, on=self)

    @property
    def is_moving(self) -> bool:
        """Whether the handle is held."""
        return self._slider.isSliderDown()

    def show_length(self, length: int, most: int) -> None:
        """Show a length, and the largest one to offer."""
        if self.is_moving:
            return
        stops = stops_up_to(max(most, length))
        self.setEnabled(bool(stops))
        if not stops:
            return
        self._length, self._stops = length, stops
        blockers = (QSignalBlocker(self._slider), QSignalBlocker(self._number))
        self._slider.setRange(0, (len(stops) - 1) * _PER_STOP)
        self._slider.setSingleStep(_PER_STOP // 8)
        self._slider.setPageStep(_PER_STOP)
        self._slider.setValue(position_of(length, stops))
        self._number.setRange(min(_SMALLEST, length), stops[-1])
        self._number.setValue(length)
        del blockers
        self._labels.show_stops(stops, length)

    def _slid(self, position: int) -> None:
        near = round(position / _PER_STOP)
        if abs(position - near * _PER_STOP) < _PER_STOP // 25:
            position = near * _PER_STOP  # snaps to a stop nearby
        self._take(length_at(position, self._stops))
        if not self.is_moving:  # by the keyboard or the wheel
            self.settled.emit(self._length)

    def _typed(self, length: int) -> None:
        self._take(length)
        self.settled.emit(self._length)

    def _choose(self, length: int) -> None:
        if self.isEnabled():
            self._take(length)
            self.settled.emit(self._length)

    def _take(self, length: int) -> None:
        if length == self._length:
            return
        self._length = length
        with QSignalBlocker(self._number):
            self._number.setValue(length)
        if not self.is_moving:
            with QSignalBlocker(self._slider):
                self._slider.setValue(position_of(length, self._stops))
        self._labels.show_stops(self._stops, length)
        self.moved.emit(length)
