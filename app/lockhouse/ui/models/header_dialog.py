"""Everything in a model's header, to read: chat template, key-values, tensors."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from lockhouse.library.gguf import GgufHeader
from lockhouse.library.gguf.layout import Unread
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.models.search_edit import SearchEdit
from lockhouse.ui.models.tabs import Tabs
from lockhouse.ui.theme import Theme

_LONGEST = 2000
_SAMPLE = 12

Line = tuple[str, ...]


class HeaderText(msgspec.Struct, frozen=True):
    """A header in words, made away from the GUI thread."""

    title: str
    template: str
    values: tuple[Line, ...]  # key, value
    tensors: tuple[Line, ...]  # name, type, shape, size


def header_text(header: GgufHeader, title: str) -> HeaderText:
    """Every key-value and every tensor of a header as lines."""
    values = [(key, shown_value(value)) for key, value in header.key_values.items()]
    tensors = [
        (
            tensor.name,
            tensor.type_name,
            " × ".join(str(size) for size in tensor.shape),
            formatting.size(tensor.size_bytes),
        )
        for tensor in header.tensors
    ]
    return HeaderText(title, header.chat_template, tuple(values), tuple(tensors))


def shown_value(value: object) -> str:
    """A value of a header on one line; long lists by their beginning and their count."""
    if isinstance(value, tuple | list):
        start = ", ".join(shown_value(one) for one in value[:_SAMPLE])
        more = f" … {len(value):,} in all" if len(value) > _SAMPLE else ""
        return f"[{start}{more}]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)[1:-1]
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if isinstance(value, Unread):
        kind = "characters of text" if value.is_text else "entries"
        return f"{value.count:,} {kind}"
    return str(value)


class _Lines(QAbstractTableModel):
    """Lines under heads, those that hold the words of the filter."""

    def __init__(self, heads: Sequence[str], lines: Sequence[Line], parent: QObject) -> None:
        super().__init__(parent)
        self._heads = tuple(heads)
        self._all = tuple(lines)
        self._shown = self._all

    def filter(self, text: str) -> None:
        """Leave out lines without these words."""
        words = text.casefold().split()
        self.beginResetModel()
        self._shown = tuple(
            line for line in self._all if all(word in " ".join(line).casefold() for word in words)
        )
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._heads)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return self._heads[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._shown[index.row()][index.column()]
        return None


class HeaderDialog(QDialog):
    """Three tabs; the tables filter as you type, the template can be copied."""

    def __init__(
        self, theme: Theme, text: HeaderText, tab: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        px = theme.px
        self._theme = theme
        self._text = text
        self.setObjectName("header_dialog")
        self.setWindowTitle(f"Header of {text.title}")
        self.resize(px(820), px(600))
        self._stack = QStackedWidget()
        self._keys = ("template", "metadata", "tensors")
        self._tabs = Tabs(
            theme,
            "header_tabs",
            (("template", "Chat template"), ("metadata", "Key-values"), ("tensors", "Tensors")),
        )
        self._tabs.setFixedHeight(px(40))
        self._tabs.set_count("metadata", len(text.values))
        self._tabs.set_count("tensors", len(text.tensors))
        self._tabs.chosen.connect(self._show)
        self._stack.addWidget(self._make_template())
        self._stack.addWidget(self._make_table(("Key", "Value"), text.values, "metadata"))
        self._stack.addWidget(
            self._make_table(("Name", "Type", "Shape", "Size"), text.tensors, "tensors")
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(8), px(20), px(16))
        column.setSpacing(px(8))
        head = QHBoxLayout()
        head.addWidget(self._tabs)
        head.addStretch(1)
        column.addLayout(head)
        column.addWidget(self._stack, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        self._copy = push_button(theme, "Copy", name="header_copy", icon="copy")
        self._copy.clicked.connect(self._copy_shown)
        close = push_button(theme, "Close", name="header_close")
        close.clicked.connect(self.accept)
        row.addWidget(self._copy)
        row.addWidget(close)
        column.addLayout(row)
        self._tabs.set_current(tab)
        self._show(tab)

    def _make_template(self) -> QWidget:
        if not self._text.template:
            return label("This file has no chat template.", ink="2", wrap=True)
        box = QPlainTextEdit(self._text.template)
        box.setObjectName("template_text")
        box.setAccessibleName("Chat template")
        box.setReadOnly(True)
        box.setFont(self._theme.font("code-small"))
        box.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        box.setTabChangesFocus(True)
        return box

    def _make_table(self, heads: Sequence[str], lines: Sequence[Line], name: str) -> QWidget:
        px = self._theme.px
        model = _Lines(heads, lines, self)
        edit = SearchEdit(self._theme, f"{name}_filter", f"Filter {name}", "Filter…")
        edit.textChanged.connect(model.filter)
        view = QTableView()
        view.setObjectName(f"{name}_table")
        view.setAccessibleName(name.capitalize())
        view.setModel(model)
        view.setFont(self._theme.font("code-small"))
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTabKeyNavigation(False)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.verticalHeader().hide()
        view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        view.verticalHeader().setDefaultSectionSize(px(26))
        head = view.horizontalHeader()
        head.setObjectName(f"{name}_head")
        head.setAccessibleName("Columns")
        head.setHighlightSections(False)
        head.setStretchLastSection(True)
        widths = (320, 400) if len(heads) == 2 else (340, 110, 180, 90)
        for column, width in enumerate(widths):
            view.setColumnWidth(column, px(width))
        whole = QWidget()
        column_box = QVBoxLayout(whole)
        column_box.setContentsMargins(0, 0, 0, 0)
        column_box.setSpacing(px(8))
        column_box.addWidget(edit)
        column_box.addWidget(view, 1)
        return whole

    def _show(self, key: str) -> None:
        self._stack.setCurrentIndex(self._keys.index(key))
        self._copy.setEnabled(key != "template" or bool(self._text.template))

    def _copy_shown(self) -> None:
        key = self._tabs.current
        if key == "template":
            text = self._text.template
        else:
            lines = self._text.values if key == "metadata" else self._text.tensors
            text = "\n".join("\t".join(line) for line in lines)
        QApplication.clipboard().setText(text)
