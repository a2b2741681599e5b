"""Network activity: the records of the Gate page with their search, filter and export."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QSizePolicy,
    QStackedWidget,
    QWidget,
)

from lockhouse.gate.records import RecordFilter
from lockhouse.ui import formatting
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.files import ask_path
from lockhouse.ui.frame_parts import EmptyState, SearchEdit, label, push_button
from lockhouse.ui.gate.card import HEAD_HEIGHT
from lockhouse.ui.gate.record_panel import RecordPanel
from lockhouse.ui.gate.record_row import FILTERS, RecordRow, terms_of
from lockhouse.ui.gate.records_model import OpenedRecord, RecordsModel
from lockhouse.ui.gate.records_table import RecordsTable
from lockhouse.ui.layouts import column, row
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once

_REST_MS = 120
_TWO_LINES_BELOW = 640
_SEARCH_WIDTH = 176


class RecordsCard(QWidget):
    """What was sent, and what was refused."""

    notified = Signal(str)  # for a toast

    def __init__(self, model: RecordsModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("records_card")
        self.model = model
        self.panel = RecordPanel(theme)
        self.table = RecordsTable(theme, model, self.panel)
        self._rest = once(self, _REST_MS, self._filter)
        self._lay_out()
        self._wire()
        self._filter()

    def _lay_out(self) -> None:
        theme, px = self._theme, self._theme.px
        self._title = Elided("Network activity", role="strong")
        self._title.setFixedHeight(px(HEAD_HEIGHT))
        self._title.setMinimumWidth(px(120))
        self._count = label("", role="caption", ink="3", name="records_count")
        self.edit = SearchEdit(theme, "records_search", "Search network activity", "Host, purpose…")
        self.edit.setProperty("compact", "true")
        self.choice = ChoiceButton(
            theme,
            "Show",
            [(key, shown) for key, (shown, _) in FILTERS.items()],
            chip=True,
            height=28,  # as the field and the button beside it
        )
        self.choice.setObjectName("records_filter")
        self._export = push_button(
            theme, "Export…", self.export, name="records_export", compact=True
        )
        title = row(theme, (self._title, 1), self._count, gap=8)
        tools = row(theme, (self.edit, 1), self.choice, self._export, gap=8)
        self._head = row(theme, (title, 1), tools, gap=8)
        column(theme, self._head, (self._make_card(), 1), gap=8, on=self)

    def _make_card(self) -> QWidget:
        theme = self._theme
        card = QFrame()
        card.setProperty("tone", "card")
        self._nothing = EmptyState(
            theme,
            "lock",
            "Nothing has left this machine",
            "Every connection, allowed or refused, will be listed here, with the exact text that "
            "was sent.",
        )
        self._none_found = EmptyState(
            theme,
            "search",
            "No matching records",
            "Use fewer words or clear the filter.",
            (("clear", "Clear filter", self.clear),),
        )
        self._stack = QStackedWidget()
        for widget in (self.table, self._nothing, self._none_found):
            widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
            self._stack.addWidget(widget)
        column(theme, self._stack, margins=(1, 1, 1, 4), on=card)
        return card

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        direction = QBoxLayout.Direction
        is_narrow = self.width() < self._theme.px(_TWO_LINES_BELOW)
        self._head.setDirection(direction.TopToBottom if is_narrow else direction.LeftToRight)
        self.edit.setMinimumWidth(self._theme.px(120 if is_narrow else _SEARCH_WIDTH))
        self.edit.setMaximumWidth(self.width() if is_narrow else self._theme.px(_SEARCH_WIDTH))

    def _wire(self) -> None:
        self.model.counted.connect(self._show_count)
        self.model.opened.connect(self._show_record)
        self.model.exported.connect(self._say_exported)
        self.table.row_opened.connect(self._open)
        self.panel.resized.connect(self.table.fit_panel)
        self.panel.copied.connect(self.notified)
        self.edit.textChanged.connect(lambda _: self._rest.start())
        self.choice.picked.connect(lambda _: self._filter())

    def clear(self) -> None:
        """Show all activity again."""
        self.choice.set_key("")
        self.edit.clear()
        self._filter()

    def _filter(self) -> None:
        self._rest.stop()
        kinds = FILTERS[self.choice.key][1].kinds
        self.model.set_filter(RecordFilter(kinds, terms_of(self.edit.text())))

    def _show_count(self) -> None:
        some = self.model.total > 0
        why = self._none_found if self.model.unfiltered else self._nothing
        self._stack.setCurrentWidget(self.table if some else why)
        self._count.setText(formatting.counted(self.model.total, "record") if some else "")
        self._export.setEnabled(some)

    def _open(self, row: RecordRow) -> None:
        self.panel.show_waiting()
        self.model.open(row)

    def _show_record(self, opened: OpenedRecord) -> None:
        number = self.table.opened
        row = self.model.row(number) if number >= 0 else None
        if row is not None and row.seq == opened.row.seq:
            self.panel.show_record(opened)
            self.table.scrollTo(self.model.index(number, 1))

    def export(self) -> None:
        """Ask for a file name and write what is listed to it."""
        kinds = "Table (*.csv);;JSON lines (*.jsonl)"
        if path := ask_path(self, "Export network activity", "lockhouse-records.csv", kinds):
            self.model.export(path)

    def _say_exported(self, path: Path, count: int) -> None:
        self.notified.emit(f"Exported {formatting.counted(count, 'record')} to {path.name}")
