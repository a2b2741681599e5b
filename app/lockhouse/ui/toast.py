"""A short message at the bottom of the page, with Undo where possible."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QFrame, QWidget

from lockhouse.ui.frame_parts import icon_button, label, small_button
from lockhouse.ui.layouts import row
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once

_SHOWN_MS = 5000
_SHOWN_WITH_UNDO_MS = 10_000


class Toast(QFrame):
    """One at a time; disappears by itself unless the pointer is on it."""

    undo_wanted = Signal(str)

    def __init__(self, theme: Theme, over: QWidget, *, above: QWidget | None = None) -> None:
        """``above`` is a widget at the bottom that must not be covered."""
        super().__init__(over)
        self._theme = theme
        self._token = self._said = ""
        self._above = above
        self.setObjectName("toast")
        self.setProperty("tone", "card")
        self._words = label("", name="toast_words")
        self._undo = small_button(theme, "Undo", self._emit_undo, name="toast_undo", kind="link")
        close = icon_button(theme, "x", "Dismiss", self.hide, name="toast_close", size=14)
        row(theme, self._words, self._undo, close, gap=8, margins=(14, 6, 6, 6), on=self)
        self._timer = once(self, _SHOWN_MS, self.hide)
        over.installEventFilter(self)
        theme.changed.connect(self._place)
        self.hide()

    def say(self, text: str, *, undo_token: str = "") -> None:
        """Show a message instead of the one before."""
        self._token = undo_token
        self._said = text
        self.setAccessibleName(text)
        self.setToolTip(text)
        self._undo.setVisible(bool(undo_token))
        self._place()
        self.show()
        self.raise_()
        self._timer.start(_SHOWN_WITH_UNDO_MS if undo_token else _SHOWN_MS)

    def undo(self) -> bool:
        """Undo, as the button does; False when it is not offered now."""
        if not self.isVisible() or not self._token:
            return False
        self._emit_undo()
        return True

    def _emit_undo(self) -> None:
        self.hide()
        token, self._token = self._token, ""
        if token:
            self.undo_wanted.emit(token)

    def _place(self) -> None:
        over = self.parentWidget()
        if over is not None:
            room = over.width() - self._theme.px(32)
            self.setMaximumWidth(room)
            self._words.setText("")
            room -= self.sizeHint().width()
            metrics = self._words.fontMetrics()
            right = Qt.TextElideMode.ElideRight
            self._words.setText(metrics.elidedText(self._said, right, max(0, room)))
            self.adjustSize()
            left = (over.width() - self.width()) // 2
            above = self._above
            foot = above.height() if above is not None and above.isVisible() else 0
            gap = self._theme.px(8 if foot else 24)
            self.move(left, over.height() - foot - self.height() - gap)

    def enterEvent(self, _event: object) -> None:
        self._timer.stop()

    def leaveEvent(self, _event: object) -> None:
        self._timer.start(_SHOWN_MS)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)
