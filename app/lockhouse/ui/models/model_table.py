"""The table of models as a Qt model, which filters and sorts by itself.

Hides that the text and the sort keys of a row are made away from the GUI thread, so that typing in
the filter costs one pass over strings, and sorting one call of Python's own sort.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from lockhouse.library.model_info import ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.models import model_text
from lockhouse.ui.table_cells import Index

ROW = Qt.ItemDataRole.UserRole + 1
COLUMNS = (
    "Name",
    "Family",
    "Size",
    "Quantization",
    "Fit",
    "Folder",
    "Last used",
    "Verified",
)
NAME, FAMILY, SIZE, QUANTIZATION, FIT, FOLDER, USED, VERIFIED = range(8)
_DESCENDING_FIRST = frozenset({USED, VERIFIED, SIZE})
_FIT_ORDER = {"fits": 0, "may be slow": 1, "won't fit": 2}

SortKey = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One model as the table shows it."""

    model: ModelInfo
    cells: tuple[str, ...]
    keys: tuple[SortKey, ...]
    searched: str  # what the filter looks through
    verified_icon: tuple[str, str]  # icon and ink


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are shown. Empty parts let everything through."""

    words: tuple[str, ...] = ()
    fit: str = ""
    owner: str = ""

    def matches(self, row: Row) -> bool:
        """Whether this row is shown."""
        if self.fit and row.model.fit != self.fit:
            return False
        if self.owner and row.cells[FOLDER] != self.owner:
            return False
        return all(word in row.searched for word in self.words)


def make_rows(models: Sequence[ModelInfo], now: dt.datetime) -> tuple[Row, ...]:
    """The rows of these models."""
    return tuple(_row(model, now) for model in models)


def _row(model: ModelInfo, now: dt.datetime) -> Row:
    title = model.title or model.name
    folder = model_text.folder_name(model)
    used = formatting.moment_of(model.last_used_at)
    verified_at = formatting.moment_of(model.verified_at)
    verified, *verified_icon = model_text.verified_text(model, now)
    family = model.family or model.architecture.capitalize()
    cells = (
        title,
        family,
        formatting.size(model.size_bytes),
        f"{model.quality} {model.quantization}",
        model_text.model_pill(model)[0],
        folder,
        model_text.used_text(model, now),
        verified,
    )
    folded = title.casefold()
    keys: tuple[SortKey, ...] = (
        (0.0, folded),
        (0.0, f"{family.casefold()} {folded}"),
        (float(model.size_bytes), ""),
        (model.bits_per_weight, model.quantization),
        (float(_FIT_ORDER.get(model.fit or "", 3)), folded),
        (0.0, f"{folder.casefold()} {folded}"),
        (used.timestamp() if used else 0.0, ""),
        (verified_at.timestamp() if verified_at else 0.0, ""),
    )
    searched = " ".join(
        (title, model.name, family, model.quantization, model.quality, folder, *model.aliases,
         model.path.parent.name)
    )  # fmt: skip
    icon, ink = verified_icon
    return Row(model, cells, keys, searched.casefold(), (icon, ink))


class ModelTable(QAbstractTableModel):
    """One row per model: those that match the filter, in the chosen order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Row, ...] = ()
        self._shown: list[Row] = []
        self._filter = Filter()
        self._column = USED
        self._order = Qt.SortOrder.DescendingOrder
        self.loaded: frozenset[str] = frozenset()
        self.checking: dict[str, float] = {}

    @property
    def total(self) -> int:
        """How many there are without the filter."""
        return len(self._all)

    def row(self, number: int) -> Row:
        """A row that is shown."""
        return self._shown[number]

    def number_of(self, name: str) -> int:
        """Where a model is shown; -1 when it is not."""
        for number, row in enumerate(self._shown):
            if row.model.name == name:
                return number
        return -1

    def set_rows(self, rows: tuple[Row, ...]) -> None:
        """Show other models."""
        if rows is not self._all and rows != self._all:
            self._all = rows
            self._rebuild()

    def set_filter(self, wanted: Filter) -> None:
        """Show the rows that match."""
        if wanted != self._filter:
            self._filter = wanted
            self._rebuild()

    def set_loaded(self, names: frozenset[str]) -> None:
        """Which models are in memory now."""
        if names == self.loaded:
            return
        self.loaded = names
        if self._column == USED:
            self._rebuild()
        elif self._shown:
            last = len(self._shown) - 1
            self.dataChanged.emit(self.index(0, USED), self.index(last, USED))

    def set_checking(self, name: str, share: float | None) -> None:
        """Progress of the check of a model; None when it is over."""
        if share is None:
            self.checking.pop(name, None)
        else:
            self.checking[name] = share
        number = self.number_of(name)
        if number >= 0:
            cell = self.index(number, VERIFIED)
            self.dataChanged.emit(cell, cell)

    def _rebuild(self) -> None:
        self.beginResetModel()
        if self._filter == Filter():
            self._shown = list(self._all)
        else:
            self._shown = [row for row in self._all if self._filter.matches(row)]
        self._sort()
        self.endResetModel()

    def _sort(self) -> None:
        column, descending = self._column, self._order == Qt.SortOrder.DescendingOrder
        self._shown.sort(key=lambda row: row.keys[NAME])
        if column == USED:
            loaded = self.loaded
            self._shown.sort(
                key=lambda row: (row.model.name in loaded, row.keys[USED]), reverse=descending
            )
        else:
            self._shown.sort(key=lambda row: row.keys[column], reverse=descending)

    # what Qt asks

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if column < 0 or (column, order) == (self._column, self._order):
            return
        self._column, self._order = column, order
        self._rebuild()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.InitialSortOrderRole and section in _DESCENDING_FIRST:
            return Qt.SortOrder.DescendingOrder
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == SIZE else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._shown[index.row()]
        column = index.column()
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self.cell_text(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[column]}: {self.cell_text(row, column)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tool_tip(row.model, column)
        return None

    def cell_text(self, row: Row, column: int) -> str:
        """What stands in a cell now."""
        if column == USED and row.model.name in self.loaded:
            return "Loaded"
        if column == VERIFIED:
            share = self.checking.get(row.model.name)
            if share is not None:
                return formatting.percent(share)
        return row.cells[column]


def _tool_tip(model: ModelInfo, column: int) -> str:
    if model.problem:
        return model.problem
    if column == FOLDER and len(model.places) > 1:
        return "Identical copies:\n" + "\n".join(str(place.path) for place in model.places)
    if column in (NAME, FOLDER):
        return str(model.path)
    if column == VERIFIED and model.sha256:
        return f"SHA-256 {model.sha256}"
    return ""
