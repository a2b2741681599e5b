"""Amounts as bars: memory in parts, how full something is, how far something has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lockhouse.ui.theme import Theme, tokens


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """One part of the bar: its word, its colour token (``mem-weights`` ...), its size."""

    name: str
    token: str
    size_bytes: int


def gigabytes(size_bytes: int) -> str:
    """A size as it is written in legends: ``5.0``."""
    return f"{size_bytes / 1e9:.1f}"


class MemoryBar(QWidget):
    """What memory goes to. What does not fit any more is drawn in the danger colour.

    Only the bar: the legend with words and numbers belongs under it. Screen readers get the
    whole sentence.
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


class ThinBar(QWidget):
    """How far something has come: a line 4 px high. ``total`` 0 draws only the track."""

    def __init__(
        self, theme: Theme, name: str, parent: QWidget | None = None, *, ink: str = "accent"
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._name = name
        self._ink = ink
        self._fraction = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        theme.changed.connect(self._retheme)

    def set_fraction(self, fraction: float) -> None:
        fraction = min(1.0, max(0.0, fraction))
        if fraction != self._fraction:
            self._fraction = fraction
            self.setAccessibleName(f"{self._name}: {fraction:.0%}")
            self.update()

    def fraction(self) -> float:
        return self._fraction

    def set_ink(self, token: str) -> None:
        self._ink = token
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(64), self._theme.px(4))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        height = self._theme.px(4)
        radius = height / 2
        box = QRectF(0, (self.height() - height) / 2, self.width(), height)
        painter.setBrush(self._theme.color("track"))
        painter.drawRoundedRect(box, radius, radius)
        if self._fraction > 0:
            box.setWidth(max(height, box.width() * self._fraction))
            painter.setBrush(self._theme.color(self._ink))
            painter.drawRoundedRect(box, radius, radius)

    def _retheme(self) -> None:
        self.updateGeometry()
        self.update()


class Meter(QWidget):
    """How full something is: a bar of 64 px and its words ("2.9k of 16k").

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
        self._theme = theme
        self._name = name
        self._ink = ink
        self._bar_width = bar_width
        self._warn_from = warn_from
        self._fraction = 0.0
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._retheme)

    def set_amount(self, used: float, total: float, words: str) -> None:
        self._fraction = min(1.0, max(0.0, used / total)) if total > 0 else 0.0
        self._words = words
        self.setAccessibleName(f"{self._name}: {words}")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        px = self._theme.px
        metrics = QFontMetricsF(self._theme.font("caption", tabular=True))
        width = px(self._bar_width) + px(8) + metrics.horizontalAdvance(self._words)
        return QSize(int(width + 0.999), px(20))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        height = theme.px(4)
        box = QRectF(0, (self.height() - height) / 2, theme.px(self._bar_width), height)
        painter.setBrush(theme.color("track"))
        painter.drawRoundedRect(box, height / 2, height / 2)
        if self._fraction > 0:
            box.setWidth(max(height, box.width() * self._fraction))
            full = self._fraction >= self._warn_from
            painter.setBrush(theme.color("warning" if full else self._ink))
            painter.drawRoundedRect(box, height / 2, height / 2)
        painter.setFont(theme.font("caption", tabular=True))
        painter.setPen(theme.color("text-2"))
        words = self.rect().adjusted(theme.px(self._bar_width) + theme.px(8), 0, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self._words)

    def _retheme(self) -> None:
        self.updateGeometry()
        self.update()
