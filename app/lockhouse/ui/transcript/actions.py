"""The row of actions of one message."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import Part, row
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
_GAP = "    "


class ActionRow(QWidget):
    """Icon buttons on the left, statistics on the right."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._mine = False
        self._shown: tuple[TranscriptMessage | None, float] = (None, 0.0)
        self._stats: tuple[str, ...] = ()
        self._buttons: dict[str, IconButton] = {}
        self._versions = label("", role="caption-strong", ink="2")
        self._figures = label("", role="caption", ink="2")
        self._figures.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._figures.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        parts: list[Part] = []
        for kind, icon, name, _ in _ACTIONS:
            button = IconButton(theme, icon, name, self)
            button.setObjectName(f"action-{kind}")
            button.clicked.connect(lambda _=False, kind=kind: self.chosen.emit(kind))
            self._buttons[kind] = button
            parts += [button, self._versions] if kind == "previous_version" else [button]
        row(theme, *parts, (self._figures, 1), on=self)

    def show_message(self, message: TranscriptMessage) -> None:
        if self._shown[0] is message and self._shown[1] == self._theme.scale:
            return  # asked with every frame while an answer streams
        self._shown = message, self._theme.scale
        self._mine = mine = message.role != "assistant"
        several = message.version_count > 1
        self._versions.setText(f"{message.version_index} / {message.version_count}")
        self._versions.setVisible(several)
        self._stats = () if mine else message.stats
        self._figures.setVisible(not mine)
        for kind, _, for_answer, for_mine in _ACTIONS:
            name = for_mine if mine else for_answer
            shown = bool(name) and (several or not kind.endswith("version"))
            self._buttons[kind].setVisible(shown)
        self._show_names()
        self._buttons["previous_version"].setEnabled(message.version_index > 1)
        self._buttons["next_version"].setEnabled(message.version_index < message.version_count)
        self._show_figures()

    def _show_names(self) -> None:
        for kind, icon, for_answer, for_mine in _ACTIONS:
            name = for_mine if self._mine else for_answer
            if name:
                self._buttons[kind].set_icon(icon, name)

    def show_done(self, kind: str) -> None:
        """Show a tick on the button for a moment after its action."""
        self._buttons[kind].set_icon("check", "Copied")
        QTimer.singleShot(_DONE_MS, self, self._show_names)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_figures()

    def _show_figures(self) -> None:
        """As many of the figures as there is room for, the last ones first."""
        metrics, stats = self._figures.fontMetrics(), list(self._stats)
        buttons = sum(not button.isHidden() for button in self._buttons.values())
        room = self.width() - buttons * self._theme.px(tokens.COMPACT_HEIGHT) - self._theme.px(8)
        if not self._versions.isHidden():
            room -= self._versions.sizeHint().width()
        while stats and metrics.horizontalAdvance(_GAP.join(stats)) > room:
            stats.pop(0)
        self._figures.setText(_GAP.join(stats))
