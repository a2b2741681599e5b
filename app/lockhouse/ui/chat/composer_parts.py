"""Parts of the composer: send and stop, context meter, chips, and where a message goes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QImage,
    QPainter,
    QPainterPath,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.storage.settings import Settings
from lockhouse.ui import formatting
from lockhouse.ui.chat.attachments import PreparedPicture
from lockhouse.ui.frame_parts import icon_button, label, push_button
from lockhouse.ui.outbound.values import WAY_WORDS, WayOn
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Meter

_USUAL_CONTEXT = 8192  # what is loaded when nothing is set and the model could do more
CHARACTERS_PER_TOKEN = 3.6  # for the meter only; the engine counts exactly when it reads


class SendButton(QPushButton):
    """Sends; while an answer runs and nothing is typed, stops it. The words say which."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.stops = True
        self.setObjectName("send")
        self.setProperty("kind", "primary")
        self.setAutoDefault(False)
        self.show_stop(stops=False)

    def show_stop(self, *, stops: bool) -> None:
        """Choose between sending and stopping."""
        if stops == self.stops:
            return
        self.stops = stops
        words, keys = ("Stop the answer", "Esc") if stops else ("Send", "Enter")
        self._theme.bind_icon(
            self, "square" if stops else "arrow-up", size=14 if stops else 16, role="on-accent"
        )
        self.setAccessibleName(words)
        self.setToolTip(f"{words}  ({keys})")

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(28), self._theme.px(28))


class ContextMeter(Meter):
    """How much of the context is used, and what happens when it is full."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "Context", parent, warn_from=0.85)
        self.setObjectName("context_meter")
        self.show_use(0, 0)

    def show_use(self, used: int, total: int, *, cut_oldest: bool = False) -> None:
        """Tokens used by what would be sent now, of the whole context."""
        self.setVisible(total > 0)
        self.set_amount(used, total, f"{formatting.tokens(used)} of {formatting.tokens(total)}")
        sentence = f"Context: about {used:,} of {total:,} tokens are used."
        if total and used >= total:
            sentence += f" About {used - total:,} tokens too many: "
            sentence += (
                "the oldest messages will be left out."
                if cut_oldest
                else "shorten it, start a new chat, or leave out the oldest messages "
                "(Settings, When the context is full)."
            )
        elif total and used > total * 0.85:
            sentence += (
                " When it is full, the oldest messages will be left out."
                if cut_oldest
                else " When it is full, the answer stops."
            )
        self.setAccessibleName(sentence)
        self.setToolTip(sentence)


def context_use(
    messages: Sequence[Message], target: TargetInfo | None, settings: Settings
) -> tuple[int, int]:
    """Tokens used, of how many. The total is 0 when nothing is known of it."""
    used = 0
    total = 0
    for message in messages:
        finished = message.provenance.finished if message.provenance else None
        if finished is not None and finished.usage.prompt_tokens:
            used = finished.usage.prompt_tokens + finished.usage.completion_tokens
            used -= finished.usage.reasoning_tokens  # not sent back
            total = finished.context_length or total
        else:
            used += round(len(message.content) / CHARACTERS_PER_TOKEN)
    wanted = settings.context_length
    if target is not None and target.kind != "local":
        return used, target.context_length  # what is set for this machine says nothing of theirs
    if not total and target is not None:
        trained = target.context_length or _USUAL_CONTEXT
        total = min(trained, wanted or _USUAL_CONTEXT)
    elif wanted:
        total = min(wanted, target.context_length) if target and target.context_length else wanted
    return used, total


class Chip(QFrame):
    """A queued message or an attached file; can be edited, asked about and removed."""

    edit_wanted = Signal()
    forward_wanted = Signal()
    remove_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        icon: str,
        text: str,
        *,
        editable: bool = False,
        forwards: bool = False,
        parent: QWidget | None = None,
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
            edit = icon_button(theme, "pencil", f"Edit queued message: {short[:60]}", size=14)
            edit.setObjectName("chip_edit")
            edit.clicked.connect(self.edit_wanted)
            row.addWidget(edit)
        if forwards:
            forward = icon_button(
                theme, "arrow-up-right", f"Ask another model about {short[:60]}…", size=14
            )
            forward.setObjectName("chip_forward")
            forward.clicked.connect(self.forward_wanted)
            row.addWidget(forward)
        remove = icon_button(theme, "x", f"Remove: {short[:60]}", size=14)
        remove.setObjectName("chip_remove")
        remove.clicked.connect(self.remove_wanted)
        row.addWidget(remove)
        self.setFixedHeight(px(28))


class PictureChip(QFrame):
    """An attached picture: small, with its size and how it was changed."""

    remove_wanted = Signal()

    def __init__(self, theme: Theme, ready: PreparedPicture, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        px = theme.px
        name = ready.image.name or "Picture"
        self.setObjectName("picture_chip")
        self.setAccessibleName(f"Picture {name}, {ready.words}")
        self.setProperty("tone", "bubble")
        self.setToolTip(f"{name}: {ready.words}")
        row = QHBoxLayout(self)
        row.setContentsMargins(px(4), px(4), px(2), px(4))
        row.setSpacing(px(8))
        shown = label("")
        shown.setPixmap(rounded(theme, ready.thumbnail, 40))
        row.addWidget(shown)
        column = QVBoxLayout()
        column.setSpacing(0)
        metrics = QFontMetrics(theme.font("caption"))
        for words, ink in ((name, "1"), (ready.words, "3")):
            elided = metrics.elidedText(words, Qt.TextElideMode.ElideRight, px(220))
            column.addWidget(label(elided, role="caption", ink=ink))
        row.addLayout(column)
        remove = icon_button(theme, "x", f"Remove: {name[:60]}", size=14)
        remove.setObjectName("chip_remove")
        remove.clicked.connect(self.remove_wanted)
        row.addWidget(remove)
        self.setFixedHeight(px(48))


class DestinationLine(QWidget):
    """Where the next message goes when it leaves this machine, and a button to act on a problem."""

    way_wanted = Signal(str)  # WayOn

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = ""
        self._way = ""
        self.setObjectName("destination_line")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(6))
        self._icon = label("")
        self._text = QLabel("")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setProperty("role", "caption-strong")
        self._text.setProperty("ink", "warning")
        self._text.setObjectName("destination_words")
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._button = push_button(
            theme, "", name="destination_way", kind="link", compact=True, spoken="Resolve"
        )
        self._button.clicked.connect(lambda: self.way_wanted.emit(self._way))
        row.addWidget(self._icon)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        theme.changed.connect(self._dress)
        self.hide()

    @property
    def words(self) -> str:
        """What is shown now."""
        return self._words

    def say(self, words: str, *, icon: str = "arrow-up-right", way: WayOn = "") -> None:
        """Show this; hide the line for no words."""
        self._words, self._way = words, way
        self._mark = icon
        self._button.setText(WAY_WORDS.get(way, ""))
        self._button.setAccessibleName(WAY_WORDS.get(way, "Resolve").rstrip("…"))
        self._button.setVisible(bool(way))
        self._text.setAccessibleName(words)
        self._text.setToolTip(words)
        self.setVisible(bool(words))
        self._dress()

    _mark = "arrow-up-right"

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _dress(self) -> None:
        self._icon.setPixmap(self._theme.pixmap(self._mark, 14, "warning"))
        self._elide()

    def _elide(self) -> None:
        metrics = QFontMetrics(self._theme.font("caption", weight=500))
        room = max(self._text.width(), self._theme.px(40))
        self._text.setText(metrics.elidedText(self._words, Qt.TextElideMode.ElideRight, room))


def rounded(theme: Theme, picture: QImage, side: int) -> QPixmap:
    """A square piece of a picture with round corners."""
    ratio = 2.0
    real = round(theme.px(side) * ratio)
    filled = picture.scaled(
        QSize(real, real),
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    pixmap = QPixmap(real, real)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    radius = theme.px(6) * ratio
    shape.addRoundedRect(QRectF(0, 0, real, real), radius, radius)
    painter.setClipPath(shape)
    painter.drawImage((real - filled.width()) // 2, (real - filled.height()) // 2, filled)
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
