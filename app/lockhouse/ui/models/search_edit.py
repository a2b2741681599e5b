"""A field for words to look for: a lens at its left, a cross at its right once it holds any."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QWidget

from lockhouse.ui.theme import Theme


class SearchEdit(QLineEdit):
    """Qt's own clear button has colours of its own; this one follows the theme."""

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
        self._lens = self.addAction(
            theme.icon("search", 16, "text-3"), QLineEdit.ActionPosition.LeadingPosition
        )
        self._cross = self.addAction(
            theme.icon("x", 16, "text-2"), QLineEdit.ActionPosition.TrailingPosition
        )
        self._cross.setToolTip("Clear")
        self._cross.setVisible(False)
        self._cross.triggered.connect(self.clear)
        self.textChanged.connect(lambda text: self._cross.setVisible(bool(text)))
        theme.changed.connect(self._dress)

    def _dress(self) -> None:
        self._lens.setIcon(self._theme.icon("search", 16, "text-3"))
        self._cross.setIcon(self._theme.icon("x", 16, "text-2"))
