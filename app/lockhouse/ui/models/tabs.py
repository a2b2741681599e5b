"""Tabs with a count after the title."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QTabBar, QWidget

from lockhouse.ui.theme import Theme

HEAD_HEIGHT = 47  # with the line under it: 48


class Tabs(QTabBar):
    """Qt's tab bar, with a key and a count for each tab."""

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
        self._titles = dict(tabs)
        self._keys = list(self._titles)
        self.setObjectName(name)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(theme.px(height))
        for title in self._titles.values():
            self.addTab(title)
        self.currentChanged.connect(lambda index: self.chosen.emit(self._keys[index]))
        theme.changed.connect(lambda: self.setFixedHeight(theme.px(height)))

    def tabSizeHint(self, index: int) -> QSize:
        """Tabs are as high as the bar."""
        return QSize(super().tabSizeHint(index).width(), self.height())

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
        title = self._titles[key]
        self.setTabText(self._keys.index(key), f"{title}  {count:,}" if count else title)
