"""Parts of the composer: send and stop, context meter, chips, and where a message goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QImage,
    QPainter,
    QPainterPath,
    QPixmap,
)
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.storage.settings import Settings
from lockhouse.ui import formatting
from lockhouse.ui.chat.attachments import PreparedPicture
from lockhouse.ui.frame_parts import IconLabel, icon_button, label, push_button
from lockhouse.ui.layouts import MIDDLE, column, row
from lockhouse.ui.outbound.values import WAY_WORDS, WayOn
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Meter

_USUAL_CONTEXT = 8192  # what is loaded when nothing is set and the model could do more
CHARACTERS_PER_TOKEN = 3.6  # for the meter only; the engine counts exactly when it reads


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of what the message box held at its ``revision``, the chat before it included.

    ``characters`` are those typed and attached then; ``files`` the tokens of each attached file,
    in their order, where the model itself counted.
    """

    revision: int
    characters: int
    used: int
    total: int
    is_exact: bool = True
    files: tuple[int, ...] = ()


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

    def show_use(
        self, used: int, total: int, *, cut_oldest: bool = False, is_exact: bool = False
    ) -> None:
        """Tokens used by what would be sent now, of the whole context.

        ``is_exact``: the model itself counted them.
        """
        self.setVisible(total > 0)
        about = "" if is_exact or not used else "about "
        words = f"{about}{formatting.tokens(used)} of {formatting.tokens(total)}"
        self.set_amount(used, total, words)
        sentence = f"Context: {about}{used:,} of {total:,} tokens are used."
        if total and used >= total:
            sentence += f" {about}{used - total:,} tokens too many: ".replace(" about", " About")
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
    """A queued message or an attached file, with buttons for what can be done with it."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        text: str,
        remove: Callable[[], object],
        *,
        edit: Callable[[], object] | None = None,
        edit_words: str = "Edit queued message",
        size: str = "",
        forward: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        px = theme.px
        short = " ".join(text.split())
        self.setObjectName("chip")
        told = f" · {size}" if size else ""
        self.setAccessibleName(f"{short}{told}")
        self.setProperty("tone", "bubble")
        mark = IconLabel(theme, icon, 14)
        shown = _elided(theme, short, 170 if size else 260)
        words = label(f"{shown}{told}", role="caption", ink="2")
        words.setToolTip(text[:600])
        actions = (
            ("edit", "pencil", f"{edit_words}: {short[:60]}", edit),
            ("forward", "arrow-up-right", f"Ask another model about {short[:60]}…", forward),
            ("remove", "x", f"Remove: {short[:60]}", remove),
        )
        parts: list[QWidget] = [mark, words]
        for name, picture, spoken, act in actions:
            if act is not None:
                button = icon_button(theme, picture, spoken, name=f"chip_{name}", size=14)
                button.clicked.connect(lambda _checked=False, act=act: act())
                parts.append(button)
        row(theme, *parts, gap=6, margins=(8, 0, 2, 0), on=self)
        self.setFixedHeight(px(28))


class PictureChip(QFrame):
    """An attached picture: small, with its size and how it was changed."""

    def __init__(self, theme: Theme, ready: PreparedPicture, remove: Callable[[], object]) -> None:
        super().__init__()
        px = theme.px
        name = ready.image.name or "Picture"
        self.setObjectName("picture_chip")
        self.setAccessibleName(f"Picture {name}, {ready.words}")
        self.setProperty("tone", "bubble")
        self.setToolTip(f"{name}: {ready.words}")
        shown = label("")
        shown.setPixmap(rounded(theme, ready.thumbnail, 40))
        words = column(
            theme,
            label(_elided(theme, name, 220), role="caption", ink="1"),
            label(_elided(theme, ready.words, 220), role="caption", ink="3"),
        )
        drop = icon_button(theme, "x", f"Remove: {name[:60]}", name="chip_remove", size=14)
        drop.clicked.connect(lambda _checked=False: remove())
        row(theme, shown, words, drop, gap=8, margins=(4, 4, 2, 4), on=self)
        self.setFixedHeight(px(48))


def _elided(theme: Theme, words: str, room: int) -> str:
    metrics = QFontMetrics(theme.font("caption"))
    return metrics.elidedText(words, Qt.TextElideMode.ElideRight, theme.px(room))


class ProblemLine(QFrame):
    """Why something could not be attached or sent, where it was tried; a button dismisses it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer_problem")
        self.setProperty("tone", "banner-danger")
        self._text = label("", wrap=True, selectable=True, name="composer_problem_words")
        icon = IconLabel(theme, "circle-alert", 16, "danger")
        drop = icon_button(theme, "x", "Dismiss", self.clear, name="composer_problem_close")
        parts = ((icon, MIDDLE), (self._text, 1), (drop, MIDDLE))
        row(theme, *parts, gap=8, margins=(10, 6, 4, 6), on=self)
        self.hide()

    @property
    def words(self) -> str:
        """What is shown now."""
        return self._text.text()

    def say(self, message: str, hint: str = "") -> None:
        """Show this, below what is shown already."""
        words = f"{message} {hint}".strip()
        lines = [*self.words.splitlines(), words] if words not in self.words else [self.words]
        self._text.setText("\n".join(line for line in lines if line))
        self.setAccessibleName(f"Error: {self.words}")
        self.show()

    def clear(self) -> None:
        """Show nothing."""
        self._text.setText("")
        self.hide()


class DestinationLine(QWidget):
    """Where the next message goes when it leaves this machine, and a button to act on a problem."""

    way_wanted = Signal(str)  # WayOn

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._way = ""
        self.setObjectName("destination_line")
        self._icon = IconLabel(theme, "arrow-up-right", 14, "warning")
        self._text = Elided(
            "", role="caption-strong", ink="warning", name="destination_words",
            at=Qt.TextElideMode.ElideRight,
        )  # fmt: skip
        self._button = push_button(
            theme, "", lambda: self.way_wanted.emit(self._way),
            name="destination_way", kind="link", compact=True, spoken="Resolve",
        )  # fmt: skip
        row(theme, self._icon, (self._text, 1), self._button, gap=6, on=self)
        self.hide()

    @property
    def words(self) -> str:
        """What is shown now."""
        return self._text.text()

    def say(self, words: str, *, icon: str = "arrow-up-right", way: WayOn = "") -> None:
        """Show this; hide the line for no words."""
        self._way = way
        self._icon.show_icon(icon, 14, "warning")
        self._button.setText(WAY_WORDS.get(way, ""))
        self._button.setAccessibleName(WAY_WORDS.get(way, "Resolve").rstrip("…"))
        self._button.setVisible(bool(way))
        self._text.setText(words)
        self._text.setToolTip(words)
        self.setVisible(bool(words))


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
