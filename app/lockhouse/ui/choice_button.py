"""A button that shows the current choice and opens a menu of all choices."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QStyle, QStyleOptionButton

from lockhouse.ui.frame_parts import make_menu, open_below
from lockhouse.ui.theme import Theme


class PickerButton(QPushButton):
    """A framed name with a chevron and an optional icon; 28 or 32 px high."""

    def __init__(self, theme: Theme, icon: str = "", *, height: int = 28) -> None:
        super().__init__()
        self._theme = theme
        self._is_measured = False  # the whole text counts for the preferred size
        self.setAutoDefault(False)
        self.setProperty("kind", "named-picker" if icon else "picker")
        self.setProperty("compact", "true" if height < 32 else "false")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        if icon:
            self.set_icon(icon)

    def set_icon(self, icon: str, ink: str = "text-2") -> None:
        """Show another icon, in the colour of that token."""
        self._theme.bind_icon(self, icon, role=ink)

    def sizeHint(self) -> QSize:
        self._is_measured = True
        hint = super().sizeHint()
        self._is_measured = False
        return hint.boundedTo(QSize(self._theme.px(280), hint.height()))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(72), super().minimumSizeHint().height())

    def initStyleOption(self, option: QStyleOptionButton) -> None:
        super().initStyleOption(option)
        if self._is_measured:
            return
        contents = QStyle.SubElement.SE_PushButtonContents
        room = self.style().subElementRect(contents, option, self).width()
        if not self.icon().isNull():
            room -= self.iconSize().width() + self._theme.px(4)
        middle = Qt.TextElideMode.ElideMiddle
        option.text = self.fontMetrics().elidedText(self.text(), middle, room)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        px, ratio = self._theme.px, self.devicePixelRatioF()
        chevron = self._theme.pixmap("chevron-down", 14, "text-2", ratio=ratio)
        painter = QPainter(self)
        painter.drawPixmap(self.width() - px(8 + 14), self.height() // 2 - px(7), chevron)


class ChoiceButton(PickerButton):
    """One choice of many; the menu marks the current one."""

    picked = Signal(str)  # key
    opening = Signal(object)  # QMenu: what else is to be in it can be added

    def __init__(
        self,
        theme: Theme,
        name: str,
        options: Sequence[tuple[str, str]],
        *,
        chip: bool = False,
        height: int = 32,
    ) -> None:
        """``options`` are pairs of a key and its label. A ``chip`` is a filter: smaller, and its
        first option filters nothing out."""
        super().__init__(theme, height=height)
        if chip:
            self.setProperty("kind", "chip-picker")
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

    def show_options(self, options: Sequence[tuple[str, str]], key: str) -> None:
        """Show other options, and which of them is in use."""
        self._options = list(options)
        self.set_key(key)

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
        self.opening.emit(menu)
        open_below(menu, self)

    def _pick(self, key: str) -> None:
        self.set_key(key)
        self.picked.emit(key)
