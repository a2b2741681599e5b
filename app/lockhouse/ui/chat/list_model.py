"""The rows of the conversation list: headings and conversations, grouped by pin, folder and day.

Hides the grouping. Rows are rebuilt from the listing, and the view is told of a reset only when
they differ, so that a title that grows while answering does not lose the selection.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from lockhouse.chat.conversations import Conversation
from lockhouse.ui import formatting
from lockhouse.ui.chat.values import Listing, RunState

Index = QModelIndex | QPersistentModelIndex
ROW = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    kind: Literal["head", "folder", "chat"]
    title: str
    conversation: Conversation | None = None
    folder_id: str = ""
    count: int = 0
    folded: bool = False
    when: str = ""
    run: RunState | None = None
    in_folder: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What the row stands for, whatever it shows."""
        if self.conversation is not None:
            return "chat", self.conversation.id
        return self.kind, self.folder_id or self.title


def rows_of(
    listing: Listing,
    now: dt.datetime,
    *,
    folded: frozenset[str] = frozenset(),
    runs: dict[str, RunState] | None = None,
) -> list[Row]:
    """Pinned first, then folders, then the days."""
    running = runs or {}

    def chat(one: Conversation, *, in_folder: bool = False) -> Row:
        return Row(
            "chat",
            one.title or "New chat",
            one,
            when=formatting.short_time(one.updated_at, now),
            run=running.get(one.id),
            in_folder=in_folder,
        )

    rows: list[Row] = []
    pinned = [one for one in listing.conversations if one.pinned]
    if pinned:
        rows += [Row("head", "Pinned"), *map(chat, pinned)]
    rest = [one for one in listing.conversations if not one.pinned]
    known = {folder.id for folder in listing.folders}
    for folder in listing.folders:
        inside = [one for one in rest if one.folder_id == folder.id]
        is_folded = folder.id in folded
        rows.append(
            Row(
                "folder",
                folder.name,
                folder_id=folder.id,
                count=len(inside),
                folded=is_folded,
            )
        )
        if not is_folded:
            rows += [chat(one, in_folder=True) for one in inside]
    group = ""
    for one in rest:
        if one.folder_id in known:
            continue
        heading = formatting.day_group(one.updated_at, now)
        if heading != group:
            group = heading
            rows.append(Row("head", heading))
        rows.append(chat(one))
    return rows


class ListModel(QAbstractListModel):
    """Rows for the view and its delegate."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._listing = Listing()
        self._rows: list[Row] = []
        self._folded: frozenset[str] = frozenset()
        self._runs: dict[str, RunState] = {}
        self._held = False

    def hold(self, *, held: bool) -> None:
        """Keep the rows as they are while one of them is edited."""
        self._held = held
        if not held:
            self._rebuild()

    @property
    def listing(self) -> Listing:
        """What the rows were made from."""
        return self._listing

    def show(self, listing: Listing) -> None:
        """Another listing."""
        self._listing = listing
        self._rebuild()

    def show_run(self, conversation_id: str, run: RunState | None) -> None:
        """Mark a conversation as answering, or as done. Called many times a second."""
        before = self._runs.get(conversation_id)
        if run is None:
            self._runs.pop(conversation_id, None)
        else:
            self._runs[conversation_id] = run
        if _shown_of(before) == _shown_of(run):
            return
        index = self.index_of(conversation_id)
        if index.isValid():
            number = index.row()
            self._rows[number] = replace(self._rows[number], run=run)
            self.dataChanged.emit(index, index)

    def toggle_folder(self, folder_id: str) -> None:
        """Fold or unfold a folder."""
        self._folded = self._folded ^ {folder_id}
        self._rebuild()

    def refresh_times(self) -> None:
        """Day headings move on at midnight."""
        self._rebuild()

    def row(self, number: int) -> Row:
        """One row."""
        return self._rows[number]

    def index_of(self, conversation_id: str) -> QModelIndex:
        """Where a conversation is shown; invalid when it is not."""
        for number, row in enumerate(self._rows):
            if row.conversation is not None and row.conversation.id == conversation_id:
                return self.index(number)
        return QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        kind = self._rows[index.row()].kind
        if kind == "head":
            return Qt.ItemFlag.NoItemFlags
        if kind == "folder":
            return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsEditable
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == ROW:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return row.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _spoken(row)
        if role == Qt.ItemDataRole.ToolTipRole and row.kind == "chat":
            return row.title
        return None

    def _rebuild(self) -> None:
        if self._held:
            return
        rows = rows_of(self._listing, formatting.local_now(), folded=self._folded, runs=self._runs)
        if rows == self._rows:
            return
        if [row.key for row in rows] == [row.key for row in self._rows]:
            changed = [n for n, row in enumerate(rows) if row != self._rows[n]]
            self._rows = rows
            for number in changed:
                self.dataChanged.emit(self.index(number), self.index(number))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()


def _shown_of(run: RunState | None) -> str:
    """What of a run can be seen in its row."""
    if run is None:
        return ""
    fraction = run.fraction
    return "running" if fraction is None else formatting.percent(fraction)


def _spoken(row: Row) -> str:
    if row.kind == "folder":
        state = "folded" if row.folded else "open"
        return f"Folder {row.title}, {formatting.counted(row.count, 'chat')}, {state}"
    if row.kind == "head":
        return row.title
    parts = [row.title]
    if row.run is not None:
        fraction = row.run.fraction
        parts.append(
            "answering" if fraction is None else f"reading, {formatting.percent(fraction)}"
        )
    else:
        parts.append(row.when)
    return ", ".join(parts)
