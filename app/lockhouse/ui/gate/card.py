"""A card of the right column: a title, and rows with lines between them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QWidget

from lockhouse.ui.frame_parts import hairline, label
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.theme import Theme

HEAD_HEIGHT = 32


class Card(QWidget):
    """A title and its controls above a frame with rows."""

    rebuilt = Signal()  # it has new controls

    def __init__(self, theme: Theme, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        px = theme.px
        self.setObjectName(name)
        self.setAccessibleName(title)
        title_label = label(title, role="strong")
        title_label.setFixedHeight(px(HEAD_HEIGHT))
        self.head = row(theme, (title_label, 1), gap=8)
        frame = QFrame()
        frame.setProperty("tone", "card")
        self.body = column(theme, margins=(1, 1))
        frame.setLayout(self.body)
        column(theme, self.head, frame, gap=8, on=self)

    def is_in_head(self, widget: QWidget) -> bool:
        """Whether a control stands beside the title."""
        return self.head.indexOf(widget) >= 0

    def add(self, line: QWidget) -> None:
        """Add a row, with a line above it."""
        if self.body.count():
            self.body.addWidget(hairline())
        self.body.addWidget(line)

    def add_row(
        self, *parts: QWidget, wide: QWidget | None = None, side: int = 16, gap: int = 8
    ) -> QWidget:
        """Add a row with these parts beside each other; ``wide`` takes what room is left."""
        rest = () if wide else (STRETCH,)
        margins = (side, gap)
        shares = ((part, 1 if part is wide else 0) for part in parts)
        line = holding(row(self.theme, *shares, *rest, gap=8, margins=margins))
        self.add(line)
        return line

    def clear(self) -> None:
        """Remove all rows."""
        while (item := self.body.takeAt(0)) is not None:
            if (line := item.widget()) is not None:
                line.hide()
                line.setParent(None)  # the next rows have controls of the same names
                line.deleteLater()
