"""The panel on the right: how an answer came about, and what this chat sets for itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from lockhouse.ui.chat.prompt_panel import PromptPanel
from lockhouse.ui.chat.provenance import Fact, FactGroup
from lockhouse.ui.frame_parts import hairline, icon_button, label, push_button
from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.widgets import SegmentedControl

PANEL_MIN_WIDTH = 280
_KEY_WIDTH = 124
_ROW_HEIGHT = 24


def scrolling(inside: QWidget, name: str) -> QScrollArea:
    """The widget in an area that scrolls up and down only."""
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inside)
    return area


class DetailsPanel(QFrame):
    """Two views: details of one answer, and instructions and parameters of the chat."""

    closed = Signal()
    copied = Signal(str)  # what was put on the clipboard, in words
    sent_wanted = Signal()  # what left for this answer

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("details_panel")
        self.setAccessibleName("Details")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(PANEL_MIN_WIDTH)
        self.prompt = PromptPanel(theme)
        self._choice = SegmentedControl(
            theme, "Panel", (("details", "Answer details"), ("prompt", "Chat settings"))
        )
        self._choice.setObjectName("panel_choice")
        self._choice.selected.connect(self.show_view)
        close = icon_button(theme, "x", "Close the panel", name="close_details")
        close.clicked.connect(self.closed)
        px = theme.px
        bar = QWidget()
        bar.setFixedHeight(px(47))
        head = QHBoxLayout(bar)
        head.setContentsMargins(px(16), 0, px(8), 0)
        head.addWidget(self._choice)
        head.addStretch(1)
        head.addWidget(close)
        self._stack = QStackedWidget()
        self._facts_area = scrolling(QWidget(), "facts_area")
        self._stack.addWidget(self._facts_area)
        self._stack.addWidget(scrolling(self.prompt, "prompt_area"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(hairline())
        column.addWidget(self._stack, 1)
        self.show_facts(())

    def show_view(self, key: str) -> None:
        """ "details" or "prompt"."""
        self._choice.set_current(key)
        self._stack.setCurrentIndex(1 if key == "prompt" else 0)

    @property
    def view(self) -> str:
        """Which of the two is shown."""
        return self._choice.current()

    def show_facts(self, groups: tuple[FactGroup, ...]) -> None:
        """Another answer's details."""
        px = self._theme.px
        inside = QWidget()
        inside.setObjectName("facts")
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(16), px(16), px(16))
        column.setSpacing(px(6))
        if not groups:
            column.addWidget(
                label(
                    "Choose Details under an answer to see how it came about.", ink="3", wrap=True
                )
            )
        for number, group in enumerate(groups):
            if number:
                column.addSpacing(px(6))
                column.addWidget(hairline())
                column.addSpacing(px(6))
            column.addWidget(label(group.title, role="strong"))
            column.addLayout(self._grid(group))
            if group.has_sent:
                sent = push_button(
                    self._theme, "Show what was sent", name="show_sent", compact=True
                )
                sent.clicked.connect(self.sent_wanted)
                column.addWidget(sent, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self._facts_area.setWidget(inside)

    def _grid(self, group: FactGroup) -> QGridLayout:
        px = self._theme.px
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(8))
        grid.setVerticalSpacing(px(2))
        grid.setColumnStretch(1, 1)
        for row, fact in enumerate(group.facts):
            value = label(fact.value, role="code-small" if fact.mono else "body", wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(f"{fact.key}: {fact.exact or fact.value}")
            if not fact.key:
                grid.addWidget(value, row, 0, 1, 3)
                continue
            key = label(fact.key, ink="3")
            key.setWordWrap(True)  # by the label itself, in lines as high as those of the value
            key.setFixedWidth(px(_KEY_WIDTH))  # the values of all groups stand in one line
            top = Qt.AlignmentFlag.AlignTop
            grid.addWidget(key, row, 0, top)
            grid.addWidget(value, row, 1, top)
            has_copy = bool(fact.exact and fact.mono)
            height = px(tokens.COMPACT_HEIGHT if has_copy else _ROW_HEIGHT)
            grid.setRowMinimumHeight(row, height)
            for words in (key, value):  # the first line of each is in the middle of the button
                words.ensurePolished()
                line = words.fontMetrics().height()
                words.setContentsMargins(0, max(0, (height - line) // 2), 0, 0)
            if has_copy:
                grid.addWidget(self._copy_button(fact), row, 2, top)
        return grid

    def _copy_button(self, fact: Fact) -> QWidget:
        button = icon_button(self._theme, "copy", f"Copy {fact.key.lower()}", size=14)

        def copy() -> None:
            QApplication.clipboard().setText(fact.exact)
            self.copied.emit(f"Copied {fact.key.lower()}")

        button.clicked.connect(copy)
        return button
