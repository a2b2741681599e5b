"""A card of the right column: a title, and rows with lines between them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import hairline, label
from lockhouse.ui.theme import Theme

HEAD_HEIGHT = 32


class Elided(QLabel):
    """One line that is shortened in the middle where there is no room for all of it."""

    def __init__(self, text: str, *, role: str = "body", ink: str = "", name: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        if ink:
            self.setProperty("ink", ink)
        if name:
            self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        area = self.contentsRect()
        middle = Qt.TextElideMode.ElideMiddle
        shown = self.fontMetrics().elidedText(self.text(), middle, area.width())
        painter.drawText(area, self.alignment() | Qt.AlignmentFlag.AlignVCenter, shown)


class Card(QWidget):
    """A title and its controls above a frame with rows."""

    rebuilt = Signal()  # it has new controls

    def __init__(self, theme: Theme, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        px = theme.px
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.head = QHBoxLayout()
        self.head.setSpacing(px(8))
        title_label = label(title, role="strong")
        title_label.setFixedHeight(px(HEAD_HEIGHT))
        self.head.addWidget(title_label, 1)
        frame = QFrame()
        frame.setProperty("tone", "card")
        self.body = QVBoxLayout(frame)
        self.body.setContentsMargins(1, 1, 1, 1)
        self.body.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(8))
        column.addLayout(self.head)
        column.addWidget(frame)

    def is_in_head(self, widget: QWidget) -> bool:
        """Whether a control stands beside the title."""
        return self.head.indexOf(widget) >= 0

    def add(self, row: QWidget) -> None:
        """Add a row, with a line above it."""
        if self.body.count():
            self.body.addWidget(hairline())
        self.body.addWidget(row)

    def add_row(
        self, *parts: QWidget, wide: QWidget | None = None, side: int = 16, gap: int = 8
    ) -> QWidget:
        """Add a row with these parts beside each other; ``wide`` takes what room is left."""
        px = self.theme.px
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(px(side), px(gap), px(side), px(gap))
        layout.setSpacing(px(8))
        for part in parts:
            layout.addWidget(part, 1 if part is wide else 0)
        if wide is None:
            layout.addStretch(1)
        self.add(row)
        return row

    def clear(self) -> None:
        """Remove all rows."""
        while self.body.count():
            item = self.body.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.setParent(None)
                widget.deleteLater()
