"""Choices: a switch, a check box, a segmented control."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

from lockhouse.ui.theme import Theme

_BOX = 16


def paint_box(
    painter: QPainter, theme: Theme, left: int, top: int, *, ticked: bool, enabled: bool = True
) -> None:
    """A check box, 16 x 16; its edge is visible on every background."""
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
    """A QCheckBox whose box is drawn by ``paint_box``."""

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
    """On or off, effective at once; 32 x 18. Emits ``toggled``."""

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


class SegmentedControl(QFrame):
    """One of a few options side by side; arrow keys move the choice."""

    selected = Signal(str)

    def __init__(
        self,
        name: str,
        options: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
    ) -> None:
        """``options`` are pairs of a key and the label shown for it."""
        super().__init__(parent)
        self._keys = [key for key, _ in options]
        self._group = QButtonGroup(self)
        self.setProperty("frame", "segments")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for index, (key, label) in enumerate(options):
            segment = QPushButton(label, self)
            segment.setProperty("kind", "segment")
            segment.setCheckable(True)
            segment.setAutoDefault(False)
            segment.setAccessibleName(f"{name}: {label}")
            segment.setObjectName(f"segment-{key}")
            self._group.addButton(segment, index)
            row.addWidget(segment)
        if self._keys:
            self._group.button(0).setChecked(True)
        self._group.idClicked.connect(self._chosen)

    def current(self) -> str:
        index = self._group.checkedId()
        return self._keys[index] if index >= 0 else ""

    def set_current(self, key: str) -> None:
        """Choose without a signal."""
        self._group.button(self._keys.index(key)).setChecked(True)

    def _chosen(self, index: int) -> None:
        self.selected.emit(self._keys[index])
