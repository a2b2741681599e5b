"""How an error is shown in the window: a banner, or a dialog with what can be done.

One place for the table of kinds: what was not found or cannot be used, and what crashed, is a
banner with its hint; what does not fit is a dialog with the smaller choice that would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, BannerTone

_MAX_BANNERS = 3


class BannerStack(QWidget):
    """Banners above the work area, newest first, each shown once."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: dict[str, Banner] = {}
        self.setObjectName("banners")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(theme.px(16), theme.px(8), theme.px(16), 0)
        self._column.setSpacing(theme.px(6))
        self.hide()

    def say(
        self,
        message: str,
        hint: str = "",
        *,
        tone: BannerTone = "danger",
        actions: Sequence[tuple[str, str, Callable[[], None]]] = (),
    ) -> None:
        """Show what happened; ``actions`` are key, label and what to do."""
        if message in self._shown:
            return
        banner = Banner(
            self._theme,
            tone,
            message,
            hint=hint,
            actions=[(key, words) for key, words, _ in actions],
            closable=True,
        )
        banner.setObjectName("banner")
        calls = {key: call for key, _, call in actions}

        def act(key: str) -> None:
            self._drop(message)
            calls[key]()

        banner.action_chosen.connect(act)
        banner.closed.connect(lambda: self._drop(message))
        self._shown[message] = banner
        self._column.insertWidget(0, banner)
        while len(self._shown) > _MAX_BANNERS:
            self._drop(next(iter(self._shown)))
        self.show()

    def clear(self) -> None:
        """Remove all: they belonged to another page."""
        for message in list(self._shown):
            self._drop(message)

    @property
    def messages(self) -> tuple[str, ...]:
        """What is shown now, oldest first."""
        return tuple(self._shown)

    def _drop(self, message: str) -> None:
        banner = self._shown.pop(message, None)
        if banner is not None:
            self._column.removeWidget(banner)
            banner.hide()
            banner.deleteLater()
        self.setVisible(bool(self._shown))


class ChoiceDialog(QDialog):
    """What happened, a hint, and a button for each choice."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        title: str,
        message: str,
        *,
        hint: str = "",
        choices: Sequence[tuple[str, str]] = (),
        details: str = "",
        close_words: str = "Close",
        parent: QWidget | None = None,
    ) -> None:
        """``choices`` are keys and labels; the first is the recommended one."""
        super().__init__(parent)
        px = theme.px
        self.setObjectName("choice_dialog")
        self.setWindowTitle(title)
        self.setMinimumWidth(px(440))
        self.key = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(8))
        heading = label(title, role="h3", wrap=True, name="dialog_title")
        column.addWidget(heading)
        column.addWidget(label(message, wrap=True, name="dialog_message"))
        if hint:
            column.addWidget(label(hint, ink="2", wrap=True, name="dialog_hint"))
        if details:
            column.addWidget(details_box(theme, details, "dialog_details"))
        column.addSpacing(px(12))
        column.addStretch(1)  # takes the spare room, so that the sentences stay together
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addStretch(1)
        close = push_button(theme, close_words, name="dialog_close")
        close.clicked.connect(self.reject)
        row.addWidget(close)
        close.setFocus()
        for number, (key, words) in enumerate(reversed(choices)):
            is_first = number == len(choices) - 1
            button = push_button(
                theme, words, name=f"dialog_{key}", kind="primary" if is_first else ""
            )
            button.setDefault(is_first)
            button.clicked.connect(lambda _checked=False, chosen=key: self._choose(chosen))
            row.addWidget(button)
            button.setFocus()  # the last one is the recommended one
        column.addLayout(row)

    def _choose(self, key: str) -> None:
        self.key = key
        self.chosen.emit(key)
        self.accept()


def details_box(theme: Theme, text: str, name: str) -> QPlainTextEdit:
    """Read-only text that can be copied."""
    box = QPlainTextEdit(text)
    box.setObjectName(name)
    box.setAccessibleName("Details")
    box.setReadOnly(True)
    box.setFont(theme.font("code-small"))
    box.setTabChangesFocus(True)
    box.setMinimumHeight(120)
    box.setMaximumHeight(260)
    return box
