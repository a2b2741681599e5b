"""Small ready-made parts of the frame: labels, icon buttons, menus, a question for one line.

Each gives its widget the object name, the accessible name and the theme properties that the
style sheet looks for, so that no page forgets one.
"""

from __future__ import annotations

import re

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lockhouse.ui.paragraph import Paragraph, ratio_of
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import IconButton


def label(
    text: str, *, role: str = "body", ink: str = "", wrap: bool = False, name: str = ""
) -> QLabel:
    """Plain text in a role of the type scale. Never rich text: it may show what a model wrote."""
    made = Paragraph(text, ratio_of(role)) if wrap else QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    if ink:
        made.setProperty("ink", ink)
    if name:
        made.setObjectName(name)
    return made


def object_name(words: str) -> str:
    """A label as an object name."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def icon_button(
    theme: Theme, icon: str, words: str, *, name: str = "", size: int = 16, checkable: bool = False
) -> IconButton:
    """A 28 px square button; its words are its tool tip and its accessible name."""
    button = IconButton(theme, icon, words, size=size)
    button.setObjectName(name or object_name(words))
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def push_button(
    theme: Theme,
    words: str,
    *,
    name: str = "",
    kind: str = "",
    icon: str = "",
    compact: bool = False,
    spoken: str = "",
) -> QPushButton:
    """A button with words, and an icon where one helps."""
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
    return button


def make_menu(parent: QWidget, title: str = "") -> QMenu:
    """A menu that frees itself after use, with round corners where the desktop composes."""
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


def hairline() -> QFrame:
    """A line across."""
    line = QFrame()
    line.setProperty("line", "top")
    line.setFixedHeight(1)
    return line


class SearchButton(QAbstractButton):
    """Looks like a search field with its keys in a cap; a click opens the real one."""

    def __init__(self, theme: Theme, words: str, keys: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._keys = keys.replace("+", " ")
        self.setText(words)
        self.setToolTip(f"{words}  ({keys})")
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(160), self._theme.px(32))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(80), self._theme.px(32))

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme, px = self._theme, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = bool(self.property("ring"))
        width = 2 if ring else 1
        half = width / 2
        painter.setBrush(theme.color("hover" if self.underMouse() else "surface"))
        painter.setPen(QPen(theme.color("focus" if ring else "border-strong"), width))
        area = QRectF(self.rect()).adjusted(half, half, -half, -half)
        painter.drawRoundedRect(area, px(6), px(6))
        middle = self.height() // 2
        icon = theme.pixmap("search", 16, "text-3", ratio=self.devicePixelRatioF())
        painter.drawPixmap(px(8), middle - px(8), icon)
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("text-3"))
        text = self.rect().adjusted(px(31), 0, 0, 0)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setFont(theme.font("caption", weight=500))
        wide = QFontMetrics(painter.font()).horizontalAdvance(self._keys) + px(8)
        cap = QRectF(self.width() - wide - px(8), middle - px(10) + 0.5, wide, px(20) - 1)
        if cap.left() > px(90):
            painter.setBrush(theme.color("bg-1"))
            painter.setPen(QPen(theme.color("border"), 1))
            painter.drawRoundedRect(cap, px(4), px(4))
            painter.setPen(theme.color("text-3"))
            painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, self._keys)

    def enterEvent(self, event: object) -> None:
        self.update()

    def leaveEvent(self, event: object) -> None:
        self.update()


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
        cancel = push_button(theme, "Cancel", name="line_cancel")
        cancel.clicked.connect(self.reject)
        okay = push_button(theme, accept, name="line_accept", kind="primary")
        okay.setDefault(True)
        okay.clicked.connect(self.accept)
        row.addWidget(cancel)
        row.addWidget(okay)
        column.addLayout(row)


def ask_text(
    parent: QWidget, theme: Theme, title: str, prompt: str, accept: str, text: str = ""
) -> str:
    """One line of text, "" when the question was closed."""
    dialog = LineDialog(parent, theme, title, prompt, accept, text)
    if dialog.exec() != QDialog.DialogCode.Accepted:
        return ""
    return dialog.edit.text().strip()
