"""The dialogs of the Models page: folders, hardware, the header of a file, differences."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from lockhouse.core.errors import LockhouseError
from lockhouse.engine.planning import Device, DeviceReport
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.layout import Unread
from lockhouse.library.model_info import Difference, FolderUse
from lockhouse.ui import formatting
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import (
    IconLabel,
    SearchEdit,
    Tabs,
    hairline,
    icon_button,
    label,
    push_button,
    scrolling,
    text_box,
)
from lockhouse.ui.layouts import LEFT, TOP, add, column, holding, row, stack
from lockhouse.ui.models import model_text
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, Pill

_MAX_CHARACTERS = 2000  # of a value in the header
_MAX_ENTRIES = 12
_TABS = (("template", "Chat template"), ("metadata", "Metadata"), ("tensors", "Tensors"))
_KINDS = {
    "content": "Content",
    "template": "Chat template",
    "tokenizer": "Tokenizer",
    "metadata": "Metadata",
    "tensors": "Tensors",
}
_MAX_DIFFERENCE = 600  # characters of one side

Line = tuple[str, ...]


class FoldersDialog(FormDialog):
    """The folders that hold models: own ones, those of other programs, and what is in each.

    Own ones can be added and removed; no file is ever deleted here.
    """

    add_wanted = Signal(object)  # Path
    remove_wanted = Signal(object)  # Path
    allow_wanted = Signal(object)  # Path

    def __init__(self, theme: Theme, rescan: Callable[[], None], parent: QWidget) -> None:
        about = (
            "Models in folders of other programs and in your own are used in place. In yours they "
            "can be removed and moved once you allow changes."
        )
        super().__init__(
            theme, "folders_dialog", "Model folders", about, width=680, height=480, parent=parent
        )
        self.add_button(
            "Add folder…", self._choose, name="folder_add", icon="folder-plus", on_left=True
        )
        self.add_button("Rescan", rescan, name="folder_rescan", icon="refresh-cw", on_left=True)
        self.add_button("Close", self.accept, name="folders_close")
        self._area = scrolling(QWidget(), "folders_area")
        self.content.addWidget(self._area, 1)

    def show_folders(self, folders: tuple[FolderUse, ...]) -> None:
        """Show these folders."""
        rows = column(self._theme, gap=6, margins=(0, 0, 8, 0))
        for folder in folders:
            add(self._theme, rows, self._make_row(folder), hairline())
        rows.addStretch(1)
        self._area.setWidget(holding(rows))

    def _make_row(self, folder: FolderUse) -> QHBoxLayout:
        theme, _px = self._theme, self._theme.px
        title = folder.label or model_text.owner_name(folder.owner)
        if folder.main:
            title = f"{title}, new models are stored here"
        elif folder.own:
            title = "Your folder" if folder.writable else "Your folder, only read"
        path = label(
            model_text.home_relative(folder.path),
            role="caption",
            ink="2",
            wrap=True,
            selectable=True,
        )
        texts = column(theme, label(title, role="medium"), path, gap=2)
        if folder.problem:
            texts.addWidget(label(folder.problem, role="caption", ink="warning", wrap=True))
        count = formatting.counted(folder.model_count, "model")
        line = row(
            theme,
            (IconLabel(theme, "house" if folder.own else "folder-symlink"), TOP),
            (texts, 1),
            (label(f"{count}, {formatting.size(folder.size_bytes)}", ink="2"), TOP),
            gap=10,
        )
        if folder.own and not folder.writable:
            allow = push_button(
                theme, "Allow changes", lambda: self.allow_wanted.emit(folder.path),
                name=f"allow_{folder.path.name}",
            )  # fmt: skip
            allow.setToolTip("Let models in it be removed and moved here, when you ask for it.")
            add(theme, line, (allow, TOP))
        if folder.own and not folder.main:
            remove = icon_button(
                theme,
                "x",
                f"Remove {folder.path} from the list",
                lambda: self.remove_wanted.emit(folder.path),
                name=f"remove_{folder.path.name}",
                size=14,
            )
            add(theme, line, (remove, TOP))
        return line

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose a folder", str(Path.home()))
        if name:
            self.add_wanted.emit(Path(name))


class DevicesDialog(FormDialog):
    """What llama.cpp computes with on this machine, and why a GPU is not used."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, "devices_dialog", "Hardware", width=560, parent=parent)
        self.add_button("Close", self.accept, name="devices_close")
        self.show_busy("Detecting hardware…")

    def show_report(self, report: DeviceReport) -> None:
        """Show what llama.cpp found."""
        theme, body = self._theme, self.content
        self.show_idle()
        for device in report.devices:
            add(theme, body, self._make_device(device), hairline())
        if report.why_no_gpu:
            note = Banner(theme, "info", "No GPU is used.", hint=report.why_no_gpu)
            note.setObjectName("why_no_gpu")
            body.addWidget(note)
        elif not report.graphics and len(report.devices) == 1:
            body.addWidget(label("No GPU was found.", ink="2"))
        box = QWidget()
        flow = FlowLayout(box, spacing=theme.px(6))
        for feature in report.features:
            flow.addWidget(Pill(theme, feature))
        box.setMinimumHeight(flow.heightForWidth(theme.px(512)))
        build = f"llama.cpp {report.build}; {', '.join(report.backends)}"
        add(theme, body, label("CPU features in use", role="strong"), box)
        body.addWidget(label(build, role="caption", ink="3", wrap=True, selectable=True))
        self.fit()

    def show_error(self, error: LockhouseError) -> None:
        """Show why nothing could be found out."""
        self.show_idle()
        self.say(error.message, error.hint)

    def _make_device(self, device: Device) -> QWidget:
        theme, _px = self._theme, self._theme.px
        kinds = ", ".join(dict.fromkeys((device.kind, device.backend)))
        line = row(
            theme,
            IconLabel(theme, "cpu" if device.kind == "CPU" else "gauge", 20),
            (
                column(
                    theme,
                    label(device.description or device.name, role="medium"),
                    label(kinds, role="caption", ink="2"),
                    gap=2,
                ),
                1,
            ),
            gap=10,
            margins=(0, 4),
        )
        if device.memory_total_bytes:
            free = formatting.gigabytes(device.memory_free_bytes)
            total = formatting.gigabytes(device.memory_total_bytes)
            line.addWidget(label(f"{free} of {total}{formatting.NBSP}GB free", ink="2"))
        return holding(line)


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

    def __init__(self, theme: Theme, text: HeaderText, tab: str, parent: QWidget) -> None:
        title = f"GGUF header of {text.title}"
        super().__init__(theme, "header_dialog", title, width=820, height=600, parent=parent)
        self._text = text
        self._tabs = Tabs(theme, "header_tabs", _TABS, height=40)
        self._tabs.set_count("metadata", len(text.values))
        self._tabs.set_count("tensors", len(text.tensors))
        self._tabs.chosen.connect(self._show)
        self._stack = stack(
            self._make_template(),
            self._make_table("metadata", ("Key", "Value"), text.values),
            self._make_table("tensors", ("Name", "Type", "Shape", "Size"), text.tensors),
        )
        add(theme, self.content, (self._tabs, Qt.AlignmentFlag.AlignLeft), (self._stack, 1))
        self._copy = self.add_button("Copy", self._copy_shown, name="header_copy", icon="copy")
        self.add_button("Close", self.accept, name="header_close")
        self._tabs.set_current(tab)
        self._show(tab)

    def _make_template(self) -> QWidget:
        if not self._text.template:
            return label("This file has no chat template.", ink="2", wrap=True)
        return text_box(self._theme, self._text.template, "template_text", "Chat template")

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
        header.setDefaultAlignment(LEFT)
        for number, width in enumerate((320, 400) if len(heads) == 2 else (340, 110, 180, 90)):
            table.setColumnWidth(number, px(width))
        for at, line in enumerate(lines):
            for number, text in enumerate(line):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(at, number, item)
        searched = [" ".join(line).casefold() for line in lines]

        def filter_rows(text: str) -> None:
            words = text.casefold().split()
            for at, line in enumerate(searched):
                table.setRowHidden(at, not all(word in line for word in words))

        edit = SearchEdit(self._theme, f"{name}_filter", f"Filter {name}", "Filter…")
        edit.textChanged.connect(filter_rows)
        return holding(column(self._theme, edit, (table, 1), gap=8))

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


class DifferenceDialog(FormDialog):
    """What differs between two revisions."""

    def __init__(self, theme: Theme, differences: tuple[Difference, ...], parent: QWidget) -> None:
        super().__init__(
            theme, "difference_dialog", "Differences", width=720, height=520, parent=parent
        )
        self.add_button("Close", self.accept, name="difference_close")
        px = theme.px
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, px(4), px(12), px(4))
        grid.setHorizontalSpacing(px(16))
        grid.setVerticalSpacing(px(8))
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        for side, head in enumerate(("", "In use", "Other")):
            grid.addWidget(label(head, role="caption-strong", ink="3"), 0, side)
        for at, one in enumerate(differences, 1):
            kind = _KINDS.get(one.kind, one.kind)
            what = label(f"{kind}\n{one.what}" if one.what else kind, wrap=True)
            what.setFixedWidth(px(140))
            grid.addWidget(what, at, 0, TOP)
            for side, text in enumerate((one.before, one.after), 1):
                grid.addWidget(_make_side(text, is_hash=one.kind == "content"), at, side, TOP)
        if not differences:
            same = "No differences: both have the same content."
            grid.addWidget(label(same, ink="2"), 1, 0, 1, 3)
        grid.setRowStretch(len(differences) + 2, 1)
        self.content.addWidget(scrolling(inside, "difference_area"), 1)


def _make_side(text: str, *, is_hash: bool) -> QWidget:
    """One side of a difference. Its longest word does not widen the column."""
    shown = text if len(text) <= _MAX_DIFFERENCE else f"{text[:_MAX_DIFFERENCE]}…"
    if is_hash:
        shown = formatting.short_hash(text)
    side = label(
        shown or "none", role="code-small", ink="" if shown else "3", wrap=True, selectable=True
    )
    side.setToolTip(text if is_hash else "")
    side.setSizePolicy(QSizePolicy.Policy.Ignored, side.sizePolicy().verticalPolicy())
    return side
