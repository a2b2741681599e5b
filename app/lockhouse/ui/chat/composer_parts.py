"""The painted parts of the composer: send and stop, target picker, context meter, chips."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QWidget,
)

from lockhouse.ui import wording
from lockhouse.ui.parts import icon_button, label
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Meter


class SendButton(QAbstractButton):
    """Sends; while an answer runs and nothing is typed, stops it. The words say which."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stops = False
        self.setObjectName("send")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._say()

    @property
    def stops(self) -> bool:
        """Whether a press stops the answer."""
        return self._stops

    def show_stop(self, *, stops: bool) -> None:
        """Choose between sending and stopping."""
        if stops != self._stops:
            self._stops = stops
            self._say()
            self.update()

    def _say(self) -> None:
        words = "Stop the answer" if self._stops else "Send"
        keys = "Esc" if self._stops else "Enter"
        self.setAccessibleName(words)
        self.setToolTip(f"{words}  ({keys})")

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(28), self._theme.px(28))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        lively = self.underMouse() or self.isDown()
        fill, ink = ("accent-hover" if lively else "accent"), "on-accent"
        if not self.isEnabled():
            fill, ink = "track", "text-3"
        painter.setBrush(theme.color(fill))
        ring = bool(self.property("ring"))
        painter.setPen(QPen(theme.color("text-1"), 2) if ring else Qt.PenStyle.NoPen)
        inset = 1 if ring else 0
        area = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(area, px(6), px(6))
        if self._stops:
            side = px(10)
            square = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color(ink))
            painter.drawRoundedRect(square, 2, 2)
        else:
            pixmap = theme.pixmap("arrow-up", 16, ink, ratio=self.devicePixelRatioF())
            painter.drawPixmap((self.width() - px(16)) // 2, (self.height() - px(16)) // 2, pixmap)

    def enterEvent(self, _event: object) -> None:
        self.update()

    def leaveEvent(self, _event: object) -> None:
        self.update()


class ContextMeter(Meter):
    """How much of the context is used, and in words what will be cut."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "Context", parent, warn_from=0.85)
        self.setObjectName("context_meter")
        self.show_use(0, 0)

    def show_use(self, used: int, total: int, *, cut_oldest: bool = False) -> None:
        """Tokens used by what would be sent now, of the whole context."""
        self.setVisible(total > 0)
        self.set_amount(used, total, f"{wording.tokens(used)} of {wording.tokens(total)}")
        sentence = f"Context: about {used:,} of {total:,} tokens are used."
        if total and used >= total:
            sentence += f" About {used - total:,} tokens too many: "
            sentence += (
                "the oldest turns will be left out."
                if cut_oldest
                else "shorten it, start a new chat, or let the oldest turns be left out "
                "(Settings, When the context is full)."
            )
        elif total and used > total * 0.85:
            sentence += (
                " When it is full, the oldest turns will be left out."
                if cut_oldest
                else " When it is full, the answer stops."
            )
        self.setAccessibleName(sentence)
        self.setToolTip(sentence)


class Chip(QFrame):
    """A waiting message or an attached file; can be opened for editing and removed."""

    edit_wanted = Signal()
    remove_wanted = Signal()

    def __init__(
        self, theme: Theme, icon: str, text: str, *, editable: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        px = theme.px
        short = " ".join(text.split())
        self.setObjectName("chip")
        self.setAccessibleName(short)
        self.setProperty("tone", "bubble")
        row = QHBoxLayout(self)
        row.setContentsMargins(px(8), 0, px(2), 0)
        row.setSpacing(px(6))
        mark = label("")
        mark.setPixmap(theme.pixmap(icon, 14, "text-2"))
        row.addWidget(mark)
        metrics = QFontMetrics(theme.font("caption"))
        shown = metrics.elidedText(short, Qt.TextElideMode.ElideRight, px(260))
        words = label(shown, role="caption", ink="2")
        words.setToolTip(text[:600])
        row.addWidget(words)
        if editable:
            edit = icon_button(theme, "pencil", f"Edit waiting message: {short[:60]}", size=14)
            edit.setObjectName("chip_edit")
            edit.clicked.connect(self.edit_wanted)
            row.addWidget(edit)
        remove = icon_button(theme, "x", f"Remove: {short[:60]}", size=14)
        remove.setObjectName("chip_remove")
        remove.clicked.connect(self.remove_wanted)
        row.addWidget(remove)
        self.setFixedHeight(px(28))
