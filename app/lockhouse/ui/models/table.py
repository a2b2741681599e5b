"""The table of models: rows, sorting, filtering, and how its cells are painted."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPointF,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from lockhouse.library.model_info import OWN, ModelInfo
from lockhouse.ui import wording
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import PillTone
from lockhouse.ui.widgets.pills import paint_pill

MODEL = Qt.ItemDataRole.UserRole + 1
SORT = Qt.ItemDataRole.UserRole + 2
COLUMNS = ("Name", "Family", "Size", "Quantization", "Fit", "Folder", "Verified")
NAME, FAMILY, SIZE, QUANTIZATION, FIT, FOLDER, VERIFIED = range(7)
_FIT_WORDS: dict[str, tuple[str, str, PillTone]] = {
    "fits": ("Fits", "check", "success"),
    "may be slow": ("May be slow", "gauge", "warning"),
    "won't fit": ("Won’t fit", "x", "danger"),
}


def folder_words(model: ModelInfo) -> str:
    """Whose folder the file lies in."""
    if model.included:
        return "Included"
    return "Lockhouse" if model.owner == OWN else (model.owner or "Elsewhere")


def fit_words(model: ModelInfo) -> tuple[str, str, PillTone]:
    """Word, icon and tone; a problem with the file comes first."""
    if model.state == "missing":
        return "Missing", "x", "danger"
    if model.state == "damaged":
        return "Damaged", "triangle-alert", "danger"
    if model.state == "changed":
        return "Changed", "triangle-alert", "warning"
    return _FIT_WORDS.get(model.fit or "", ("Unknown", "minus", "neutral"))


class ModelTable(QAbstractTableModel):
    """One row a model."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.models: tuple[ModelInfo, ...] = ()
        self.loaded: frozenset[str] = frozenset()

    def show(self, models: tuple[ModelInfo, ...]) -> None:
        """Other models; rows that stay keep the selection."""
        if models == self.models:
            return
        self.beginResetModel()
        self.models = models
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.models)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == SIZE else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        model = self.models[index.row()]
        if role == MODEL:
            return model
        if role == SORT:
            return self._sort_key(model, index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._words(model, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return model.problem or str(model.path)
        return None

    def _words(self, model: ModelInfo, column: int) -> str:
        return {
            NAME: model.title or model.name,
            FAMILY: model.architecture.capitalize(),
            SIZE: wording.size(model.size_bytes),
            QUANTIZATION: f"{model.quality} {model.quantization}",
            FIT: fit_words(model)[0],
            FOLDER: folder_words(model),
            VERIFIED: "Yes" if model.verified_at else "Not yet",
        }[column]

    def _sort_key(self, model: ModelInfo, column: int) -> object:
        if column == SIZE:
            return model.size_bytes
        if column == QUANTIZATION:
            return model.bits_per_weight
        return self._words(model, column).casefold()


class ModelFilter(QSortFilterProxyModel):
    """Words that all have to occur in name, family, quantization or folder."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: tuple[str, ...] = ()
        self.setSortRole(SORT)

    def set_words(self, text: str) -> None:
        """Another filter."""
        self.beginFilterChange()
        self._words = tuple(text.casefold().split())
        self.endFilterChange()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        source = self.sourceModel()
        parts = [
            str(source.index(source_row, column).data())
            for column in (NAME, FAMILY, QUANTIZATION, FOLDER)
        ]
        text = " ".join(parts).casefold()
        return all(word in text for word in self._words)


class ModelDelegate(QStyledItemDelegate):
    """36 px rows with a bar at the selected one."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, self._theme.px(36))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, px = self._theme, self._theme.px
        rect: QRect = option.rect
        model: ModelInfo = index.data(MODEL)
        column = index.column()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = option.state & QStyle.StateFlag.State_Selected
        if selected:
            painter.fillRect(rect, theme.color("active"))
            if column == NAME:
                bar = QRect(rect.left(), rect.top(), 2, rect.height())
                painter.fillRect(bar, theme.color("accent"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, theme.color("border"))
        area = rect.adjusted(px(16 if column == NAME else 8), 0, -px(8), -1)
        if column == FIT:
            words, icon, tone = fit_words(model)
            top = area.center().y() - px(10) + 1
            paint_pill(painter, theme, QPointF(area.left(), top), words, icon, tone)
        elif column == QUANTIZATION:
            self._paint_two(painter, area, model.quality, model.quantization)
        else:
            self._paint_words(painter, area, str(index.data()), column)
        painter.restore()

    def _paint_words(self, painter: QPainter, area: QRect, words: str, column: int) -> None:
        theme = self._theme
        painter.setFont(theme.font("body", weight=500 if column == NAME else 400, tabular=True))
        painter.setPen(theme.color("text-1" if column in (NAME, SIZE) else "text-2"))
        side = Qt.AlignmentFlag.AlignRight if column == SIZE else Qt.AlignmentFlag.AlignLeft
        shown = QFontMetrics(painter.font()).elidedText(
            words, Qt.TextElideMode.ElideRight, area.width()
        )
        painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, shown)

    def _paint_two(self, painter: QPainter, area: QRect, word: str, code: str) -> None:
        theme = self._theme
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("text-1"))
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, word)
        wide = QFontMetrics(painter.font()).horizontalAdvance(word + " ")
        painter.setPen(theme.color("text-3"))
        rest = area.adjusted(wide, 0, 0, 0)
        shown = QFontMetrics(painter.font()).elidedText(
            code, Qt.TextElideMode.ElideRight, rest.width()
        )
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, shown)
