"""A message above the content: what happened and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from lockhouse.ui.paragraph import Paragraph, ratio_of
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets.buttons import IconButton

BannerTone = Literal["info", "warning", "danger"]

_LOOK: Final[dict[BannerTone, tuple[str, str, str]]] = {
    # tone: icon, its colour, word for screen readers
    "info": ("info", "accent-text", "Note"),
    "warning": ("triangle-alert", "warning", "Warning"),
    "danger": ("circle-alert", "danger", "Error"),
}


class Banner(QFrame):
    """An icon, a message, a hint, up to two actions and a close button."""

    action_chosen = Signal(str)
    closed = Signal()

    def __init__(
        self,
        theme: Theme,
        tone: BannerTone,
        message: str,
        *,
        hint: str = "",
        actions: Sequence[tuple[str, str]] = (),
        closable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """``actions`` are pairs of a key, sent with ``action_chosen``, and a label."""
        super().__init__(parent)
        if len(actions) > 2:
            raise ValueError("a banner has room for two actions")
        self._theme = theme
        self._look = _LOOK[tone]
        self.setProperty("tone", f"banner-{tone}")
        self.setAccessibleName(f"{self._look[2]}: {message} {hint}".strip())
        px = theme.px
        row = QHBoxLayout(self)
        row.setContentsMargins(px(11), px(9), px(7), px(9))
        row.setSpacing(px(8))
        self._icon = QLabel()
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addSpacing(px(2))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(_wrapped(message, "medium", ""))
        if hint:
            words.addWidget(_wrapped(hint, "body", "2"))
        row.addLayout(words, 1)
        for key, label in actions:
            row.addWidget(self._action(key, label), 0, Qt.AlignmentFlag.AlignVCenter)
        if closable:
            close = IconButton(theme, "x", "Dismiss", self)
            close.clicked.connect(self._close)
            row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        icon, ink, _ = self._look
        self._icon.setPixmap(self._theme.pixmap(icon, 16, ink))

    def _action(self, key: str, label: str) -> QPushButton:
        button = QPushButton(label, self)
        button.setProperty("compact", "true")
        button.setObjectName(f"banner-{key}")
        button.clicked.connect(lambda: self.action_chosen.emit(key))
        return button

    def _close(self) -> None:
        self.hide()
        self.closed.emit()


def _wrapped(text: str, role: str, ink: str) -> QLabel:
    label = Paragraph(text, ratio_of(role))
    label.setProperty("role", role)
    if ink:
        label.setProperty("ink", ink)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
