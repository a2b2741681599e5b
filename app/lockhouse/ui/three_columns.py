"""A sidebar, a work area and a details panel that share the width.

Hides what happens when the window gets narrow: the details close first, then the list becomes a
drawer over the work area; both come back when there is room again.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from lockhouse.ui.layouts import row, splitter
from lockhouse.ui.theme import Theme

LIST_WIDTH = 263  # 264 with the line beside it
DETAILS_WIDTH = 336
_WORK_MIN = 520
_DOCK_LIST_FROM = 900  # of the page, without the rail


class _Veil(QWidget):
    """Dims the work area under a drawer; a click on it closes the drawer."""

    pressed = Signal()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(0.28)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.pressed.emit()


class ThreeColumns(QWidget):
    """Remembers what the user wants shown apart from what there is room for."""

    list_shown = Signal(bool)
    details_shown = Signal(bool)
    widened = Signal()  # a column was resized

    def __init__(
        self,
        theme: Theme,
        list_panel: QWidget,
        work: QWidget,
        details: QWidget,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._list = list_panel
        self._details = details
        self._list_wanted = True
        self._details_wanted = False
        self._drawer: QWidget | None = None
        self._splitter = splitter("columns", list_panel, work, details)
        row(theme, self._splitter, on=self)
        self._veil = _Veil(self)
        self._veil.hide()
        self._veil.pressed.connect(self.close_drawer)
        self._widths = [theme.px(LIST_WIDTH), 0, theme.px(DETAILS_WIDTH)]
        self._splitter.splitterMoved.connect(lambda *_: self._remember())
        self._scale = theme.scale
        theme.changed.connect(self._rescale)
        list_panel.installEventFilter(self)
        details.installEventFilter(self)
        self._details.hide()

    # -- what is shown ----------------------------------------------------------------------

    @property
    def list_visible(self) -> bool:
        """Whether the list is visible, docked or as a drawer."""
        return self._list.isVisibleTo(self)

    @property
    def details_visible(self) -> bool:
        """Whether the details are visible."""
        return self._details.isVisibleTo(self)

    def toggle_list(self) -> None:
        """Show or hide the list, docked if there is room."""
        if self._docks_list():
            self._list_wanted = not self._list_wanted
            self._arrange()
        elif self._drawer is self._list:
            self.close_drawer()
        else:
            self._open_drawer(self._list)

    def show_details(self, *, shown: bool) -> None:
        """Open or close the details."""
        self._details_wanted = shown
        if self._drawer is self._details and not shown:
            self.close_drawer()
            return
        self._arrange()
        if shown and not self._details.isVisibleTo(self):
            self._open_drawer(self._details)

    def close_drawer(self) -> None:
        """Close the open drawer."""
        if self._drawer is None:
            return
        if self._drawer is self._details:
            self._details_wanted = False
        self._drawer.hide()
        self._dock()
        self._arrange()

    @property
    def drawer_open(self) -> bool:
        """Whether a drawer covers the work area."""
        return self._drawer is not None

    def state(self) -> dict[str, object]:
        """What is restored at the next start."""
        return {
            "list": self._list_wanted,
            "details": self._details_wanted,
            "widths": list(self._widths),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Restore a state; invalid values are ignored."""
        self._list_wanted = bool(state.get("list", True))
        self._details_wanted = bool(state.get("details", False))
        widths = state.get("widths")
        if (
            isinstance(widths, list)
            and len(widths) == 3
            and all(isinstance(width, int) for width in widths)
        ):
            low, high = self._theme.px(180), self._theme.px(520)
            kept = [min(max(width, low), high) for width in widths]
            self._widths = [kept[0], 0, kept[2]]
        self._arrange()

    # -- inside -----------------------------------------------------------------------------

    def _docks_list(self) -> bool:
        return self.width() >= self._theme.px(_DOCK_LIST_FROM)

    def _arrange(self) -> None:
        if self._drawer is self._list and self._docks_list():
            self._dock()
        show_list = self._docks_list() and self._list_wanted
        taken = self._widths[0] if show_list else 0
        room = self.width() - taken - self._widths[2]
        show_details = self._details_wanted and room >= self._theme.px(_WORK_MIN)
        if self._drawer is self._details and show_details:
            self._dock()
        if self._drawer is not self._list:
            self._list.setVisible(show_list)
        if self._drawer is not self._details:
            self._details.setVisible(show_details)
        left = self._widths[0] if show_list else 0
        right = self._widths[2] if show_details else 0
        self._splitter.setSizes([left, max(1, self.width() - left - right), right])
        self._place_drawer()
        self._tell()

    def _dock(self) -> None:
        """Put the drawer back into its column."""
        drawer, self._drawer = self._drawer, None
        if drawer is not None:
            self._veil.hide()
            self._splitter.insertWidget(0 if drawer is self._list else 2, drawer)

    def _tell(self) -> None:
        self.list_shown.emit(self.list_visible)
        self.details_shown.emit(self.details_visible)

    def _open_drawer(self, panel: QWidget) -> None:
        if self._drawer is not None:
            self.close_drawer()
        self._drawer = panel
        panel.setParent(self)
        self._veil.show()
        self._veil.raise_()
        panel.show()
        panel.raise_()
        self._place_drawer()
        panel.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._tell()

    def _place_drawer(self) -> None:
        self._veil.setGeometry(self.rect())
        if self._drawer is None:
            return
        is_list = self._drawer is self._list
        width = min(self._widths[0 if is_list else 2], self.width() - self._theme.px(48))
        left = 0 if is_list else self.width() - width
        self._drawer.setGeometry(left, 0, width, self.height())

    def _rescale(self) -> None:
        before, self._scale = self._scale, self._theme.scale
        if before != self._scale:
            self._widths = [round(width * self._scale / before) for width in self._widths]
            self._arrange()

    def _remember(self) -> None:
        sizes = self._splitter.sizes()
        if self._splitter.count() == 3:
            if sizes[0] > 0:
                self._widths[0] = sizes[0]
            if sizes[2] > 0:
                self._widths[2] = sizes[2]
            self.widened.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            watched is self._drawer
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() == Qt.Key.Key_Escape
        ):
            self.close_drawer()
            return True
        return super().eventFilter(watched, event)
