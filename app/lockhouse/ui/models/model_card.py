"""A model card: Markdown shown with the parts of the transcript. No HTML, no remote images."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from lockhouse.ui.frame_parts import label
from lockhouse.ui.markdown import Block
from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.parts import TextPart, fill_part, fit_part, make_part
from lockhouse.ui.transcript.styles import Styles

_MAX_BLOCKS = 400
_AT_ONCE = 8  # blocks laid out in one turn of the event loop
_COLUMN = 720


class ModelCard(QScrollArea):
    """One column of blocks. A clicked link is reported, not opened."""

    link_pressed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._blocks: tuple[Block, ...] = ()
        self._parts: list[QWidget] = []
        self._bottom = 0
        self._styles = Styles(theme)
        self.setObjectName("model_card")
        self.setAccessibleName("Model card")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._inside = QWidget()
        self.setWidget(self._inside)
        self._empty = label("This repository has no model card.", ink="2")
        self._empty.setParent(self._inside)
        self._step = QTimer(self)
        self._step.setInterval(0)
        self._step.timeout.connect(self._add_some)
        theme.changed.connect(self._rebuild)

    def show_blocks(self, blocks: tuple[Block, ...]) -> None:
        """Show these blocks, which were parsed on another thread."""
        self._blocks = blocks[:_MAX_BLOCKS]
        self._rebuild()

    def _rebuild(self) -> None:
        self._styles = Styles(self._theme)
        for part in self._parts:
            part.hide()
            part.deleteLater()
        self._parts = []
        self._bottom = self._theme.px(16)
        self._empty.setVisible(not self._blocks)
        self._empty.move(self._theme.px(16), self._theme.px(16))
        self.verticalScrollBar().setValue(0)
        self._step.start()

    def _width(self) -> int:
        px = self._theme.px
        return max(px(160), min(px(_COLUMN), self.viewport().width() - px(32)))

    def _add_some(self) -> None:
        for block in self._blocks[len(self._parts) : len(self._parts) + _AT_ONCE]:
            part = make_part(block, self._theme, self._inside)
            fill_part(part, block, self._styles, final=True)
            if isinstance(part, TextPart):
                part.installEventFilter(self)
            self._parts.append(part)
            self._put(part)
        if len(self._parts) >= len(self._blocks):
            self._step.stop()
        self._fit_inside()

    def _put(self, part: QWidget) -> None:
        px = self._theme.px
        height = fit_part(part, self._width(), self._theme)
        part.setGeometry(px(16), self._bottom, self._width(), height)
        part.show()
        self._bottom += height + px(10)

    def _fit_inside(self) -> None:
        self._inside.resize(self.viewport().width(), self._bottom + self._theme.px(16))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() == event.size().width():
            return
        self._bottom = self._theme.px(16)
        for part in self._parts:
            self._put(part)
        self._fit_inside()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            isinstance(event, QMouseEvent)
            and event.type() == QEvent.Type.MouseButtonRelease
            and isinstance(watched, TextPart)
        ):
            address = watched.link_at(event.position())
            if address:
                self.link_pressed.emit(address)
                return True
        return super().eventFilter(watched, event)
