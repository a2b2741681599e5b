"""The records as a table model that reads only the pages that are looked at.

Pages are counted from the oldest record, so that a page stays right while new records come in at
the top. Pages that nobody looked at for long are dropped. Everything is read on threads.
"""

from __future__ import annotations

import csv
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal

from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.gate.network import host_of
from lockhouse.gate.protocol import Record
from lockhouse.gate.providers import Providers
from lockhouse.gate.records import KeptRecord, RecordFilter, Records, Session
from lockhouse.gate.sent_requests import Sent, SentRequest
from lockhouse.storage.exports import exported_file
from lockhouse.ui import formatting
from lockhouse.ui.chat.list_model import Index
from lockhouse.ui.gate.record_row import RecordRow, make_rows
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.timers import OneAtATime, repetition

PAGE_ROWS = 200
OPEN, TIME, EVENT, HOST, PURPOSE, OUT, IN = range(7)
COLUMNS = ("", "Time", "Event", "Host", "Purpose", "Out", "In")
RIGHT = frozenset({OUT, IN})
_KEPT_PAGES = 40
_LOOK_EVERY_MS = 1000
_EXPORT_ROWS = 5000
_SWITCHES = RecordFilter(("sealed", "unsealed"))


@dataclass(frozen=True, slots=True)
class Activity:
    """What the banner says of the past: the last time it was sealed or unsealed, this session."""

    switched: Record | None = None
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record, and the request that was sent with it, where it was an answer's."""

    row: RecordRow
    sent: SentRequest | None
    address: str = ""  # of that request


@dataclass(frozen=True, slots=True)
class _Counts:
    total: int
    unfiltered: int
    first_seq: int  # another one when old records were removed


class RecordsModel(QAbstractTableModel):
    """The newest record first. A row that was not read yet is empty, and read when asked for."""

    counted = Signal()  # ``total`` and ``unfiltered`` are new
    activity_read = Signal(object)  # Activity
    opened = Signal(object)  # OpenedRecord
    exported = Signal(object, int)  # Path, how many
    failed = Signal(object)  # LockhouseError

    def __init__(
        self,
        records: Records,
        sent: Sent,
        providers: Providers,
        jobs: Jobs,
        first_seq: Callable[[], int | None],
        parent: QObject | None = None,
    ) -> None:
        """``first_seq`` is the last record from before this window; None while it is read."""
        super().__init__(parent)
        self._records = records
        self._sent = sent
        self._providers = providers
        self._jobs = jobs
        self._first_seq = first_seq
        self.total = self.unfiltered = 0
        self._filter = RecordFilter()
        self._oldest_seq = 0
        self._pages: OrderedDict[int, tuple[RecordRow, ...]] = OrderedDict()
        self._asked: set[int] = set()
        self._generation = 0  # of the filter: what was read for an earlier one is dropped
        self._shown_generation = -1
        self._known: tuple[int, int | None] | None = None  # last record, start of the session
        self._looking = OneAtATime(self._look)
        self._timer = repetition(self, _LOOK_EVERY_MS, self.look)

    # what is shown

    def follow(self, *, shown: bool) -> None:
        """Look for new records every second, as long as the page is shown."""
        if shown:
            self.look()
            self._timer.start()
        else:
            self._timer.stop()

    def set_filter(self, wanted: RecordFilter) -> None:
        """Show these records only."""
        self._filter = wanted
        self._generation += 1
        self._known = None
        self.look()

    def look(self) -> None:
        """Look for new records; a look that is going on is followed by one more."""
        self._looking.want()

    def _look(self) -> None:
        generation, wanted, known = self._generation, self._filter, self._known
        session_seq = self._first_seq()

        def read() -> tuple[tuple[int, int | None], _Counts, Activity] | None:
            now = (self._records.last_seq(), session_seq)
            return None if now == known else (now, self._count(wanted), self._read(session_seq))

        def done(found: tuple[tuple[int, int | None], _Counts, Activity] | None) -> None:
            if found is not None:
                if generation == self._generation:
                    self._known = found[0]
                    self._show(found[1])
                self.activity_read.emit(found[2])
            self._looking.end()

        self._jobs.run(read, done, self._not_read)

    def row(self, number: int) -> RecordRow | None:
        """The record in a row; None while it is read."""
        page, inside = divmod(self.total - 1 - number, PAGE_ROWS)
        rows = self._pages.get(page)
        if rows is None or inside >= len(rows):
            if page not in self._asked:
                self._asked.add(page)
                self._read_page(page)
            return None
        self._pages.move_to_end(page)
        return rows[inside]

    # one record, and all of them

    def open(self, row: RecordRow) -> None:
        """Read what was sent with a record."""

        def read() -> OpenedRecord:
            sent = self._sent.of_record(row.record)
            return OpenedRecord(row, sent, self._address(sent) if sent is not None else "")

        self._jobs.run(read, self.opened.emit, self.failed.emit)

    def export(self, path: Path) -> None:
        """Write the records that the filter takes, as CSV or as JSON lines."""
        wanted = self._filter

        def write() -> int:
            with exported_file(path) as file:
                write_line = _writer(file, path.suffix.lower())
                count = 0
                for kept in self._all(wanted):
                    write_line(kept)
                    count += 1
                return count

        self._jobs.run(write, lambda count: self.exported.emit(path, count), self.failed.emit)

    # what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self.total

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
            side = Qt.AlignmentFlag.AlignRight if section in RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        roles = Qt.ItemDataRole
        if role not in (roles.DisplayRole, roles.AccessibleTextRole, roles.ToolTipRole):
            return None
        row, column = self.row(index.row()), index.column()
        if row is None:
            return ""
        shown = cell(row, column)
        if role == roles.AccessibleTextRole:
            return f"{COLUMNS[column] or 'Open'}: {shown}"
        if role == roles.ToolTipRole and column not in (TIME, PURPOSE, HOST):
            return None
        return shown

    # inside

    def _count(self, wanted: RecordFilter) -> _Counts:
        unfiltered = self._records.count(RecordFilter())
        total = unfiltered if wanted == RecordFilter() else self._records.count(wanted)
        oldest = self._records.page(RecordFilter(), offset=0, limit=1)
        return _Counts(total, unfiltered, oldest[0].seq if oldest else 0)

    def _read(self, session_seq: int | None) -> Activity:
        count = self._records.count(_SWITCHES)
        last = self._records.page(_SWITCHES, offset=max(0, count - 1), limit=1)
        session = self._records.since(session_seq) if session_seq is not None else None
        return Activity(last[0].record if last else None, session)

    def _show(self, counts: _Counts) -> None:
        """More of the same records, or others."""
        same = (self._shown_generation, self._oldest_seq) == (self._generation, counts.first_seq)
        self.unfiltered = counts.unfiltered
        if same and counts.total >= self.total:
            more = counts.total - self.total
            if more:
                newest = max(0, self.total - 1) // PAGE_ROWS
                self._pages.pop(newest, None)  # it was not full
                self._asked.discard(newest)
                self.beginInsertRows(QModelIndex(), 0, more - 1)
                self.total = counts.total
                self.endInsertRows()
        else:
            self.beginResetModel()
            self._shown_generation, self._oldest_seq = self._generation, counts.first_seq
            self.total = counts.total
            self._pages.clear()
            self._asked.clear()
            self.endResetModel()
        self.counted.emit()

    def _read_page(self, number: int) -> None:
        generation, wanted = self._generation, self._filter

        def read() -> tuple[RecordRow, ...]:
            found = self._records.page(wanted, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
            return make_rows(found, formatting.local_now())

        def done(rows: tuple[RecordRow, ...]) -> None:
            if generation == self._shown_generation:
                self._take_page(number, rows)

        def fail(error: LockhouseError) -> None:
            done(())  # asked for again when it is looked at
            self.failed.emit(error)

        self._jobs.run(read, done, fail)

    def _take_page(self, number: int, rows: tuple[RecordRow, ...]) -> None:
        self._asked.discard(number)
        self._pages[number] = rows
        while len(self._pages) > _KEPT_PAGES:
            self._pages.popitem(last=False)
        last = self.total - 1 - number * PAGE_ROWS
        if rows and last >= 0:
            first = max(0, last + 1 - len(rows))
            self.dataChanged.emit(self.index(first, 0), self.index(last, IN))

    def _address(self, sent: SentRequest) -> str:
        """Where it went, as far as that provider is still known."""
        try:
            endpoints = self._providers.get(sent.provider).endpoints
        except NotFound:
            endpoints = ()
        for url in endpoints:
            if host_of(url) == sent.host:
                return url + sent.path
        return sent.host.removesuffix(":443") + sent.path

    def _all(self, wanted: RecordFilter) -> Iterator[KeptRecord]:
        offset = 0
        while page := self._records.page(wanted, offset=offset, limit=_EXPORT_ROWS):
            yield from page
            offset += len(page)

    def _not_read(self, error: LockhouseError) -> None:
        self._looking.end(has_failed=True)
        self._timer.stop()  # said once, not every second
        self.failed.emit(error)


def cell(row: RecordRow, column: int) -> str:
    """The text of a cell."""
    return ("", row.time, row.sign.word, row.host, row.purpose, row.sent, row.received)[column]


def _writer(file: TextIO, suffix: str) -> Callable[[KeptRecord], object]:
    if suffix == ".csv":
        table = csv.writer(file)
        table.writerow(("seq", *Record.__struct_fields__))
        return lambda kept: table.writerow((kept.seq, *msgspec.structs.astuple(kept.record)))
    return lambda kept: file.write(
        json.dumps({"seq": kept.seq, **msgspec.structs.asdict(kept.record)}) + "\n"
    )
