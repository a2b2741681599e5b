"""A dialog that only shows something: a title, a body, and buttons that end with Close."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.theme import Theme


class ReportDialog(QDialog):
    """Fill ``body``; ``buttons`` is a row of a stretch and Close. Closing deletes the dialog."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        title: str,
        *,
        heading: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """``heading``: the title stands above the body too, not only in the window frame."""
        super().__init__(parent)
        self.theme = theme
        px = theme.px
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.body = QVBoxLayout()
        self.body.setSpacing(px(8))
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(px(8))
        self.buttons.addStretch(1)
        close = push_button(theme, "Close", name=f"{name}_close")
        close.clicked.connect(self.accept)
        self.buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(16), px(20), px(16))
        column.setSpacing(px(12))
        if heading:
            column.addWidget(label(title, role="h3"))
        column.addLayout(self.body, 1)
        column.addLayout(self.buttons)
