"""A search field above a list of lines: type, the arrows move, Enter takes.

Hides that headings are lines too and nobody can stand on one, and that the keyboard stays in the
field. What a line is and how it is painted is its user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QListView, QStyledItemDelegate

from lockhouse.ui.theme import Theme

LINE: Final = Qt.ItemDataRole.UserRole + 1


class Line(Protocol):
    """What stands in the list."""

    @property
    def is_head(self) -> bool:
        """A heading, which cannot be taken."""
        ...

    @property
    def spoken(self) -> str:
        """The whole line for a screen reader."""
        ...


LineT = TypeVar("LineT", bound=Line)


class Lines(QAbstractListModel, Generic[LineT]):
    """The lines."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: Sequence[LineT] = ()

    def show(self, lines: Sequence[LineT]) -> None:
        """Other lines."""
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    def rowCount(
        self,
        parent: QModelIndex | QPersistentModelIndex = QModelIndex(),  # noqa: B008 - Qt's own
    ) -> int:
        return 0 if parent.isValid() else len(self.lines)

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        if not index.isValid() or self.lines[index.row()].is_head:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(
        self,
        index: QModelIndex | QPersistentModelIndex,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if not index.isValid():
            return None
        line = self.lines[index.row()]
        if role == LINE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.spoken
        return None


class SearchList(QObject, Generic[LineT]):
    """The field and the list; its user lays them out and fills the list."""

    taken = Signal(object)  # the line that was chosen

    def __init__(
        self, theme: Theme, delegate: QStyledItemDelegate, *, words: str, listed: str, name: str
    ) -> None:
        """``words`` stand in the empty field, ``listed`` is what the list holds."""
        super().__init__(delegate.parent())
        self.model: Lines[LineT] = Lines(self)
        self.edit = QLineEdit()
        self.edit.setObjectName(f"{name}_search")
        self.edit.setAccessibleName(words)
        self.edit.setPlaceholderText(words)
        self.edit.addAction(
            theme.icon("search", 16, "text-3"), QLineEdit.ActionPosition.LeadingPosition
        )
        self.edit.installEventFilter(self)
        self.view = QListView()
        self.view.setObjectName(f"{name}_list")
        self.view.setAccessibleName(listed)
        self.view.setModel(self.model)
        self.view.setItemDelegate(delegate)
        self.view.setMouseTracking(True)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.clicked.connect(self._take)

    def show(self, lines: Sequence[LineT], *, here: int | None = None) -> None:
        """Other lines; stands on the first that can be taken, or on line ``here``."""
        self.model.show(lines)
        if here is None:
            self._move(1, start=-1)
        else:
            self.view.setCurrentIndex(self.model.index(here))
            self.view.scrollTo(self.model.index(here))

    def _move(self, step: int, *, start: int | None = None) -> None:
        lines = self.model.lines
        row = self.view.currentIndex().row() if start is None else start
        for _ in lines:
            row = (row + step) % len(lines)
            if not lines[row].is_head:
                self.view.setCurrentIndex(self.model.index(row))
                return

    def _take(self, index: QModelIndex) -> None:
        line: LineT | None = index.data(LINE) if index.isValid() else None
        if line is not None and not line.is_head:
            self.taken.emit(line)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            if event.key() in steps:
                self._move(steps[Qt.Key(event.key())])
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take(self.view.currentIndex())
                return True
        return super().eventFilter(watched, event)
