"""The application's style sheet, written once in terms of tokens and drawn sizes.

Hides Qt's style sheet language. Sizes in it exclude the border, so a control of 32 px is 30 px
high with a border of 1; a ring of 2 px takes one more from each side and nothing moves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_SIZE = re.compile(r"(?<![\w#.])(-?\d+)px")
_TOKEN = re.compile(r"@([a-z0-9-]+)")


def build(colours: Mapping[str, str], px: Callable[[float], int]) -> str:
    """The style sheet for one palette and zoom."""

    def colour(match: re.Match[str]) -> str:
        return colours[match[1]]

    def size(match: re.Match[str]) -> str:
        drawn = int(match[1])
        if abs(drawn) <= 2:  # lines keep their width at any zoom
            return match[0]
        return f"{px(drawn) if drawn > 0 else -px(-drawn)}px"

    text = _BASE + _LABELS + _BUTTONS + _VIEWS + _INPUTS + _SMALL_PARTS
    return _SIZE.sub(size, _TOKEN.sub(colour, text))


_BASE = """
QMainWindow, QDialog { background: @bg-2; }
QFrame[tone="bg-0"], QWidget[tone="bg-0"] { background: @bg-0; border: 0; }
QFrame[tone="bg-1"], QWidget[tone="bg-1"] { background: @bg-1; border: 0; }
QFrame[tone="bg-2"], QWidget[tone="bg-2"] { background: @bg-2; border: 0; }
QFrame[tone="surface"], QWidget[tone="surface"] { background: @surface; border: 0; }
QFrame[tone="accent-tint"], QWidget[tone="accent-tint"] { background: @accent-tint; border: 0; }
QFrame[tone="recommended"] { background: @accent-tint; border: 0; border-left: 2px solid @accent; }
QFrame[tone="warning-tint"], QWidget[tone="warning-tint"] { background: @warning-tint; border: 0; }
QFrame[tone="banner-info"] { background: @accent-tint; }
QFrame[tone="banner-warning"] { background: @warning-tint; }
QFrame[tone="banner-danger"] { background: @danger-soft; }
QFrame[tone="banner-info"], QFrame[tone="banner-warning"], QFrame[tone="banner-danger"] {
    border: 1px solid @border; border-radius: 6px;
}
QFrame[tone="note"] { background: @bg-1; border: 1px solid @border; border-radius: 6px; }
QFrame[tone="note-failed"] {
    background: @danger-soft; border: 1px solid @danger-soft; border-radius: 6px;
}
QFrame[frame="segments"] {
    background: @surface; border: 1px solid @border-strong; border-radius: 6px;
}
QFrame[tone="bubble"] { background: @bubble; border: 0; border-radius: 10px; }
QFrame[tone="card"] { background: @surface; border: 1px solid @border; border-radius: 10px; }
QFrame[tone="card"][chosen="true"] { border-color: @accent; }
QFrame[line="right"] { border-right: 1px solid @border; }
QFrame[line="left"] { border-left: 1px solid @border; }
QFrame[line="top"] { border-top: 1px solid @border; }
QFrame[line="bottom"] { border-bottom: 1px solid @border; }
QFrame#rail { background: @bg-0; border: 0; border-right: 1px solid @border; }
QFrame#status { background: @bg-0; border: 0; border-top: 1px solid @border; }
QFrame#status QLabel { font-size: 12px; color: @text-2; }
QFrame#composer {
    background: @surface; border: 1px solid @border-strong; border-radius: 10px;
}
QFrame#composer[active="true"] { border-color: @focus; }
QFrame#composer QTextEdit, QFrame#composer QPlainTextEdit {
    background: transparent; border: 0; padding: 0; font-size: 14px;
}
QSplitter::handle { background: @border; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
"""

_LABELS = """
QLabel { background: transparent; }
QLabel[role="caption"] { font-size: 12px; }
QLabel[role="caption-strong"] { font-size: 12px; font-weight: 500; }
QLabel[role="body"] { font-size: 13px; }
QLabel[role="medium"] { font-size: 13px; font-weight: 500; }
QLabel[role="strong"] { font-size: 13px; font-weight: 600; }
QLabel[role="reading"] { font-size: 14px; }
QLabel[role="page-title"] { font-size: 14px; font-weight: 600; }
QLabel[role="h3"] { font-size: 16px; font-weight: 600; }
QLabel[role="title"] { font-size: 20px; font-weight: 600; }
QLabel[role="display"] { font-size: 28px; font-weight: 600; }
QLabel[role="code"] { font-family: "JetBrains Mono"; font-size: 13px; }
QLabel[role="code-small"] { font-family: "JetBrains Mono"; font-size: 12px; }
QLabel[role="key"] {
    background: @bg-1; color: @text-3; border: 1px solid @border; border-radius: 4px;
    font-size: 12px; font-weight: 500; padding: 0 4px; min-height: 16px; max-height: 16px;
}
QLabel[ink="2"] { color: @text-2; }
QLabel[ink="3"] { color: @text-3; }
QLabel[ink="accent"] { color: @accent-text; }
QLabel[ink="success"] { color: @success; }
QLabel[ink="warning"] { color: @warning; }
QLabel[ink="danger"] { color: @danger; }
"""

_BUTTONS = """
QPushButton {
    background: @surface; color: @text-1; border: 1px solid @border-strong; border-radius: 6px;
    padding: 0 12px; min-height: 30px; max-height: 30px; font-weight: 500; font-size: 13px;
}
QPushButton:hover { background: @hover; }
QPushButton:pressed, QPushButton:checked { background: @active; }
QPushButton:disabled { color: @text-3; background: @bg-1; border-color: @border; }
QPushButton[ring="true"] {
    border: 2px solid @focus; padding: 0 11px; min-height: 28px; max-height: 28px;
}
QPushButton[compact="true"] { padding: 0 10px; min-height: 26px; max-height: 26px; }
QPushButton[compact="true"][ring="true"] { padding: 0 9px; min-height: 24px; max-height: 24px; }
QPushButton[kind="primary"] {
    background: @accent; border-color: @accent; color: @on-accent;
}
QPushButton[kind="primary"]:hover, QPushButton[kind="primary"]:pressed {
    background: @accent-hover; border-color: @accent-hover;
}
QPushButton[kind="primary"]:disabled {
    background: @track; border-color: @track; color: @text-2;
}
QPushButton[kind="primary"][ring="true"] { border-color: @text-1; }
QPushButton[kind="danger"] { color: @danger; }
QPushButton[kind="quiet"] { background: transparent; border-color: transparent; color: @text-2; }
QPushButton[kind="quiet"]:hover { background: @hover; color: @text-1; }
QPushButton[kind="quiet"]:pressed, QPushButton[kind="quiet"]:checked { background: @active; }
QPushButton[kind="quiet"][ring="true"] { border-color: @focus; }
QPushButton[kind="link"] {
    background: transparent; border-color: transparent; color: @accent-text; padding: 0 4px;
}
QPushButton[kind="link"]:hover { text-decoration: underline; }
QPushButton[kind="link"][ring="true"] { border-color: @focus; padding: 0 3px; }
QPushButton[kind="segment"] {
    background: transparent; color: @text-2; border: 0; padding: 0 10px; font-size: 12px;
    min-height: 24px; max-height: 24px;
}
QPushButton[kind="segment"]:hover { background: @hover; }
QPushButton[kind="segment"]:checked { background: @active; color: @text-1; }
QPushButton[kind="segment"]:disabled { color: @text-3; }
QPushButton[kind="segment"][ring="true"] {
    border: 2px solid @focus; padding: 0 8px; min-height: 20px; max-height: 20px;
}
QPushButton[kind="search"] {
    color: @text-3; font-weight: 400; text-align: left; padding: 0 8px 0 7px;
}
QPushButton[kind="search"][ring="true"] { padding: 0 7px 0 6px; }
QPushButton[kind="card"] {
    background: @surface; border-color: @border; border-radius: 10px; padding: 0;
    min-height: 60px; max-height: 60px;
}
QPushButton[kind="card"]:hover { background: @hover; }
QPushButton[kind="card"][ring="true"] {
    border-color: @focus; min-height: 58px; max-height: 58px;
}
QPushButton#send {
    padding: 0; min-width: 26px; max-width: 26px; min-height: 26px; max-height: 26px;
}
QPushButton#send[ring="true"] {
    min-width: 24px; max-width: 24px; min-height: 24px; max-height: 24px;
}
QPushButton[kind="picker"], QPushButton[kind="named-picker"], QPushButton[kind="chip-picker"] {
    text-align: left; padding: 0 28px 0 9px; font-weight: 400;
}
QPushButton[kind="named-picker"] { border-color: @border; padding-left: 7px; font-weight: 500; }
QPushButton[kind="chip-picker"] {
    border-color: @border; padding-left: 7px; color: @text-2; font-size: 12px; font-weight: 500;
}
QPushButton[kind="picker"][ring="true"] { border-color: @focus; padding: 0 27px 0 8px; }
QPushButton[kind="named-picker"][ring="true"], QPushButton[kind="chip-picker"][ring="true"] {
    border-color: @focus; padding: 0 27px 0 6px;
}
QPushButton::menu-indicator { image: none; width: 0; }
QPushButton#seal {
    background: @accent-soft; color: @accent-text; border: 1px solid @accent-soft;
    border-radius: 6px; padding: 0 7px; min-height: 18px; max-height: 18px;
    font-size: 12px; font-weight: 500;
}
QPushButton#seal[open="true"] {
    background: @warning-soft; color: @warning; border-color: @warning-soft;
}
QPushButton#seal:hover { border-color: @accent-text; }
QPushButton#seal[ring="true"] {
    border: 2px solid @focus; padding: 0 6px; min-height: 16px; max-height: 16px;
}
QPushButton[kind="status"] {
    background: transparent; color: @text-2; border: 1px solid transparent; padding: 0 2px;
    min-height: 20px; max-height: 20px; font-size: 12px;
}
QPushButton[kind="status"]:hover { color: @text-1; }
QPushButton[kind="status"][ring="true"] { border: 2px solid @focus; }
QPushButton#destination {
    background: @active; color: @text-2; border: 1px solid @active;
    border-radius: 6px; padding: 0 7px; min-height: 22px; max-height: 22px;
    font-size: 12px; font-weight: 500;
}
QPushButton#destination[leaves="true"] {
    background: @warning-soft; color: @warning; border-color: @warning-soft;
}
QPushButton#destination:hover { border-color: @text-3; }
QPushButton#destination[leaves="true"]:hover { border-color: @warning; }
QPushButton#destination[ring="true"] {
    border: 2px solid @focus; padding: 0 6px; min-height: 20px; max-height: 20px;
}
QToolButton {
    background: transparent; color: @text-2; border: 1px solid transparent; border-radius: 6px;
}
QToolButton:hover { background: @hover; color: @text-1; }
QToolButton:pressed, QToolButton:checked { background: @active; color: @text-1; }
QToolButton:disabled { color: @text-3; background: transparent; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[kind="icon"] {
    min-width: 26px; max-width: 26px; min-height: 26px; max-height: 26px; padding: 0;
}
QToolButton[kind="text"] {
    min-height: 26px; max-height: 26px; padding: 0 6px; font-size: 12px; font-weight: 500;
}
QToolButton[kind="rail"] {
    min-width: 38px; max-width: 38px; min-height: 38px; max-height: 38px; padding: 0;
}
QToolButton[ring="true"] { border: 2px solid @focus; }
QToolButton[kind="icon"][ring="true"] {
    min-width: 24px; max-width: 24px; min-height: 24px; max-height: 24px;
}
QToolButton[kind="text"][ring="true"] { min-height: 24px; max-height: 24px; padding: 0 5px; }
QToolButton[kind="rail"][ring="true"] {
    min-width: 36px; max-width: 36px; min-height: 36px; max-height: 36px;
}
"""

_INPUTS = """
QLineEdit, QSpinBox, QDoubleSpinBox {
    background: @surface; color: @text-1; border: 1px solid @border-strong; border-radius: 6px;
    padding: 0 8px; min-height: 30px; max-height: 30px; font-size: 13px;
    placeholder-text-color: @text-3;
    selection-background-color: @selection; selection-color: @text-1;
}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus {
    border: 2px solid @focus; padding: 0 7px; min-height: 28px; max-height: 28px;
}
QLineEdit[compact="true"], QSpinBox[compact="true"] { min-height: 26px; max-height: 26px; }
QLineEdit[compact="true"]:focus, QSpinBox[compact="true"]:focus {
    min-height: 24px; max-height: 24px;
}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {
    color: @text-3; background: @bg-1; border-color: @border;
}
QLineEdit[invalid="true"], QSpinBox[invalid="true"] { border-color: @danger; }
QSpinBox::up-button, QSpinBox::down-button,
QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0; border: 0; }
QTextEdit, QPlainTextEdit {
    background: @surface; color: @text-1; border: 1px solid @border-strong; border-radius: 6px;
    padding: 4px 6px; placeholder-text-color: @text-3;
    selection-background-color: @selection; selection-color: @text-1;
}
QTextEdit:focus, QPlainTextEdit:focus { border-color: @focus; }
QComboBox {
    background: @surface; color: @text-1; border: 1px solid @border-strong; border-radius: 6px;
    padding: 0 8px; min-height: 30px; max-height: 30px; font-size: 13px;
}
QComboBox:hover { background: @hover; }
QComboBox[compact="true"] { min-height: 26px; max-height: 26px; }
QComboBox[ring="true"] {
    border: 2px solid @focus; padding: 0 7px; min-height: 28px; max-height: 28px;
}
QComboBox[compact="true"][ring="true"] { min-height: 24px; max-height: 24px; }
QComboBox:disabled { color: @text-3; background: @bg-1; border-color: @border; }
QComboBox::drop-down { border: 0; width: 20px; }
QComboBox QAbstractItemView {
    background: @surface; border: 1px solid @border-strong; border-radius: 6px; padding: 4px;
    selection-background-color: @active; selection-color: @text-1; outline: 0;
}
QCheckBox, QRadioButton { color: @text-1; spacing: 8px; font-size: 13px; }
QCheckBox { border: 2px solid transparent; border-radius: 4px; padding: 2px; }
QCheckBox[ring="true"] { border-color: @focus; }
QCheckBox::indicator { width: 16px; height: 16px; border: none; background: transparent; }
QCheckBox:disabled, QRadioButton:disabled { color: @text-3; }
QSlider { min-height: 20px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: @track; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: @accent; }
QSlider::handle:horizontal {
    width: 12px; height: 12px; margin: -6px 0; border-radius: 7px;
    border: 2px solid @accent; background: @surface;
}
QSlider::handle:horizontal:focus { border-color: @text-1; }
QProgressBar {
    background: @track; border: 0; border-radius: 2px; min-height: 4px; max-height: 4px;
    text-align: center; color: transparent;
}
QProgressBar::chunk { background: @accent; border-radius: 2px; }
QProgressBar[ink="text-2"]::chunk { background: @text-2; }
QProgressBar[ink="text-3"]::chunk { background: @text-3; }
QProgressBar[ink="success"]::chunk { background: @success; }
QProgressBar[ink="warning"]::chunk { background: @warning; }
QProgressBar[ink="danger"]::chunk { background: @danger; }
"""

_VIEWS = """
QAbstractScrollArea { background: transparent; border: 0; }
QScrollArea > QWidget > QWidget { background: transparent; }
QListView, QTreeView, QTableView {
    background: transparent; border: 0; outline: 0; color: @text-1;
    selection-background-color: @active; selection-color: @text-1;
}
QListView::item, QTreeView::item { border: 0; }
QListView::item:hover, QTreeView::item:hover { background: @hover; }
QListView::item:selected, QTreeView::item:selected { background: @active; color: @text-1; }
QTableWidget::item { padding: 0 6px; }
QHeaderView { background: @bg-2; border: 0; }
QHeaderView::section {
    background: @bg-2; color: @text-3; font-size: 12px; font-weight: 500;
    border: 0; border-bottom: 1px solid @border; padding: 0 8px; height: 28px;
}
QTabBar { background: transparent; }
QTabBar::tab {
    background: transparent; color: @text-2; border: 0; border-bottom: 2px solid transparent;
    padding: 0; margin-right: 16px; font-size: 13px; font-weight: 500;
}
QTabBar::tab:hover { color: @text-1; }
QTabBar::tab:selected { color: @text-1; border-bottom-color: @accent; }
QTabBar[ring="true"]::tab:selected { border: 2px solid @focus; border-radius: 4px; }
QTabWidget::pane { border: 0; border-top: 1px solid @border; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle {
    background: @border-strong; border-radius: 3px; border: 0; margin: 3px;
    min-height: 28px; min-width: 28px;
}
QScrollBar::handle:hover, QScrollBar::handle:pressed { background: @text-3; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; border: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
"""

_SMALL_PARTS = """
QMenu {
    background: @surface; color: @text-1; border: 1px solid @border-strong; border-radius: 6px;
    padding: 4px; font-size: 13px;
}
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 4px; min-height: 18px; }
QMenu::item:selected { background: @active; }
QMenu::item:disabled { color: @text-3; }
QMenu::separator { height: 1px; background: @border; margin: 4px 0; }
QMenu::icon { padding-left: 6px; }
QToolTip {
    background: @surface; color: @text-1; border: 1px solid @border-strong; padding: 4px 6px;
    font-size: 12px;
}
QGroupBox { border: 0; margin-top: 24px; font-weight: 600; }
QGroupBox::title { subcontrol-origin: margin; left: 0; }
"""
