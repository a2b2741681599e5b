"""The row of actions of one message."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.transcript.values import TranscriptMessage
from lockhouse.ui.widgets import IconButton

# kind, icon, name for an answer, name for the reader's own turn ("" where it has none)
_ACTIONS = (
    ("copy", "copy", "Copy answer", "Copy message"),
    ("regenerate", "refresh-cw", "Regenerate, keep this version", ""),
    ("previous_version", "chevron-left", "Previous version", "Previous version"),
    ("next_version", "chevron-right", "Next version", "Next version"),
    ("edit", "pencil", "Edit answer", "Edit message"),
    ("branch", "git-branch", "New chat from here", "New chat from here"),
    ("forward", "arrow-up-right", "Ask another model…", "Ask another model…"),
    ("continue", "circle-play", "Continue this answer", ""),
    ("details", "info", "Details", ""),
)
_DONE_MS = 1500


class ActionRow(QWidget):
    """Icon buttons on the left, statistics on the right."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._versions = ""
        self._versions_at = 0
        self._mine = False
        self._stats: tuple[str, ...] = ()
        self._buttons: dict[str, IconButton] = {}
        for kind, icon, name, _ in _ACTIONS:
            button = IconButton(theme, icon, name, self)
            button.setObjectName(f"action-{kind}")
            button.clicked.connect(lambda _=False, kind=kind: self.chosen.emit(kind))
            self._buttons[kind] = button

    def show_message(self, message: TranscriptMessage) -> None:
        self._mine = mine = message.role != "assistant"
        several = message.version_count > 1
        self._versions = f"{message.version_index} / {message.version_count}" if several else ""
        self._stats = () if mine else message.stats
        for kind, _, for_answer, for_mine in _ACTIONS:
            name = for_mine if mine else for_answer
            shown = bool(name) and (several or not kind.endswith("version"))
            self._buttons[kind].setVisible(shown)
        self._show_names()
        self._buttons["previous_version"].setEnabled(message.version_index > 1)
        self._buttons["next_version"].setEnabled(message.version_index < message.version_count)
        self._place()
        self.update()

    def _show_names(self) -> None:
        for kind, icon, for_answer, for_mine in _ACTIONS:
            name = for_mine if self._mine else for_answer
            if name:
                self._buttons[kind].set_icon(icon, name)

    def sizeHint(self) -> QSize:
        return QSize(self._place(), self._theme.px(tokens.COMPACT_HEIGHT))

    def show_done(self, kind: str) -> None:
        """Show a tick on the button for a moment after its action."""
        self._buttons[kind].set_icon("check", "Copied")
        QTimer.singleShot(_DONE_MS, self, self._show_names)

    def _place(self) -> int:
        side = self._theme.px(tokens.COMPACT_HEIGHT)
        left = 0
        for kind, *_ in _ACTIONS:
            button = self._buttons[kind]
            if button.isHidden():
                continue
            button.setGeometry(left, 0, side, side)
            left += side
            if kind == "previous_version":
                self._versions_at = left - self._theme.px(5)
                left += self._version_room() - self._theme.px(10)
        return left

    def _version_room(self) -> int:
        metrics = QFontMetricsF(self._theme.font("caption", weight=500, tabular=True))
        return round(metrics.horizontalAdvance(self._versions)) + self._theme.px(4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        font = theme.font("caption", weight=500, tabular=True)
        painter.setFont(font)
        painter.setPen(theme.color("text-2"))
        if self._versions:
            room = QRectF(self._versions_at, 0, self._version_room(), self.height())
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, self._versions)
        painter.setFont(theme.font("caption", tabular=True))
        metrics = QFontMetricsF(painter.font())
        right = float(self.width())
        limit = self._place()
        for words in reversed(self._stats):
            width = metrics.horizontalAdvance(words)
            if right - width < limit + px(8):
                break
            box = QRectF(right - width, 0, width + 1, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, words)
            right -= width + px(12)
