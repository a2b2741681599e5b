"""Small parts that every page uses: labels, buttons, menus, a dialog for one line of text.

Each gives its widget the object name, the accessible name and the theme properties that the
style sheet looks for, so that no page forgets one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, SignalInstance
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lockhouse.ui.paragraph import Paragraph, ratio_of
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import IconButton, KeyCap

Act = Callable[[], object] | SignalInstance


def label(
    text: str, *, role: str = "body", ink: str = "", wrap: bool = False, name: str = ""
) -> QLabel:
    """Plain text in a role of the type scale. Never rich text: a model may have written it."""
    made = Paragraph(text, ratio_of(role)) if wrap else QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    if ink:
        made.setProperty("ink", ink)
    if name:
        made.setObjectName(name)
    return made


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
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, theme.px(8), 0)
        row.addStretch(1)
        row.addWidget(KeyCap(keys.replace("+", " ")))


class LineDialog(QDialog):
    """Asks for one line of text."""

    def __init__(
        self, parent: QWidget, theme: Theme, title: str, prompt: str, accept: str, text: str
    ) -> None:
        super().__init__(parent)
        self.setObjectName("line_dialog")
        self.setWindowTitle(title)
        px = theme.px
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(16), px(20), px(16))
        column.setSpacing(px(8))
        column.addWidget(label(title, role="h3"))
        self.edit = QLineEdit(text)
        self.edit.setObjectName("line_edit")
        self.edit.setAccessibleName(prompt)
        self.edit.setPlaceholderText(prompt)
        self.edit.setMinimumWidth(px(320))
        self.edit.selectAll()
        column.addWidget(self.edit)
        column.addSpacing(px(8))
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addStretch(1)
        cancel = push_button(theme, "Cancel", self.reject, name="line_cancel")
        okay = push_button(theme, accept, self.accept, name="line_accept", kind="primary")
        okay.setDefault(True)
        row.addWidget(cancel)
        row.addWidget(okay)
        column.addLayout(row)


def ask_text(
    parent: QWidget, theme: Theme, title: str, prompt: str, accept: str, text: str = ""
) -> str:
    """One line of text; "" when the dialog was cancelled."""
    dialog = LineDialog(parent, theme, title, prompt, accept, text)
    if dialog.exec() != QDialog.DialogCode.Accepted:
        return ""
    return dialog.edit.text().strip()
