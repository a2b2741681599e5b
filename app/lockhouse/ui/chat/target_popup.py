"""The list of everyone who can answer, with a search; opens over the button that was pressed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from lockhouse.ui.chat.destinations import Choice, Destination, choices
from lockhouse.ui.chat.target_delegate import TargetDelegate
from lockhouse.ui.frame_parts import label
from lockhouse.ui.screen_fit import beside, room_for
from lockhouse.ui.search_list import SearchList
from lockhouse.ui.theme import Theme

_WIDTH = 480
_MOST_HEIGHT = 440
_LEAST_HEIGHT = 280  # a search, a heading and some rows


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
        self._over = parent
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
        self._list: SearchList[Choice] = SearchList(
            theme,
            TargetDelegate(theme, self),
            words="Search models",
            listed="Models",
            name="target",
        )
        self._list.taken.connect(self._take)
        self.edit = self._list.edit
        column.addWidget(self.edit)
        column.addWidget(self._list.view, 1)
        self._none = label("", ink="3", wrap=True, name="target_nothing")
        column.addWidget(self._none)

    def open_at(self, anchor: QRect) -> None:
        """Show above that place of the screen, or below it where there is more room."""
        px = self._theme.px
        screen = self.screen().availableGeometry()
        window = self._over.window().geometry()
        wanted = QSize(px(_WIDTH), self._wanted_height())
        edge = px(8)
        least = min(wanted.height(), px(_LEAST_HEIGHT)) + edge
        room = room_for(anchor, least, window, screen)
        place = beside(anchor, wanted, room.adjusted(edge, edge, -edge, -edge), px(4))
        self.setGeometry(place)
        self.show()
        self.activateWindow()
        self.edit.setFocus(Qt.FocusReason.PopupFocusReason)

    # Inside

    def _wanted_height(self) -> int:
        px = self._theme.px
        view, count = self._list.view, self._list.model.rowCount()
        rows = sum(view.sizeHintForRow(row) for row in range(count))
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
        nothing = ""
        if words and not lines:
            nothing = f"No model fits “{words.strip()}”."
        elif not any(line.kind in ("target", "provider") for line in lines):
            nothing = "Nobody yet."
        self._none.setText(nothing)
        self._none.setVisible(bool(nothing))
        here = next((row for row, line in enumerate(lines) if line.is_current), None)
        self._list.show(lines, here=here if not words else None)

    def _take(self, line: Choice) -> None:
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
