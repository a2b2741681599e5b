"""The strip that says why Discover cannot search now, with a button to change that."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme

_OFFLINE = (
    "Searching needs network access. You can also download a file on another computer and copy it "
    "here; these models are a good start."
)


class SealedStrip(QFrame):
    """Sealed, or sealed until the next start."""

    open_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        px = theme.px
        self.setObjectName("sealed_strip")
        self.setProperty("tone", "accent-tint")
        self.setProperty("line", "bottom")
        self._icon = label("")
        self._title = label("", role="medium", name="sealed_title")
        self._text = label("", ink="2", wrap=True, name="sealed_text")
        self._open = push_button(
            theme, "Allow network access…", name="open_network", icon="lock-open"
        )
        self._open.clicked.connect(self.open_wanted)
        texts = QVBoxLayout()
        texts.setSpacing(px(2))
        texts.addWidget(self._title)
        texts.addWidget(self._text)
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(12), px(16), px(12))
        row.setSpacing(px(12))
        row.addWidget(self._icon)
        row.addLayout(texts, 1)
        row.addWidget(self._open)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.show_network(NetworkView())

    def show_network(self, view: NetworkView) -> None:
        """Why there is no network access."""
        if view.opens_next:
            title, button = "Network access starts after a restart.", "Quit…"
            text = f"Quit and start Lockhouse again to search {view.place or 'the hub'}."
        else:
            title, button = "Sealed: no network access", "Allow network access…"
            broken = view.way in ("damaged", "broker_gone")
            text = f"{view.explanation} {_OFFLINE}" if broken else _OFFLINE
        self._title.setText(title)
        self._text.setText(text)
        self._open.setText(button)
        self._open.setAccessibleName(button.rstrip("…"))

    def _restyle(self) -> None:
        self._icon.setPixmap(self._theme.pixmap("lock", 24, "accent-text"))
