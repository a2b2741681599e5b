"""Reads rows out of a damaged database, page by page, without asking SQLite for it.

SQLite stops at the first page that it does not understand. Here each page stands for itself: the
tables are found by following their trees as far as these can be followed, and pages that nothing
leads to any more by the shape of their rows. Hides the file format
(https://www.sqlite.org/fileformat2.html), the write-ahead log included. Never writes.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Value = None | int | float | str | bytes
Row = tuple[Value, ...]
Bytes = bytes | mmap.mmap

_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_LOG_HEAD, _FRAME_HEAD = 32, 24
_MOST_COLUMNS = 200
_MOST_ROW_BYTES = 1 << 30
_PAGE_SIZES = tuple(1 << power for power in range(9, 17))
_USUAL_PAGE_BYTES = 4096
_FIXED = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}  # bytes by serial type


class _BadCellError(ValueError):
    """A cell that is no row of ours."""


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """A table, index or trigger of the file, as its schema describes it."""

    kind: str
    name: str
    table: str
    root: int
    sql: str


@dataclass(frozen=True, slots=True)
class StoredRow:
    """The number of a row, 0 where it has none, and its values as they are stored."""

    number: int
    values: Row


class DamagedFile:
    """What can still be read of a file: ``rows`` by table, and how many pages could not be."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where not even the bytes can be read."""
        data = _bytes_of(path)
        self._page_bytes = _page_bytes(data)
        log = path.with_name(f"{path.name}-wal")
        self._pages = _Pages(data, self._page_bytes, _bytes_of(log) if log.exists() else b"")
        self._unreadable: set[int] = set()
        self._reached: set[int] = set()
        self.schema = tuple(self._entries())

    def rows(self, root: int) -> Iterator[StoredRow]:
        """The rows of a table's tree, as far as it can be followed."""
        seen: set[int] = set()
        open_pages = [root]
        while open_pages:
            number = open_pages.pop()
            if number in seen or not self._pages.has(number):
                continue
            seen.add(number)
            page = _Page(self._pages.get(number), first=number == 1)
            if page.kind in (_INTERIOR_INDEX, _INTERIOR_TABLE):
                open_pages += page.children()
            elif page.kind not in (_LEAF_INDEX, _LEAF_TABLE):
                self._unreadable.add(number)
                continue
            self._reached.add(number)
            if page.kind != _INTERIOR_TABLE:
                yield from self._rows_on(page)

    def stray_rows(self, fits: Callable[[Row], bool]) -> Iterator[StoredRow]:
        """Rows on pages that no tree leads to, where all rows of the page have that shape."""
        for number in range(1, self._pages.count + 1):
            if number in self._reached or not self._pages.has(number):
                continue
            page = _Page(self._pages.get(number), first=number == 1)
            if page.kind != _LEAF_TABLE:
                continue
            found = list(self._rows_on(page))
            if found and all(fits(row.values) for row in found):
                self._reached.add(number)
                yield from found

    @property
    def unreadable_pages(self) -> int:
        """Pages of which nothing could be read although a tree leads to them."""
        return len(self._unreadable)

    def _rows_on(self, page: _Page) -> Iterator[StoredRow]:
        for offset in page.cells():
            try:
                yield self._row(page, offset)
            except (_BadCellError, IndexError, struct.error):
                continue

    def _row(self, page: _Page, offset: int) -> StoredRow:
        number, at = 0, offset
        if page.kind == _INTERIOR_INDEX:
            at += 4
        size, at = _varint(page.data, at)
        if page.kind == _LEAF_TABLE:
            number, at = _varint(page.data, at)
        if not 0 < size <= _MOST_ROW_BYTES:
            raise _BadCellError
        return StoredRow(number, _values(self._payload(page, at, size)))

    def _payload(self, page: _Page, at: int, size: int) -> bytes:
        """The bytes of a row, those on overflow pages included."""
        usable = self._page_bytes
        most = usable - 35 if page.kind == _LEAF_TABLE else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return page.data[at : at + size]
        least = (usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (usable - 4)
        here = here if here <= most else least
        parts = [page.data[at : at + here]]
        (following,) = struct.unpack_from(">I", page.data, at + here)
        left, seen = size - here, {0}
        while left > 0 and following not in seen and self._pages.has(following):
            seen.add(following)
            data = self._pages.get(following)
            parts.append(data[4 : 4 + min(left, usable - 4)])
            left -= usable - 4
            (following,) = struct.unpack_from(">I", data)
        return b"".join(parts)

    def _entries(self) -> Iterator[SchemaEntry]:
        """What page 1 and the pages below it tell of."""
        for values in (row.values for row in self.rows(1)):
            match values:
                case (str(kind), str(name), str(table), int(root), str(sql)):
                    yield SchemaEntry(kind, name, table, root, sql)
                case _:
                    continue


class _Pages:
    """The pages of a file by number, those that wait in its log in place of older ones."""

    def __init__(self, data: Bytes, page_bytes: int, log: Bytes) -> None:
        self._data = data
        self._page_bytes = page_bytes
        self._newer = _committed(log, page_bytes)
        self.count = max(len(data) // page_bytes, *self._newer, 0)

    def has(self, number: int) -> bool:
        """Whether it is there."""
        return number in self._newer or 0 < number <= len(self._data) // self._page_bytes

    def get(self, number: int) -> bytes:
        """One of those that are."""
        if number in self._newer:
            return self._newer[number]
        start = (number - 1) * self._page_bytes
        return self._data[start : start + self._page_bytes]


class _Page:
    """The cells of one page."""

    def __init__(self, data: bytes, *, first: bool) -> None:
        self.data = data
        self._head = 100 if first else 0
        self.kind = data[self._head]

    def cells(self) -> Iterator[int]:
        """Where each cell begins."""
        (count,) = struct.unpack_from(">H", self.data, self._head + 3)
        size = 12 if self.kind in (_INTERIOR_INDEX, _INTERIOR_TABLE) else 8
        for number in range(min(count, len(self.data) // 4)):
            at = self._head + size + 2 * number
            if at + 2 > len(self.data):
                return
            (offset,) = struct.unpack_from(">H", self.data, at)
            if self._head + size <= offset < len(self.data):
                yield offset

    def children(self) -> list[int]:
        """The pages below an interior one, the last first."""
        (last,) = struct.unpack_from(">I", self.data, self._head + 8)
        found = [
            struct.unpack_from(">I", self.data, offset)[0]
            for offset in self.cells()
            if offset + 4 <= len(self.data)
        ]
        return [last, *reversed(found)]


def _bytes_of(path: Path) -> Bytes:
    """The bytes of a file, of which only what is asked for comes into memory."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _page_bytes(data: Bytes) -> int:
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size in _PAGE_SIZES else _USUAL_PAGE_BYTES


def _committed(log: Bytes, page_bytes: int) -> Mapping[int, bytes]:
    """The newest page of each number that a transaction which came to its end wrote."""
    found: dict[int, bytes] = {}
    waiting: dict[int, bytes] = {}
    salt = log[16:24]
    for start in range(
        _LOG_HEAD, len(log) - _FRAME_HEAD - page_bytes + 1, _FRAME_HEAD + page_bytes
    ):
        number, size_after = struct.unpack_from(">II", log, start)
        if log[start + 8 : start + 16] != salt or number == 0:
            break  # of an older use of the log
        waiting[number] = log[start + _FRAME_HEAD : start + _FRAME_HEAD + page_bytes]
        if size_after:
            found.update(waiting)
            waiting.clear()
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count in range(9):
        byte = data[at + count]
        if count == 8:
            return _signed(value << 8 | byte), at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count + 1
    raise _BadCellError


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _values(payload: bytes) -> Row:
    head_bytes, at = _varint(payload, 0)
    if not 0 < head_bytes <= len(payload):
        raise _BadCellError
    kinds: list[int] = []
    while at < head_bytes:
        kind, at = _varint(payload, at)
        kinds.append(kind)
        if kind < 0 or len(kinds) > _MOST_COLUMNS:
            raise _BadCellError
    if at != head_bytes or not kinds:
        raise _BadCellError
    return tuple(_each(payload, head_bytes, kinds))


def _each(payload: bytes, at: int, kinds: Sequence[int]) -> Iterator[Value]:
    for kind in kinds:
        if kind in (10, 11):
            raise _BadCellError
        size = _FIXED[kind] if kind < 10 else (kind - 12) // 2
        data = payload[at : at + size]
        if len(data) < size and kind < 12:
            raise _BadCellError  # a cut text is better than none; a cut number is another one
        at += size
        if kind == 0:
            yield None
        elif kind in (8, 9):
            yield kind - 8
        elif kind == 7:
            yield struct.unpack(">d", data)[0]
        elif kind < 7:
            yield int.from_bytes(data, "big", signed=True)
        elif kind % 2:
            yield data.decode("utf-8", "replace")
        else:
            yield data
