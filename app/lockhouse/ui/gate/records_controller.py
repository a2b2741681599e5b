"""The records as the window reads them: counted, page by page, one opened, exported."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import LockhouseError, NotFound, StorageError
from lockhouse.gate.protocol import Record
from lockhouse.gate.providers import Providers, host_of
from lockhouse.gate.records import KeptRecord, RecordFilter, Records
from lockhouse.gate.sent_requests import Sent, SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.gate.records_table import PAGE_ROWS
from lockhouse.ui.gate.values import Counted, Opened, Page, RecordRow, Told, make_rows
from lockhouse.ui.jobs import Jobs

_LOOK_EVERY_MS = 1000
_EXPORT_ROWS = 5000
_CHANGES = RecordFilter(("sealed", "unsealed"))


class RecordsController(QObject):
    """Looks for new records while somebody looks at them."""

    counted = Signal(object)  # Counted
    page_read = Signal(object)  # Page
    told = Signal(object)  # Told: what the banner says of what was
    opened = Signal(object)  # Opened
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
        super().__init__(parent)
        self._records = records
        self._sent = sent
        self._providers = providers
        self._jobs = jobs
        self._wanted = RecordFilter()
        self._look = 0
        self._last_seq = -1
        self._known_first: int | None = None
        self._first_seq = first_seq
        self._looking = self._again = False
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)

    def follow(self, *, shown: bool) -> None:
        """Look now and then, as long as the page is shown."""
        if shown:
            self.look()
            self._timer.start()
        else:
            self._timer.stop()

    def set_wanted(self, wanted: RecordFilter) -> None:
        """Another filter."""
        self._wanted = wanted
        self._look += 1
        self._last_seq = -1
        self.look()

    def look(self) -> None:
        """Look whether there are new ones; one that is going on is followed by one more."""
        if self._looking:
            self._again = True
            return
        self._looking, self._again = True, False
        look, wanted, known, first = self._look, self._wanted, self._last_seq, self._first_seq()
        known_first, self._known_first = self._known_first, first

        def read() -> tuple[int, Counted, Told] | None:
            last = self._records.last_seq()
            if (last, first) == (known, known_first):
                return None
            whole = self._records.count(RecordFilter())
            total = whole if wanted == RecordFilter() else self._records.count(wanted)
            oldest = self._records.page(RecordFilter(), offset=0, limit=1)
            first_seq = oldest[0].seq if oldest else 0
            return last, Counted(look, total, whole, first_seq), self._tell(first)

        self._jobs.run(read, self._show, self._not_read)

    def read_page(self, look: int, number: int) -> None:
        """Read a page of the filter that is in force."""
        if look != self._look:
            return
        wanted = self._wanted

        def read() -> Page:
            found = self._records.page(wanted, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
            return Page(look, number, make_rows(found, formatting.local_now()))

        def fail(error: LockhouseError) -> None:
            self.page_read.emit(Page(look, number, ()))  # asked for again when it is looked at
            self.failed.emit(error)

        self._jobs.run(read, self.page_read.emit, fail)

    def open(self, row: RecordRow) -> None:
        """Read what left with a record."""

        def read() -> Opened:
            sent = self._sent.of_record(row.record)
            return Opened(row, sent, self._address(sent) if sent is not None else "")

        self._jobs.run(read, self.opened.emit, self.failed.emit)

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

    def export(self, path: Path) -> None:
        """Write the records that the filter takes, as CSV or as JSON lines."""
        wanted = self._wanted

        def write() -> int:
            try:
                with path.open("w", encoding="utf-8", newline="") as file:
                    write_line = _writer(file, path.suffix.lower())
                    count = 0
                    for kept in self._all(wanted):
                        write_line(kept)
                        count += 1
                    return count
            except OSError as error:
                raise StorageError(
                    f"The records could not be written to {path}: {error.strerror}.",
                    hint="Choose a folder that is there, writable and not on a full disk.",
                ) from error

        self._jobs.run(write, lambda count: self.exported.emit(path, count), self.failed.emit)

    # inside

    def _all(self, wanted: RecordFilter) -> Iterator[KeptRecord]:
        offset = 0
        while page := self._records.page(wanted, offset=offset, limit=_EXPORT_ROWS):
            yield from page
            offset += len(page)

    def _tell(self, first_seq: int | None) -> Told:
        """``first_seq`` None: the session has not begun."""
        count = self._records.count(_CHANGES)
        last = self._records.page(_CHANGES, offset=max(0, count - 1), limit=1)
        session = self._records.since(first_seq) if first_seq is not None else None
        return Told(last[0].record if last else None, session)

    def _show(self, found: tuple[int, Counted, Told] | None) -> None:
        self._looking = False
        if found is not None:
            last, counted, told = found
            if counted.look == self._look:
                self._last_seq = last
                self.counted.emit(counted)
            self.told.emit(told)
        if self._again:
            self.look()

    def _not_read(self, error: LockhouseError) -> None:
        self._looking = False
        self._timer.stop()  # said once, not every second
        self.failed.emit(error)


def _writer(file: TextIO, suffix: str) -> Callable[[KeptRecord], object]:
    if suffix == ".csv":
        table = csv.writer(file)
        table.writerow(("seq", *Record.__struct_fields__))
        return lambda kept: table.writerow((kept.seq, *msgspec.structs.astuple(kept.record)))
    return lambda kept: file.write(
        json.dumps({"seq": kept.seq, **msgspec.structs.asdict(kept.record)}) + "\n"
    )
