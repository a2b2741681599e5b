"""Tabs with a count beside the title."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QLabel, QTabBar, QWidget

from lockhouse.ui.frame_parts import label
from lockhouse.ui.theme import Theme

HEAD_HEIGHT = 47  # with the line under it: 48


class Tabs(QTabBar):
    """Qt's tab bar, whose tabs have keys and counts."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        name: str,
        tabs: Sequence[tuple[str, str]],
        *,
        height: int = HEAD_HEIGHT,
        parent: QWidget | None = None,
    ) -> None:
        """``tabs`` are pairs of key and title."""
        super().__init__(parent)
        self._keys = [key for key, _ in tabs]
        self._counts: list[QLabel] = []
        self.setObjectName(name)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(theme.px(height))
        for index, (_, title) in enumerate(tabs):
            self.addTab(title)
            count = label("", role="caption-strong", ink="3")
            self.setTabButton(index, QTabBar.ButtonPosition.RightSide, count)
            self._counts.append(count)
        self.currentChanged.connect(lambda index: self.chosen.emit(self._keys[index]))
        theme.changed.connect(lambda: self.setFixedHeight(theme.px(height)))

    @property
    def current(self) -> str:
        """The key of the open tab."""
        return self._keys[self.currentIndex()]

    def set_current(self, key: str) -> None:
        """Open a tab without emitting ``chosen``."""
        with QSignalBlocker(self):
            self.setCurrentIndex(self._keys.index(key))

    def set_count(self, key: str, count: int) -> None:
        """How many things a tab holds; 0 shows nothing."""
        index = self._keys.index(key)
        shown = f"{count:,}" if count else ""
        title = self.tabText(index)
        self.setAccessibleTabName(index, f"{title}, {shown}" if shown else title)
        button = self._counts[index]
        button.setText(shown)
        button.adjustSize()
        self.setTabButton(index, QTabBar.ButtonPosition.RightSide, button)
