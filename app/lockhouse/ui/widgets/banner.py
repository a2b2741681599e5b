"""What happened and what can be done about it, in a strip above the content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.widgets.buttons import IconButton

BannerTone = Literal["info", "warning", "danger"]

_LOOK: Final[dict[BannerTone, tuple[str, str, str, str]]] = {
    # tone: icon, ink of the icon, ground, word for screen readers
    "info": ("info", "accent-text", "accent-tint", "Note"),
    "warning": ("triangle-alert", "warning", "warning-tint", "Warning"),
    "danger": ("circle-alert", "danger", "danger-soft", "Error"),
}


class Banner(QWidget):
    """An icon, a sentence, a hint, up to two actions, and a way to close it."""

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
        """``actions`` are pairs of a key, given back by ``action_chosen``, and a label."""
        super().__init__(parent)
        if len(actions) > 2:
            raise ValueError("a banner has room for two actions")
        self._theme = theme
        self._icon, self._ink, self._ground, word = _LOOK[tone]
        self.setAccessibleName(f"{word}: {message} {hint}".strip())
        px = theme.px
        row = QHBoxLayout(self)
        row.setContentsMargins(px(12) + px(16) + px(10), px(10), px(8), px(10))
        row.setSpacing(px(8))
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
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("border"), 1))
        painter.setBrush(theme.color(self._ground))
        radius = theme.px(tokens.RADIUS_CONTROL)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        drawn = theme.pixmap(self._icon, 16, self._ink, ratio=self.devicePixelRatioF())
        painter.drawPixmap(theme.px(12), theme.px(12), drawn)

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
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setProperty("role", role)
    if ink:
        label.setProperty("ink", ink)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
