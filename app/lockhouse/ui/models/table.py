"""The table of models: rows made ready once, filtered and sorted without asking Qt.

Hides that all words and sort keys of a row are made away from the GUI thread, so that typing in
the filter costs one pass over strings and sorting one call of Python's own sort.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from lockhouse.library.model_info import ModelInfo
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.models import words

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
_NEWEST_FIRST = frozenset({USED, VERIFIED, SIZE})
_FIT_ORDER = {"fits": 0, "may be slow": 1, "won't fit": 2}

SortKey = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One model as the table shows it."""

    model: ModelInfo
    cells: tuple[str, ...]
    keys: tuple[SortKey, ...]
    text: str  # what the filter looks through
    folder: Path
    tip: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is left in by the filter. Empty parts leave everything in."""

    words: tuple[str, ...] = ()
    fit: str = ""
    owner: str = ""

    def takes(self, row: Row) -> bool:
        """Whether this row is shown."""
        if self.fit and row.model.fit != self.fit:
            return False
        if self.owner and words.folder_words(row.model) != self.owner:
            return False
        return all(word in row.text for word in self.words)


def make_rows(
    models: Sequence[ModelInfo], tips: Mapping[str, str], now: dt.datetime
) -> tuple[Row, ...]:
    """Everything that is said of these models; ``tips`` are the numbers behind the fit, by name."""
    return tuple(_row(model, tips.get(model.name, ""), now) for model in models)


def _row(model: ModelInfo, tip: str, now: dt.datetime) -> Row:
    title = model.title or model.name
    folder = words.folder_words(model)
    used = words.moment_of(model.last_used_at)
    checked = words.moment_of(model.verified_at)
    fit = words.fit_words(model)[0]
    family = model.family or model.architecture.capitalize()
    cells = (
        title,
        family,
        formatting.size(model.size_bytes),
        f"{model.quality} {model.quantization}",
        fit,
        folder,
        words.used_words(model, now),
        words.verified_words(model, now)[0],
    )
    name_key = (0.0, title.casefold())
    keys: tuple[SortKey, ...] = (
        name_key,
        (0.0, f"{family.casefold()} {title.casefold()}"),
        (float(model.size_bytes), ""),
        (model.bits_per_weight, model.quantization),
        (float(_FIT_ORDER.get(model.fit or "", 3)), title.casefold()),
        (0.0, f"{folder.casefold()} {title.casefold()}"),
        (used.timestamp() if used else 0.0, ""),
        (checked.timestamp() if checked else 0.0, ""),
    )
    text = " ".join(
        (title, model.name, family, model.quantization, model.quality, folder, *model.aliases)
    )
    where = f"{text} {model.path.parent.name}".casefold()
    return Row(model, cells, keys, where, model.path.parent, tip)


class ModelTable(QAbstractTableModel):
    """One row a model, those that the filter takes, in the order that was chosen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Row, ...] = ()
        self._shown: list[Row] = []
        self._wanted = Wanted()
        self._column = USED
        self._order = Qt.SortOrder.DescendingOrder
        self.loaded: frozenset[str] = frozenset()
        self.checking: dict[str, float] = {}

    # what it holds

    @property
    def total(self) -> int:
        """How many there are without the filter."""
        return len(self._all)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them, whatever the filter says."""
        return self._all

    def row(self, number: int) -> Row:
        """A row that is shown."""
        return self._shown[number]

    def number_of(self, name: str) -> int:
        """Where a model is shown; -1 when it is not."""
        for number, row in enumerate(self._shown):
            if row.model.name == name:
                return number
        return -1

    def show(self, rows: tuple[Row, ...]) -> None:
        """Other models."""
        if rows is self._all or rows == self._all:
            return
        self._all = rows
        self._renew()

    def set_wanted(self, wanted: Wanted) -> None:
        """Another filter."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._renew()

    def set_loaded(self, names: frozenset[str]) -> None:
        """Which are in memory now."""
        if names == self.loaded:
            return
        self.loaded = names
        if self._column == USED:
            self._renew()
        else:
            self._touch(USED)

    def set_checking(self, name: str, share: float | None) -> None:
        """How far the check of a model is; None when it is over."""
        if share is None:
            self.checking.pop(name, None)
        else:
            self.checking[name] = share
        number = self.number_of(name)
        if number >= 0:
            place = self.index(number, VERIFIED)
            self.dataChanged.emit(place, place)

    def _renew(self) -> None:
        self.beginResetModel()
        wanted = self._wanted
        if wanted == Wanted():
            self._shown = list(self._all)
        else:
            self._shown = [row for row in self._all if wanted.takes(row)]
        self._sort()
        self.endResetModel()

    def _sort(self) -> None:
        column, descending = self._column, self._order == Qt.SortOrder.DescendingOrder
        if column == USED:
            loaded = self.loaded
            self._shown.sort(key=lambda row: row.keys[NAME])
            self._shown.sort(
                key=lambda row: (row.model.name in loaded, row.keys[USED]), reverse=descending
            )
            return
        self._shown.sort(key=lambda row: row.keys[NAME])
        self._shown.sort(key=lambda row: row.keys[column], reverse=descending)

    def _touch(self, column: int) -> None:
        if self._shown:
            last = len(self._shown) - 1
            self.dataChanged.emit(self.index(0, column), self.index(last, column))

    # what Qt asks

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if column < 0 or (column, order) == (self._column, self._order):
            return
        self._column, self._order = column, order
        self._renew()

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
        if role == Qt.ItemDataRole.InitialSortOrderRole and section in _NEWEST_FIRST:
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
            return self.words(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[column]}: {self.words(row, column)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row, column)
        return None

    def words(self, row: Row, column: int) -> str:
        """What stands in a cell now."""
        if column == USED and row.model.name in self.loaded:
            return "Loaded"
        if column == VERIFIED:
            share = self.checking.get(row.model.name)
            if share is not None:
                return formatting.percent(share)
        return row.cells[column]


def _tip(row: Row, column: int) -> str:
    model = row.model
    if model.problem:
        return model.problem
    if column == FIT:
        return row.tip
    if column == FOLDER and len(model.places) > 1:
        return "The same file lies in:\n" + "\n".join(str(place.path) for place in model.places)
    if column in (NAME, FOLDER):
        return str(model.path)
    if column == VERIFIED and model.sha256:
        return f"SHA-256 {model.sha256}"
    return ""
