"""Small parts that every page uses: labels, icons, buttons, menus, tabs, a search field.

Each gives its widget the object name, the accessible name and the theme properties that the
style sheet looks for, so that no page forgets one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QPoint, QSignalBlocker, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QAction, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabBar,
    QWidget,
)

from lockhouse.ui.layouts import CENTER, STRETCH, TOP, Stretch, column, row
from lockhouse.ui.paragraph import Paragraph, ratio_of
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import IconButton, KeyCap

HEAD_HEIGHT = 47  # of the head of a page: with the line under it 48
_EMPTY_TEXT_WIDTH = 420

Act = Callable[[], object] | SignalInstance  # what a button does; takes no arguments


def label(
    text: str,
    *,
    role: str = "body",
    ink: str = "",
    wrap: bool = False,
    selectable: bool = False,
    name: str = "",
) -> QLabel:
    """Plain text in a role of the type scale. Never rich text: a model may have written it."""
    made = Paragraph(text, ratio_of(role)) if wrap or selectable else QLabel(text)
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    if ink:
        made.setProperty("ink", ink)
    if name:
        made.setObjectName(name)
    return made


class IconLabel(QLabel):
    """An icon beside a text. It follows the theme."""

    def __init__(self, theme: Theme, icon: str, size: int = 16, ink: str = "text-2") -> None:
        super().__init__()
        self._theme = theme
        self.show_icon(icon, size, ink)
        theme.changed.connect(self._draw)

    @property
    def icon(self) -> str:
        """The name of what is shown."""
        return self._wanted[0]

    def show_icon(self, icon: str, size: int, ink: str) -> None:
        """Show another icon, in the colour of that token."""
        self._wanted = (icon, size, ink)
        self._draw()

    def _draw(self) -> None:
        self.setPixmap(self._theme.pixmap(*self._wanted))


class IconTile(IconLabel):
    """An icon in the middle of a square in another colour, twice as large."""

    def __init__(self, theme: Theme, icon: str, size: int, ink: str, ground: str) -> None:
        self._ground = ground
        super().__init__(theme, icon, size, ink)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def show_tile(self, icon: str, ink: str, ground: str) -> None:
        """Show another icon, on a square in the colour of ``ground``."""
        self._ground = ground
        self.show_icon(icon, self._wanted[1], ink)

    def _draw(self) -> None:
        super()._draw()
        theme, size = self._theme, self._wanted[1]
        self.setFixedSize(theme.px(2 * size), theme.px(2 * size))
        radius = theme.px(10 if size > 20 else 6)
        self.setStyleSheet(f"background: {theme.hex(self._ground)}; border-radius: {radius}px;")


def object_name(words: str) -> str:
    """An object name made from a label."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def icon_button(
    theme: Theme,
    icon: str,
    words: str,
    act: Act | None = None,
    *,
    name: str = "",
    size: int = 16,
    checkable: bool = False,
) -> IconButton:
    """A 28 px square button; ``words`` are its tool tip and its accessible name."""
    button = IconButton(theme, icon, words, size=size)
    button.setObjectName(name or object_name(words))
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if act is not None:
        button.clicked.connect(act)
    return button


def push_button(
    theme: Theme,
    words: str,
    act: Act | None = None,
    *,
    name: str = "",
    kind: str = "",
    icon: str = "",
    compact: bool = False,
    spoken: str = "",
) -> QPushButton:
    """A button with a label and an optional icon."""
    button = QPushButton(words)
    button.setObjectName(name or object_name(words))
    button.setAccessibleName(spoken or words.rstrip("…"))
    button.setAutoDefault(False)
    if kind:
        button.setProperty("kind", kind)
    if compact:
        button.setProperty("compact", "true")
    if icon:
        role = {"primary": "on-accent", "danger": "danger", "quiet": "text-2"}.get(kind, "text-1")
        theme.bind_icon(button, icon, role=role)
    if act is not None:
        button.clicked.connect(act)
    return button


small_button = partial(push_button, compact=True)  # 28 px high, for bars and rows


def line_edit(
    name: str, words: str, hint: str = "", *, compact: bool = False, secret: bool = False
) -> QLineEdit:
    """A field for one line; ``words`` are its accessible name, ``hint`` stands in it when empty."""
    made = QLineEdit()
    made.setObjectName(name)
    made.setAccessibleName(words)
    made.setPlaceholderText(hint or words)
    if compact:
        made.setProperty("compact", "true")
    if secret:
        made.setEchoMode(QLineEdit.EchoMode.Password)
    return made


def scrolling(inside: QWidget, name: str) -> QScrollArea:
    """The widget in an area that scrolls up and down only."""
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inside)
    return area


def make_menu(parent: QWidget, title: str = "") -> QMenu:
    """A menu that deletes itself after use, with round corners where the desktop can draw them."""
    menu = QMenu(title, parent)
    menu.setObjectName(object_name(title) or "menu")
    menu.setToolTipsVisible(True)
    if QApplication.platformName() not in ("xcb", "offscreen"):
        menu.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        menu.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)
        menu.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
    if not title:
        menu.aboutToHide.connect(menu.deleteLater)
    return menu


def open_below(menu: QMenu, button: QWidget) -> None:
    """Open a menu under the button that it belongs to."""
    corner = button.mapToGlobal(button.rect().bottomLeft())
    corner.setY(corner.y() + 4)
    menu.popup(corner)


def pop_under(menu: QMenu, button: QWidget) -> None:
    """Show a menu below a button, their right edges in one line."""
    corner = button.mapToGlobal(button.rect().bottomRight())
    menu.popup(QPoint(corner.x() - menu.sizeHint().width(), corner.y() + 4))


def hairline() -> QFrame:
    """A horizontal line."""
    line = QFrame()
    line.setProperty("line", "top")
    line.setFixedHeight(1)
    return line


class FieldLabel(QLabel):
    """The label of a field: names it for screen readers, and a click moves into the field."""

    def __init__(self, words: str, field: QWidget, *, role: str = "medium", ink: str = "") -> None:
        super().__init__(words)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        if ink:
            self.setProperty("ink", ink)
        self.setBuddy(field)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.buddy().isEnabled():
            self.buddy().setFocus(Qt.FocusReason.MouseFocusReason)
        else:
            super().mousePressEvent(event)


class SearchButton(QPushButton):
    """Looks like a search field with its keys at the right; a click opens the real one."""

    def __init__(self, theme: Theme, words: str, keys: str, parent: QWidget | None = None) -> None:
        super().__init__(words, parent)
        self.setProperty("kind", "search")
        self.setToolTip(f"{words}  ({keys})")
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.bind_icon(self, "search", role="text-3")
        row(theme, STRETCH, KeyCap(keys.replace("+", " ")), margins=(0, 0, 8, 0), on=self)


def text_box(theme: Theme, text: str, name: str, spoken: str) -> QPlainTextEdit:
    """Read-only text that can be copied."""
    box = QPlainTextEdit(text)
    box.setObjectName(name)
    box.setAccessibleName(spoken)
    box.setReadOnly(True)
    box.setFont(theme.font("code-small"))
    box.setTabChangesFocus(True)
    return box


class SearchEdit(QLineEdit):
    """A search field. Unlike Qt's own, its clear button has the colours of the theme."""

    def __init__(self, theme: Theme, name: str, spoken: str, placeholder: str) -> None:
        super().__init__()
        self._theme = theme
        self.setObjectName(name)
        self.setAccessibleName(spoken)
        self.setPlaceholderText(placeholder)
        # Made here: PySide forgets those that Qt makes, once the style sheet has changed.
        self._search = QAction(theme.icon("search", 16, "text-3"), "", self)
        self.addAction(self._search, QLineEdit.ActionPosition.LeadingPosition)
        self._clear = QAction(theme.icon("x", 16, "text-2"), "", self)
        self.addAction(self._clear, QLineEdit.ActionPosition.TrailingPosition)
        self._clear.setToolTip("Clear")
        self._clear.setVisible(False)
        self._clear.triggered.connect(self.clear)
        self.textChanged.connect(lambda text: self._clear.setVisible(bool(text)))
        theme.changed.connect(self._restyle)

    def _restyle(self) -> None:
        self._search.setIcon(self._theme.icon("search", 16, "text-3"))
        self._clear.setIcon(self._theme.icon("x", 16, "text-2"))


class Tabs(QTabBar):
    """Qt's tab bar, with a key and a count for each tab."""

    chosen = Signal(str)

    def __init__(
        self, theme: Theme, name: str, tabs: Sequence[tuple[str, str]], *, height: int = HEAD_HEIGHT
    ) -> None:
        """``tabs`` are pairs of key and title."""
        super().__init__()
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


class EmptyState(QWidget):
    """An empty page or list: an icon, why it is empty, and buttons for what to do about it."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        title: str,
        text: str,
        actions: Sequence[tuple[str, str, Act]] = (),
    ) -> None:
        """``actions`` are names, labels and what they do, the most useful first."""
        super().__init__()
        self._theme = theme
        self._title = label(title, role="h3")
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text = label(text, ink="2", wrap=True)
        self._text.setAlignment(CENTER | TOP)
        buttons = [
            push_button(theme, words, act, name=f"empty_{name}") for name, words, act in actions
        ]
        column(
            theme,
            Stretch(2),
            (IconLabel(theme, icon, 24, "text-3"), CENTER),
            self._title,
            (self._text, CENTER),
            8,
            row(theme, STRETCH, *buttons, STRETCH, gap=8),
            Stretch(3),
            gap=8,
            margins=(24, 24),
            on=self,
        )
        theme.changed.connect(self._give_room)

    def say(self, title: str, text: str) -> None:
        """Show another reason."""
        self._title.setText(title)
        self._text.setText(text)
        self._give_room()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._give_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        """A label in the middle of a layout is not asked for the height of all its lines."""
        px = self._theme.px
        self._text.setFixedWidth(max(px(120), min(px(_EMPTY_TEXT_WIDTH), self.width() - px(48))))
        self._text.ensurePolished()
        self._text.setMinimumHeight(self._text.heightForWidth(self._text.width()))
