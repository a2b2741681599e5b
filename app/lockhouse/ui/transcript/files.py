"""The files that went along with a question: a mark for each, which shows what is in it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QPushButton, QWidget

from lockhouse.ui.theme import Theme, tokens
from lockhouse.ui.transcript.values import AttachedFile

_MIDDLE = Qt.TextElideMode.ElideMiddle


class FileMarks(QWidget):
    """One below the other, above the reader's own words."""

    toggled = Signal(int)  # number of the file

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._files: tuple[AttachedFile, ...] = ()
        self._marks: list[QPushButton] = []

    def show_files(self, files: Sequence[AttachedFile], opened: frozenset[int]) -> None:
        """These files; ``opened`` are the numbers of those whose content is shown below."""
        self._files = tuple(files)
        while len(self._marks) < len(files):
            self._marks.append(self._make(len(self._marks)))
        for number, mark in enumerate(self._marks):
            mark.setVisible(number < len(files))
            if number < len(files):
                file, is_open = files[number], number in opened
                mark.setAccessibleName(f"File {file.name}, {file.size}")
                mark.setToolTip("Hide what is in it" if is_open else "Show what is in it")
                mark.setChecked(is_open)

    def wide(self) -> int:
        """How wide the marks want to be."""
        widths = [self._wanted(file) for file in self._files]
        return max(widths, default=0)

    def fit(self, width: int) -> int:
        """Stand at the right of that width; gives the height."""
        px = self._theme.px
        row, gap = px(tokens.COMPACT_HEIGHT), px(4)
        for number, file in enumerate(self._files):
            mark, wanted = self._marks[number], min(width, self._wanted(file))
            room = wanted - self._around()
            metrics = QFontMetrics(mark.font())
            tail = f", {file.size}"
            name = metrics.elidedText(
                file.name, _MIDDLE, max(room - metrics.horizontalAdvance(tail), px(24))
            )
            mark.setText((name + tail).replace("&", "&&"))
            mark.setGeometry(0, number * (row + gap), wanted, row)
        return len(self._files) * (row + gap) - gap

    def _around(self) -> int:
        """Icon, gaps and frame of a mark."""
        return self._theme.px(16 + 8 + 2 * 12)

    def _wanted(self, file: AttachedFile) -> int:
        font = self._marks[0].font() if self._marks else self.font()
        words = QFontMetrics(font).horizontalAdvance(f"{file.name}, {file.size}")
        return words + self._around() + 2  # two pieces may be wider than the whole

    def _make(self, number: int) -> QPushButton:
        mark = QPushButton(self)
        mark.setObjectName(f"file-{number + 1}")
        mark.setProperty("compact", "true")
        mark.setCheckable(True)
        self._theme.bind_icon(mark, "file-text", size=16)
        mark.clicked.connect(lambda _checked=False: self.toggled.emit(number))
        return mark
