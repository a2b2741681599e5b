"""The list of everyone who can answer, with a search; opens over the button that was pressed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QLineEdit,
    QListView,
    QVBoxLayout,
    QWidget,
)

from lockhouse.ui.chat.destinations import Choice, Destination, choices
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.chat.target_delegate import CHOICE, TargetDelegate
from lockhouse.ui.parts import label
from lockhouse.ui.theme import Theme

_WIDTH = 480
_MOST_HEIGHT = 440


class ChoiceModel(QAbstractListModel):
    """The lines."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: list[Choice] = []

    def show(self, lines: list[Choice]) -> None:
        """Other lines."""
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.lines)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or self.lines[index.row()].kind == "head":
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        line = self.lines[index.row()]
        if role == CHOICE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.spoken
        return None


class TargetPopup(QDialog):
    """Type to search, arrows move, Enter takes; Esc and a click elsewhere close it.

    Not one of Qt's popups: those are left out of what screen readers are told.
    """

    chosen = Signal(object)  # Destination
    way_wanted = Signal(str, str)  # WayOn, provider's name

    def __init__(
        self,
        theme: Theme,
        destinations: Sequence[Destination],
        parent: QWidget,
        *,
        title: str = "",
        current: str = "",
        elsewhere_only: bool = False,
        recent: Sequence[str] = (),
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self._theme = theme
        self._destinations = tuple(destinations)
        self._current = current
        self._elsewhere_only = elsewhere_only
        self._recent = tuple(recent)
        self.setObjectName("target_popup")
        self.setAccessibleName(title or "Who answers")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title or "Who answers")
        self.setStyleSheet(
            f"QDialog#target_popup {{ background: {theme.hex('surface')};"
            f" border: 1px solid {theme.hex('border-strong')}; }}"
        )
        self._was_active = False
        self._make_parts(title)
        self.edit.textChanged.connect(lambda _: self._fill())
        self._fill()

    def _make_parts(self, title: str) -> None:
        theme, px = self._theme, self._theme.px
        column = QVBoxLayout(self)
        column.setContentsMargins(px(8), px(8), px(8), px(8))
        column.setSpacing(px(6))
        if title:
            column.addWidget(label(title, role="strong"))
        self.edit = QLineEdit()
        self.edit.setObjectName("target_search")
        self.edit.setAccessibleName("Search models")
        self.edit.setPlaceholderText("Search models")
        self.edit.addAction(
            theme.icon("search", 16, "text-3"), QLineEdit.ActionPosition.LeadingPosition
        )
        self.edit.installEventFilter(self)
        column.addWidget(self.edit)
        self.model = ChoiceModel(self)
        self.view = QListView()
        self.view.setObjectName("target_list")
        self.view.setAccessibleName("Models")
        self.view.setModel(self.model)
        self.view.setItemDelegate(TargetDelegate(theme, self))
        self.view.setMouseTracking(True)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.clicked.connect(self._take)
        column.addWidget(self.view, 1)
        self._none = label("", ink="3", wrap=True, name="target_nothing")
        column.addWidget(self._none)

    def open_at(self, anchor: QRect) -> None:
        """Show above that place of the screen, or below it where there is more room."""
        px = self._theme.px
        screen = self.screen()
        room = screen.availableGeometry()
        width = min(px(_WIDTH), room.width() - px(16))
        above, below = anchor.top() - room.top(), room.bottom() - anchor.bottom()
        height = min(self._wanted_height(), max(above, below) - px(12))
        self.resize(width, height)
        top = (
            anchor.top() - height - px(4)
            if above >= min(height + px(8), below)
            else (anchor.bottom() + px(4))
        )
        parent = self.parentWidget()
        window = parent.window().frameGeometry() if parent is not None else room
        edge = max(min(window.right(), room.right()) - width - px(8), room.left() + px(8))
        left = min(max(anchor.left(), room.left() + px(8)), edge)
        self.move(QPoint(left, top))
        self.show()
        self.activateWindow()
        self.edit.setFocus(Qt.FocusReason.PopupFocusReason)

    # Inside

    def _wanted_height(self) -> int:
        px = self._theme.px
        rows = sum(self.view.sizeHintForRow(row) for row in range(self.model.rowCount()))
        around = px(16) + px(32) + px(6) + px(28)
        return min(rows + around, px(_MOST_HEIGHT))

    def _fill(self) -> None:
        words = self.edit.text()
        lines = choices(
            self._destinations,
            words=words,
            current=self._current,
            elsewhere_only=self._elsewhere_only,
            recent=self._recent,
        )
        self.model.show(lines)
        nothing = ""
        if words and not lines:
            nothing = f"No model fits “{words.strip()}”."
        elif not any(line.kind in ("target", "provider") for line in lines):
            nothing = "Nobody yet."
        self._none.setText(nothing)
        self._none.setVisible(bool(nothing))
        here = next((row for row, line in enumerate(lines) if line.is_current), None)
        if here is not None and not words:
            self.view.setCurrentIndex(self.model.index(here))
            self.view.scrollTo(self.model.index(here))
        else:
            self._move(1, start=-1)

    def _move(self, step: int, *, start: int | None = None) -> None:
        count = len(self.model.lines)
        row = self.view.currentIndex().row() if start is None else start
        for _ in range(count):
            row = (row + step) % count
            if self.model.lines[row].kind != "head":
                self.view.setCurrentIndex(self.model.index(row))
                return

    def _take(self, index: Index) -> None:
        line: Choice | None = index.data(CHOICE) if index.isValid() else None
        if line is None or line.kind == "head":
            return
        self.close()
        found = line.destination
        if line.kind == "target" and found is not None:
            self.chosen.emit(found)
        if line.way:
            provider = found.info.provider if found is not None else ""
            self.way_wanted.emit(line.way, provider or "")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate:
            self._was_active = True
        elif event.type() == QEvent.Type.WindowDeactivate and self._was_active:
            self.close()
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            if event.key() in steps:
                self._move(steps[Qt.Key(event.key())])
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take(self.view.currentIndex())
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.close()
                return True
        return super().eventFilter(watched, event)
