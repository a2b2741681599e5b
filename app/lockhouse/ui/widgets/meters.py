"""Amounts as bars: memory by part, how full something is, progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QWidget

from lockhouse.ui.formatting import gigabytes
from lockhouse.ui.theme import Theme, repolish, tokens

_STEPS = 1000


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One part of the bar: name, colour token (``mem-weights`` ...) and size."""

    name: str
    token: str
    size_bytes: int


class MemoryBar(QWidget):
    """What uses the memory. What does not fit is drawn in the danger colour.

    Only the bar: a legend belongs under it. Screen readers get the whole sentence.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, height: int = 12) -> None:
        super().__init__(parent)
        self._theme = theme
        self._height = height
        self._parts: tuple[MemoryPart, ...] = ()
        self._available = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._retheme)
        self.set_parts((), 0)

    def set_parts(self, parts: Sequence[MemoryPart], available_bytes: int) -> None:
        self._parts = tuple(parts)
        self._available = available_bytes
        self.setAccessibleName(self.sentence())
        self.update()

    def sentence(self) -> str:
        """What the bar says, in words."""
        used = sum(part.size_bytes for part in self._parts)
        words = [f"{part.name.lower()} {gigabytes(part.size_bytes)}" for part in self._parts]
        rest = self._available - used
        over = "" if rest >= 0 else f"; {gigabytes(-rest)} GB more than there is"
        if rest >= 0:
            words.append(f"free {gigabytes(rest)}")
        return f"Memory: {', '.join(words)} GB{over}"

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self._theme.px(self._height))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        clip = QPainterPath()
        radius = min(self._theme.px(tokens.RADIUS_SMALL), self.height() / 2)
        clip.addRoundedRect(QRectF(self.rect()), radius, radius)
        painter.setClipPath(clip)
        painter.fillRect(self.rect(), self._theme.color("track"))
        total = max(self._available, sum(part.size_bytes for part in self._parts), 1)
        left = 0.0
        for part in self._parts:
            width = self.width() * part.size_bytes / total
            box = QRectF(left, 0, max(width - 1, min(width, 1)), self.height())
            painter.fillRect(box, self._theme.color(part.token))
            left += width
        if 0 < self._available < total:
            start = self.width() * self._available / total
            beyond = QRectF(start, 0, self.width() - start, self.height())
            painter.fillRect(beyond, self._theme.color("danger"))

    def _retheme(self) -> None:
        self.updateGeometry()
        self.update()


class ThinBar(QProgressBar):
    """Progress as a line 4 px high."""

    def __init__(
        self, theme: Theme, name: str, parent: QWidget | None = None, *, ink: str = "accent"
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._name = name
        self._fraction = 0.0
        self.setRange(0, _STEPS)
        self.setValue(0)
        self.setTextVisible(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        self.set_ink(ink)

    def set_fraction(self, fraction: float) -> None:
        """Between 0 and 1."""
        fraction = min(1.0, max(0.0, fraction))
        if fraction != self._fraction:
            self._fraction = fraction
            self.setAccessibleName(f"{self._name}: {fraction:.0%}")
            least = _STEPS * self._theme.px(4) // max(1, self.width())  # a visible dot
            self.setValue(max(round(fraction * _STEPS), least if fraction else 0))

    def fraction(self) -> float:
        return self._fraction

    def set_ink(self, token: str) -> None:
        if token != self.property("ink"):
            self.setProperty("ink", token)
            repolish(self)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(64), self._theme.px(4))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self._theme.px(4))


class Meter(QWidget):
    """A bar and its words: how full something is ("2.9k of 16k").

    The bar turns to the warning colour from ``warn_from`` on; the words should say so too.
    """

    def __init__(
        self,
        theme: Theme,
        name: str,
        parent: QWidget | None = None,
        *,
        ink: str = "accent",
        bar_width: int = 64,
        warn_from: float = 0.9,
    ) -> None:
        super().__init__(parent)
        self._name = name
        self._ink = ink
        self._warn_from = warn_from
        self._bar = ThinBar(theme, name, ink=ink)
        self._bar.setFixedWidth(theme.px(bar_width))
        self._words = QLabel()
        self._words.setProperty("role", "caption")
        self._words.setProperty("ink", "2")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(8))
        row.addWidget(self._bar)
        row.addWidget(self._words)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_amount(self, used: float, total: float, words: str) -> None:
        fraction = used / total if total > 0 else 0.0
        self._bar.set_fraction(fraction)
        self._bar.set_ink("warning" if fraction >= self._warn_from else self._ink)
        self._words.setText(words)
        self.setAccessibleName(f"{self._name}: {words}")
