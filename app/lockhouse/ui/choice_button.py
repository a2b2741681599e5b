"""A button that shows the current choice and opens a menu of all choices."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from lockhouse.ui.frame_parts import make_menu
from lockhouse.ui.theme import Theme


class PickerButton(QAbstractButton):
    """A framed name with a chevron and an optional icon; 28 or 32 px high."""

    def __init__(
        self, theme: Theme, icon: str = "", parent: QWidget | None = None, *, height: int = 28
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        self._ink = "text-2"
        self._height = height
        self._is_chip = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def set_icon(self, icon: str, ink: str = "text-2") -> None:
        """Show another icon, in the colour of that token."""
        self._icon, self._ink = icon, ink
        self.update()

    @property
    def _left(self) -> int:
        return self._theme.px(30 if self._icon else 8 if self._is_chip else 10)

    def _font(self) -> QFont:
        if self._is_chip:
            return self._theme.font("caption", weight=500)
        return self._theme.font("body", weight=500 if self._icon else 400)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(
            self._font() if self._is_chip else self._theme.font("body", weight=500)
        )
        px = self._theme.px
        wide = self._left + metrics.horizontalAdvance(self.text()) + px(6 + 14 + 8) + 2
        return QSize(min(wide, px(280)), px(self._height))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(40 if self._is_chip else 72), self._theme.px(self._height))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = bool(self.property("ring"))
        width = 2 if ring else 1
        half = width / 2
        lively = self.underMouse() or self.isDown()
        line = "border" if self._icon or self._is_chip else "border-strong"
        painter.setBrush(theme.color("hover" if lively else "surface"))
        painter.setPen(QPen(theme.color("focus" if ring else line), width))
        painter.drawRoundedRect(
            QRectF(self.rect()).adjusted(half, half, -half, -half), px(6), px(6)
        )
        middle = self.height() // 2
        ratio = self.devicePixelRatioF()
        if self._icon:
            icon = theme.pixmap(self._icon, 16, self._ink, ratio=ratio)
            painter.drawPixmap(px(8), middle - px(8), icon)
        chevron = theme.pixmap("chevron-down", 14, "text-2", ratio=ratio)
        painter.drawPixmap(self.width() - px(8 + 14), middle - px(7), chevron)
        painter.setFont(self._font())
        painter.setPen(theme.color("text-2" if self._is_chip else "text-1"))
        area = self.rect().adjusted(self._left, 0, -px(28), 0)
        text = QFontMetrics(painter.font()).elidedText(
            self.text(), Qt.TextElideMode.ElideMiddle, area.width()
        )
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)

    def enterEvent(self, _event: object) -> None:
        self.update()

    def leaveEvent(self, _event: object) -> None:
        self.update()


class ChoiceButton(PickerButton):
    """One choice of many; the menu marks the current one."""

    picked = Signal(str)  # key

    def __init__(
        self,
        theme: Theme,
        name: str,
        options: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
        *,
        chip: bool = False,
        height: int = 32,
    ) -> None:
        """``options`` are pairs of a key and its label. A ``chip`` is a filter: smaller, and its
        first option filters nothing out."""
        super().__init__(theme, parent=parent, height=height)
        self._is_chip = chip
        if chip:
            self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._name = name
        self._options = list(options)
        self._key = ""
        self.clicked.connect(self.open_menu)
        if chip:
            self.set_key(options[0][0])

    def set_options(self, options: Sequence[tuple[str, str]]) -> None:
        """Set other options; keeps the choice when it is among them, else takes the first."""
        self._options = list(options)
        if self._key in dict(options):
            self.set_key(self._key)
        elif options:
            self._pick(options[0][0])

    @property
    def key(self) -> str:
        """The current choice."""
        return self._key

    def set_key(self, key: str, words: str = "") -> None:
        """Show a choice; ``words`` for one that is not among the options."""
        if key not in dict(self._options):
            self._options.append((key, words or key))
        self._key = key
        self.setText(dict(self._options)[key])
        self.setAccessibleName(f"{self._name}: {self.text()}")
        self.updateGeometry()
        self.update()

    def open_menu(self) -> None:
        """Show all choices below the button."""
        menu = make_menu(self)
        menu.setMinimumWidth(self.width())
        group = QActionGroup(menu)
        for key, words in self._options:
            action = QAction(words.replace("&", "&&"), menu)
            action.setCheckable(True)
            action.setChecked(key == self._key)
            action.triggered.connect(lambda _checked=False, chosen=key: self._pick(chosen))
            group.addAction(action)
            menu.addAction(action)
        corner = self.mapToGlobal(self.rect().bottomLeft())
        corner.setY(corner.y() + 4)
        menu.popup(corner)

    def _pick(self, key: str) -> None:
        self.set_key(key)
        self.picked.emit(key)
