"""Choices: a switch for on and off, a box to tick, a segmented control for one of a few."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

from lockhouse.ui.theme import Theme, tokens

_BOX = 16


def paint_box(
    painter: QPainter, theme: Theme, left: int, top: int, *, ticked: bool, enabled: bool = True
) -> None:
    """A box to tick, 16 x 16; its edge is seen on every ground."""
    px = theme.px
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(1.0 if enabled else 0.5)
    painter.setPen(QPen(theme.color("accent" if ticked else "text-3"), 1))
    painter.setBrush(theme.color("accent" if ticked else "surface"))
    side = px(_BOX) - 1
    painter.drawRoundedRect(QRectF(left + 0.5, top + 0.5, side, side), px(4), px(4))
    if ticked:
        ratio = painter.device().devicePixelRatio()
        tick = theme.pixmap("check", 12, "on-accent", ratio=ratio)
        painter.drawPixmap(left + px(2), top + px(2), tick)
    painter.setOpacity(1.0)


class CheckBox(QCheckBox):
    """Qt's own, with our box."""

    def __init__(self, theme: Theme, words: str, parent: QWidget | None = None) -> None:
        super().__init__(words, parent)
        self._theme = theme
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        place = QStyle.SubElement.SE_CheckBoxIndicator
        area = self.style().subElementRect(place, option, self)
        top = area.top() + (area.height() - self._theme.px(_BOX)) // 2
        paint_box(
            QPainter(self),
            self._theme,
            area.left(),
            top,
            ticked=self.isChecked(),
            enabled=self.isEnabled(),
        )


class Switch(QAbstractButton):
    """On or off, at once; 32 x 18. ``toggled`` is Qt's own signal."""

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._retheme)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(36), self._theme.px(22))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        groove = QRectF(px(2), px(2), px(32), px(18))
        if self.property("ring"):
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            ring = QRectF(1, 1, self.width() - 2, self.height() - 2)
            painter.drawRoundedRect(ring, ring.height() / 2, ring.height() / 2)
        ground = "accent" if self.isChecked() else "text-3"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color(ground if self.isEnabled() else "track"))
        painter.drawRoundedRect(groove, groove.height() / 2, groove.height() / 2)
        knob = groove.height() - px(4)
        left = groove.right() - knob - px(2) if self.isChecked() else groove.left() + px(2)
        painter.setBrush(theme.color("on-accent" if self.isChecked() else "surface"))
        painter.drawEllipse(QRectF(left, groove.top() + px(2), knob, knob))

    def _retheme(self) -> None:
        self.updateGeometry()
        self.update()


class _Segment(QAbstractButton):
    def __init__(self, theme: Theme, label: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setText(label)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        self.setFont(self._theme.font("caption", weight=500))
        width = metrics.horizontalAdvance(self.text()) + 2 * self._theme.px(10)
        return QSize(width, self._theme.px(tokens.SEGMENT_HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = theme.px(tokens.RADIUS_CONTROL)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self.isChecked() or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("active" if self.isChecked() else "hover"))
            painter.drawRoundedRect(box, radius, radius)
        if self.property("ring"):
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        painter.setFont(theme.font("caption", weight=500))
        ink = "text-1" if self.isChecked() else "text-2"
        painter.setPen(theme.color(ink if self.isEnabled() else "text-3"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Enter, QEvent.Type.Leave):
            self.update()
        return super().event(event)


class SegmentedControl(QWidget):
    """One of a few words side by side; arrow keys move the choice."""

    selected = Signal(str)

    def __init__(
        self,
        theme: Theme,
        name: str,
        options: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
    ) -> None:
        """``options`` are pairs of a key and the label shown for it."""
        super().__init__(parent)
        self._theme = theme
        self._keys = [key for key, _ in options]
        self._group = QButtonGroup(self)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(1, 1, 1, 1)
        row.setSpacing(0)
        for index, (key, label) in enumerate(options):
            segment = _Segment(theme, label, self)
            segment.setAccessibleName(f"{name}: {label}")
            segment.setObjectName(f"segment-{key}")
            self._group.addButton(segment, index)
            row.addWidget(segment)
        if self._keys:
            self._group.button(0).setChecked(True)
        self._group.idClicked.connect(self._chosen)
        theme.changed.connect(self._retheme)

    def current(self) -> str:
        index = self._group.checkedId()
        return self._keys[index] if index >= 0 else ""

    def set_current(self, key: str) -> None:
        """Choose without announcing it."""
        self._group.button(self._keys.index(key)).setChecked(True)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = self._theme.px(tokens.RADIUS_CONTROL)
        painter.setPen(QPen(self._theme.color("border-strong"), 1))
        painter.setBrush(self._theme.color("surface"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)

    def _chosen(self, index: int) -> None:
        self.selected.emit(self._keys[index])

    def _retheme(self) -> None:
        for button in self._group.buttons():
            button.updateGeometry()
            button.update()
        self.update()
