"""The tabs at the head of the page: a word, how many there are, and a line under the open one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from lockhouse.ui.theme import Theme

HEAD_HEIGHT = 47  # with the line under it: 48


class _Tab(QAbstractButton):
    """One word with its count."""

    def __init__(self, theme: Theme, key: str, words: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._count = ""
        self.key = key
        self.setText(words)
        self.setObjectName(f"tab_{key}")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.set_count("")
        theme.changed.connect(self.updateGeometry)

    def set_count(self, count: str) -> None:
        """How many, in figures; nothing when empty."""
        self._count = count
        self.setAccessibleName(f"{self.text()}, {count}" if count else self.text())
        self.updateGeometry()
        self.update()

    def _widths(self) -> tuple[int, int]:
        theme = self._theme
        word = QFontMetrics(theme.font("body", weight=500)).horizontalAdvance(self.text())
        if not self._count:
            return word, 0
        figures = QFontMetrics(theme.font("caption", weight=500, tabular=True))
        return word, theme.px(6) + figures.horizontalAdvance(self._count)

    def sizeHint(self) -> QSize:
        return QSize(sum(self._widths()), self._theme.px(HEAD_HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        word, _ = self._widths()
        lively = self.isChecked() or self.underMouse()
        painter.setFont(theme.font("body", weight=500))
        painter.setPen(theme.color("text-1" if lively else "text-2"))
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), side, self.text())
        if self._count:
            painter.setFont(theme.font("caption", weight=500, tabular=True))
            painter.setPen(theme.color("text-3"))
            rest = self.rect().adjusted(word + px(6), 0, 0, 0)
            painter.drawText(rest, side, self._count)
        if self.isChecked():
            line = QRect(0, self.height() - 2, self.width(), 2)
            painter.fillRect(line, theme.color("accent"))
        if self.property("ring"):
            painter.setPen(QPen(theme.color("focus"), 2))
            painter.drawRoundedRect(self.rect().adjusted(1, px(10), -1, -px(10)), 4, 4)

    def enterEvent(self, _event: object) -> None:
        self.update()

    def leaveEvent(self, _event: object) -> None:
        self.update()


class Tabs(QWidget):
    """A row of tabs; the arrow keys go from one to the next."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        name: str,
        tabs: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
    ) -> None:
        """``tabs`` are pairs of key and word."""
        super().__init__(parent)
        self.setObjectName(name)
        self._group = QButtonGroup(self)
        self._tabs: list[_Tab] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(16))
        for number, (key, words) in enumerate(tabs):
            tab = _Tab(theme, key, words, self)
            self._group.addButton(tab, number)
            self._tabs.append(tab)
            row.addWidget(tab)
        self._tabs[0].setChecked(True)
        self._group.idClicked.connect(lambda number: self.chosen.emit(self._tabs[number].key))

    @property
    def current(self) -> str:
        """The key of the open one."""
        return self._tabs[self._group.checkedId()].key

    def set_current(self, key: str) -> None:
        """Open one without announcing it."""
        next(tab for tab in self._tabs if tab.key == key).setChecked(True)

    def set_count(self, key: str, count: int) -> None:
        """How many there are behind a tab; 0 shows nothing."""
        words = f"{count:,}" if count else ""
        next(tab for tab in self._tabs if tab.key == key).set_count(words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if not step:
            super().keyPressEvent(event)
            return
        tab = self._tabs[(self._group.checkedId() + step) % len(self._tabs)]
        tab.setFocus(Qt.FocusReason.TabFocusReason)
        tab.click()
