"""Everything in the header of a GGUF file: chat template, metadata, tensors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QPlainTextEdit,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from lockhouse.library.gguf import GgufHeader
from lockhouse.library.gguf.layout import Unread
from lockhouse.ui import formatting
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label
from lockhouse.ui.models.search_edit import SearchEdit
from lockhouse.ui.models.tabs import Tabs
from lockhouse.ui.theme import Theme

_MAX_CHARACTERS = 2000
_MAX_ENTRIES = 12
_TABS = (("template", "Chat template"), ("metadata", "Metadata"), ("tensors", "Tensors"))

Line = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeaderText:
    """A header as text, made away from the GUI thread."""

    title: str
    template: str
    values: tuple[Line, ...]  # key, value
    tensors: tuple[Line, ...]  # name, type, shape, size


def header_text(header: GgufHeader, title: str) -> HeaderText:
    """Every key with its value and every tensor of a header as lines."""
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
    """A value on one line; of a long list the first entries and the count."""
    if isinstance(value, tuple | list):
        start = ", ".join(shown_value(one) for one in value[:_MAX_ENTRIES])
        more = f" … {len(value):,} in all" if len(value) > _MAX_ENTRIES else ""
        return f"[{start}{more}]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)[1:-1]
        return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
    if isinstance(value, Unread):
        return f"{value.count:,} {'characters' if value.is_text else 'entries'}"
    return str(value)


class HeaderDialog(FormDialog):
    """Three tabs, each can be copied; the tables have a filter."""

    def __init__(
        self, theme: Theme, text: HeaderText, tab: str, parent: QWidget | None = None
    ) -> None:
        title = f"GGUF header of {text.title}"
        super().__init__(theme, "header_dialog", title, width=820, height=600, parent=parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._text = text
        self._tabs = Tabs(theme, "header_tabs", _TABS, height=40)
        self._tabs.set_count("metadata", len(text.values))
        self._tabs.set_count("tensors", len(text.tensors))
        self._tabs.chosen.connect(self._show)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._make_template())
        self._stack.addWidget(self._make_table("metadata", ("Key", "Value"), text.values))
        self._stack.addWidget(
            self._make_table("tensors", ("Name", "Type", "Shape", "Size"), text.tensors)
        )
        self.content.addWidget(self._tabs, 0, Qt.AlignmentFlag.AlignLeft)
        self.content.addWidget(self._stack, 1)
        self._copy = self.add_button("Copy", self._copy_shown, name="header_copy", icon="copy")
        self.add_button("Close", self.accept, name="header_close")
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

    def _make_table(self, name: str, heads: Sequence[str], lines: Sequence[Line]) -> QWidget:
        px = self._theme.px
        table = QTableWidget(len(lines), len(heads))
        table.setObjectName(f"{name}_table")
        table.setAccessibleName(name.capitalize())
        table.setHorizontalHeaderLabels(heads)
        table.setFont(self._theme.font("code-small"))
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(px(26))
        header = table.horizontalHeader()
        header.setObjectName(f"{name}_head")
        header.setAccessibleName("Columns")
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, width in enumerate((320, 400) if len(heads) == 2 else (340, 110, 180, 90)):
            table.setColumnWidth(column, px(width))
        for row, line in enumerate(lines):
            for column, text in enumerate(line):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(row, column, item)
        searched = [" ".join(line).casefold() for line in lines]

        def filter_rows(text: str) -> None:
            words = text.casefold().split()
            for row, line in enumerate(searched):
                table.setRowHidden(row, not all(word in line for word in words))

        edit = SearchEdit(self._theme, f"{name}_filter", f"Filter {name}", "Filter…")
        edit.textChanged.connect(filter_rows)
        whole = QWidget()
        column_box = QVBoxLayout(whole)
        column_box.setContentsMargins(0, 0, 0, 0)
        column_box.setSpacing(px(8))
        column_box.addWidget(edit)
        column_box.addWidget(table, 1)
        return whole

    def _show(self, key: str) -> None:
        self._stack.setCurrentIndex([name for name, _ in _TABS].index(key))
        self._copy.setEnabled(key != "template" or bool(self._text.template))

    def _copy_shown(self) -> None:
        key = self._tabs.current
        if key == "template":
            text = self._text.template
        else:
            lines = self._text.values if key == "metadata" else self._text.tensors
            text = "\n".join("\t".join(line) for line in lines)
        QApplication.clipboard().setText(text)
