"""A search field with an icon at its left, and a clear button once it holds text."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QWidget

from lockhouse.ui.theme import Theme


class SearchEdit(QLineEdit):
    """Unlike Qt's own, its clear button has the colours of the theme."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        spoken: str,
        placeholder: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName(name)
        self.setAccessibleName(spoken)
        self.setPlaceholderText(placeholder)
        self._search = self.addAction(
            theme.icon("search", 16, "text-3"), QLineEdit.ActionPosition.LeadingPosition
        )
        self._clear = self.addAction(
            theme.icon("x", 16, "text-2"), QLineEdit.ActionPosition.TrailingPosition
        )
        self._clear.setToolTip("Clear")
        self._clear.setVisible(False)
        self._clear.triggered.connect(self.clear)
        self.textChanged.connect(lambda text: self._clear.setVisible(bool(text)))
        theme.changed.connect(self._restyle)

    def _restyle(self) -> None:
        self._search.setIcon(self._theme.icon("search", 16, "text-3"))
        self._clear.setIcon(self._theme.icon("x", 16, "text-2"))
