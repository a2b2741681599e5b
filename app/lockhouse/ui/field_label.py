"""The words beside a field: a click on them goes into it, as everywhere else."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QLabel, QWidget


class FieldLabel(QLabel):
    """Names its field for screen readers; Qt by itself only follows a letter, never a click."""

    def __init__(self, words: str, field: QWidget, *, role: str = "medium", ink: str = "") -> None:
        super().__init__(words)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        if ink:
            self.setProperty("ink", ink)
        self.setBuddy(field)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.buddy().isEnabled():
            self.buddy().setFocus(Qt.FocusReason.MouseFocusReason)
        else:
            super().mousePressEvent(event)
