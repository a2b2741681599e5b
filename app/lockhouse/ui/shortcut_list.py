"""The list of all shortcuts (Ctrl+/)."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.shortcuts import OTHER_KEYS, Shortcut, native_keys
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import KeyCap


class ShortcutList(QDialog):
    """Two columns of groups."""

    def __init__(
        self, theme: Theme, shortcuts: Sequence[Shortcut], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._shortcuts = shortcuts
        px = theme.px
        self.setObjectName("shortcut_list")
        self.setWindowTitle("Keyboard shortcuts")
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(16))
        column.setSpacing(px(12))
        column.addWidget(label("Keyboard shortcuts", role="h3"))
        sides = QHBoxLayout()
        sides.setSpacing(px(40))
        left, right = QVBoxLayout(), QVBoxLayout()
        groups = list(dict.fromkeys(shortcut.group for shortcut in shortcuts))
        for group in groups:
            (right if group == groups[-1] else left).addWidget(self._group(theme, group))
        left.addStretch(1)
        right.addStretch(1)
        sides.addLayout(left)
        sides.addLayout(right)
        column.addLayout(sides)
        row = QHBoxLayout()
        row.addStretch(1)
        close = push_button(theme, "Close", name="shortcuts_close")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        row.addWidget(close)
        column.addLayout(row)

    def _group(self, theme: Theme, group: str) -> QWidget:
        px = theme.px
        box = QWidget()
        box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, px(12))
        grid.setHorizontalSpacing(px(24))
        grid.setVerticalSpacing(px(4))
        grid.addWidget(label(group, role="strong"), 0, 0)
        row = 1
        for shortcut in self._shortcuts:
            if shortcut.group != group:
                continue
            grid.addWidget(label(shortcut.label, ink="2"), row, 0)
            keys = QHBoxLayout()
            keys.setSpacing(px(4))
            keys.addStretch(1)
            for number, key in enumerate(shortcut.keys):
                if number:
                    keys.addWidget(label("or", role="caption", ink="3"))
                keys.addWidget(KeyCap(native_keys(key)))
            grid.addLayout(keys, row, 1, Qt.AlignmentFlag.AlignRight)
            grid.setRowMinimumHeight(row, px(24))
            row += 1
        for other in OTHER_KEYS:
            if other.group == group:
                grid.addWidget(label(other.label, ink="2"), row, 0)
                shown = label(other.shown, role="caption", ink="2")
                grid.addWidget(shown, row, 1, Qt.AlignmentFlag.AlignRight)
                grid.setRowMinimumHeight(row, px(24))
                row += 1
        return box
