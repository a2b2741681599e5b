"""Reads the bytes of a GGUF header without trusting any of them.

A small window moves over the file with plain reads (a memory map would kill the process if another
program truncated the file), every count and length is checked against the size of the file before
anything is allocated, and what is not needed (merges, scores, token types) is skipped. The weights
are never read.
"""

from __future__ import annotations

import math
import os
import re
import stat
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.library.gguf.types import ARRAY, SCALAR_FORMATS, STRING, TENSOR_TYPES

_WINDOW_BYTES: Final = 1 << 20
_MAX_METADATA: Final = 10_000
_MAX_TENSORS: Final = 65_536
_MAX_NAME_BYTES: Final = 65_535
_MAX_TENSOR_NAME_BYTES: Final = 63  # llama.cpp's own limit
_MAX_KEPT_TEXT_BYTES: Final = 1 << 20
_MAX_KEPT_TOTAL_BYTES: Final = 32 << 20
_MAX_KEPT_ITEMS: Final = 4096
_MAX_VOCABULARY_BYTES: Final = 16 << 20  # the largest known takes six
_MAX_TOKENS: Final = 500_000  # nearly twice the largest known
_MAX_ELEMENTS: Final = 1 << 63
_SHORT, _RUN = 64, 128  # bytes of a string, strings stepped over at once
_MAX_STRINGS: Final = 2_000_000  # in all arrays; the largest known vocabulary has 0.8 million
_TOKENS_KEY: Final = "tokenizer.ggml.tokens"
_DAMAGED_HINT: Final = "The file is damaged or is not a real model. Download it again."

_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_TAILS: Final = tuple(struct.Struct(f"<I{count}QIQ") for count in range(5))
"""What follows a tensor's name: dimensions, extents, type and offset."""
_SCALARS: Final = {kind: struct.Struct("<" + fmt) for kind, fmt in SCALAR_FORMATS.items()}


class Unread(msgspec.Struct, frozen=True):
    """A value that was skipped: a long array, or a text too long to keep."""

    count: int  # items of an array, bytes of a text
    is_text: bool = False


Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...] | Unread


class TensorInfo(msgspec.Struct, frozen=True, gc=False):
    """One tensor of the table."""

    name: str
    type_name: str
    shape: tuple[int, ...]
    elements: int
    size_bytes: int
    offset: int  # from the start of the data


class Vocabulary(msgspec.Struct, frozen=True):
    """The number of tokens, and their position in the file."""

    count: int
    offset: int
    size_bytes: int


class Layout(msgspec.Struct, frozen=True):
    """The content of a header, not yet interpreted."""

    path: Path
    size_bytes: int
    version: int
    alignment: int
    key_values: dict[str, Value]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    vocabulary: Vocabulary | None


def shown(path: Path) -> str:
    """The name of a file as printable text, whatever bytes it has."""
    return os.fsencode(path.name or str(path)).decode("utf-8", "replace")


def open_regular(path: Path) -> int:
    """A descriptor of ``path``, which is a regular, readable, non-empty file.

    Checks before it opens: opening a FIFO would wait for a writer.
    """
    try:
        _refuse_special(path, path.stat())
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError as error:
        raise NotFound(
            f"{shown(path)} does not exist.",
            hint="Check the path; the file may have been moved or deleted.",
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path is not valid"
        raise InvalidInput(
            f"{shown(path)} cannot be read: {reason}.",
            hint="Check who owns the file and that its disk is there.",
        ) from error
    try:
        _refuse_special(path, os.fstat(descriptor))
    except InvalidInput:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """The same within; InvalidInput when its disk fails."""
    descriptor = open_regular(path)
    try:
        yield descriptor
    except OSError as error:
        raise InvalidInput(
            f"{shown(path)} cannot be read: {error.strerror}.",
            hint="Check that its disk is there and healthy.",
        ) from error
    finally:
        os.close(descriptor)


def _refuse_special(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise InvalidInput(
            f"{shown(path)} is a folder, not a model file.",
            hint="Choose a file ending in .gguf inside it.",
        )
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(
            f"{shown(path)} is not a regular file.",
            hint="Models are read from ordinary files, never from pipes or devices.",
        )
    if status.st_size == 0:
        raise InvalidInput(
            f"{shown(path)} is empty.", hint="The download may have failed. Download it again."
        )


class NeedMore(Exception):
    """The header is longer than the given bytes; ``size_bytes`` are needed."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the first {size_bytes} bytes are needed")
        self.size_bytes = size_bytes


def read_layout(path: Path) -> Layout:
    """The header of the file; InvalidInput that says where it is invalid."""
    with reading(path) as descriptor:

        def read_at(offset: int, count: int) -> bytes:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, count)

        return _Reader(path, read_at, os.fstat(descriptor).st_size).read()


def read_layout_start(data: bytes, total_bytes: int, path: Path) -> Layout:
    """The header of a file of which only the first bytes are given; NeedMore when too few.

    ``path`` is its name in errors, ``total_bytes`` its stated length.
    """

    def read_at(offset: int, count: int) -> bytes:
        piece = data[offset : offset + count]
        if not piece and offset < total_bytes:
            raise NeedMore(min(total_bytes, max(offset + count, 2 * len(data))))
        return piece

    return _Reader(path, read_at, total_bytes).read()


@cache
def _short_strings() -> re.Pattern[bytes]:
    """``_RUN`` strings in a row, none longer than ``_SHORT`` bytes, lengths of words first."""
    lengths = [*range(3, 13), 2, 1, *range(13, _SHORT + 1), 0]
    either = b"|".join(re.escape(_U64.pack(length)) + b"." * length for length in lengths)
    return re.compile(b"(?s:(?:%s){%d}+)" % (either, _RUN))


class _Reader:
    """A cursor over the file, and the grammar of a header."""

    def __init__(self, path: Path, read_at: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._path = path
        self._read_at = read_at
        self._size = size_bytes
        self._window = b""
        self._window_start = 0
        self._at = 0  # absolute
        self._strings_left = _MAX_STRINGS
        self._kept_bytes = 0
        self._vocabulary: Vocabulary | None = None

    def read(self) -> Layout:
        version, tensor_count, metadata_count = self._read_preamble()
        key_values: dict[str, Value] = {}
        for index in range(metadata_count):
            key = self._name(f"the name of metadata entry {index}", _MAX_NAME_BYTES)
            if not key:
                self._refuse(f"metadata entry {index} has no name")
            if key in key_values:
                self._refuse(f'the metadata entry "{key[:80]}" occurs twice')
            key_values[key] = self._value(key)
        alignment = self._alignment(key_values)
        tensors = self._tensors(tensor_count, alignment)
        data_offset = -(-self._at // alignment) * alignment
        self._check_extent(tensors, data_offset)
        return Layout(
            path=self._path,
            size_bytes=self._size,
            version=version,
            alignment=alignment,
            key_values=key_values,
            tensors=tensors,
            data_offset=data_offset,
            vocabulary=self._vocabulary,
        )

    def _refuse(self, what: str, *, hint: str = _DAMAGED_HINT) -> NoReturn:
        raise InvalidInput(f"{shown(self._path)} is not a usable model: {what}.", hint=hint)

    # The window

    def _ensure(self, count: int, what: str) -> int:
        """Have ``count`` bytes from the cursor in the window; return their index there."""
        if count > self._size - self._at:
            self._refuse(
                f"the file ends inside {what}",
                hint="It is incomplete, perhaps an unfinished download. Download it again.",
            )
        index = self._at - self._window_start
        if index < 0 or index + count > len(self._window):
            self._window = self._read_fully(max(count, _WINDOW_BYTES), count)
            self._window_start = self._at
            index = 0
            if len(self._window) < count:
                self._refuse(f"the file became shorter while {what} was read")
        return index

    def _read_fully(self, count: int, least: int) -> bytes:
        """Up to ``count`` bytes from the cursor, and ``least`` unless the file has shrunk."""
        wanted = min(count, self._size - self._at)
        window = self._read_at(self._at, wanted)
        while len(window) < least:
            piece = self._read_at(self._at + len(window), least - len(window))
            if not piece:
                break
            window += piece
        return window

    def _take(self, count: int, what: str) -> bytes:
        index = self._ensure(count, what)
        self._at += count
        return self._window[index : index + count]

    def _u32(self, what: str) -> int:
        index = self._ensure(4, what)
        self._at += 4
        number: int = _U32.unpack_from(self._window, index)[0]
        return number

    def _u64(self, what: str) -> int:
        index = self._ensure(8, what)
        self._at += 8
        number: int = _U64.unpack_from(self._window, index)[0]
        return number

    def _skip(self, count: int, what: str) -> None:
        if count > self._size - self._at:
            self._refuse(f"{what} claims {count} bytes, more than the file holds")
        self._at += count

    def _keep(self, count: int) -> None:
        self._kept_bytes += count
        if self._kept_bytes > _MAX_KEPT_TOTAL_BYTES:
            self._refuse("its metadata is larger than any model needs")

    # The grammar

    def _read_preamble(self) -> tuple[int, int, int]:
        magic = self._take(min(4, self._size), "the first four bytes")
        if magic != b"GGUF":
            self._refuse(
                "it does not begin with the letters GGUF",
                hint="Lockhouse runs models in the GGUF format; this file is something else.",
            )
        version = self._u32("the version number")
        if version & 0xFFFF == 0 and version != 0:
            self._refuse(
                "it was written for big-endian machines",
                hint="Download the little-endian file of this model.",
            )
        if version not in (2, 3):
            self._refuse(
                f"its format version is {version}, and only 2 and 3 are known",
                hint="An old file must be converted again; a newer one needs a newer Lockhouse.",
            )
        tensor_count = self._u64("the number of tensors")
        metadata_count = self._u64("the number of metadata entries")
        # The smallest entry takes 13 bytes, the smallest tensor 24.
        if metadata_count > _MAX_METADATA or metadata_count * 13 > self._size:
            self._refuse(f"it claims {metadata_count} metadata entries")
        if tensor_count > _MAX_TENSORS or tensor_count * 24 > self._size:
            self._refuse(f"it claims {tensor_count} tensors")
        return version, tensor_count, metadata_count

    def _name(self, what: str, limit: int) -> str:
        length = self._u64(f"the length of {what}")
        if length > limit:
            self._refuse(f"{what} claims {length} bytes")
        try:
            return self._take(length, what).decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(f"{what} is not valid text")

    def _value(self, key: str) -> Value:
        label = f'"{key[:80]}"'
        kind = self._u32(f"the type of {label}")
        if kind == STRING:
            return self._text(label)
        if kind == ARRAY:
            return self._array(key, label)
        if kind not in _SCALARS:
            self._refuse(f"{label} has the unknown type {kind}")
        scalar = _SCALARS[kind]
        value: Scalar = scalar.unpack(self._take(scalar.size, label))[0]
        return value

    def _text(self, label: str) -> str | Unread:
        length = self._u64(f"the length of {label}")
        if length > _MAX_KEPT_TEXT_BYTES:
            self._skip(length, label)
            return Unread(length, is_text=True)
        self._keep(length)
        return self._take(length, label).decode("utf-8", "replace")

    def _array(self, key: str, label: str) -> Value:
        kind = self._u32(f"the item type of {label}")
        count = self._u64(f"the item count of {label}")
        if kind == STRING:
            return self._string_array(key, label, count)
        if kind not in _SCALARS:
            self._refuse(f"{label} is a list of the unknown type {kind}")
        size = count * _SCALARS[kind].size
        if count > _MAX_KEPT_ITEMS:
            self._skip(size, label)
            return Unread(count)
        self._keep(size)
        items: tuple[Scalar, ...] = struct.unpack(
            f"<{count}{SCALAR_FORMATS[kind]}", self._take(size, label)
        )
        return items

    def _string_array(self, key: str, label: str, count: int) -> Value:
        if count * 8 > self._size - self._at or count > self._strings_left:
            self._refuse(f"{label} claims {count} items")
        self._strings_left -= count
        if count <= _MAX_KEPT_ITEMS:
            begin = self._at
            items = self._strings(label, count)
        else:
            begin = self._at
            items = None
            self._skip_strings(label, count)
        if key == _TOKENS_KEY:
            size = self._at - begin
            if size > _MAX_VOCABULARY_BYTES or count > _MAX_TOKENS:
                self._refuse("its vocabulary is larger than any model needs")
            self._vocabulary = Vocabulary(count, begin, size)
        return Unread(count) if items is None else items

    def _strings(self, label: str, count: int) -> tuple[str, ...]:
        items = []
        for _ in range(count):
            length = self._u64(label)
            if length > _MAX_KEPT_TEXT_BYTES:
                self._refuse(f"an item of {label} claims {length} bytes")
            self._keep(length)
            items.append(self._take(length, label).decode("utf-8", "replace"))
        return tuple(items)

    def _skip_strings(self, label: str, count: int) -> None:
        """Skip ``count`` strings; the hot loops read only lengths.

        Runs of short strings are matched by one expression. The end of the window shows as an
        exception, a length beyond the file at the next bounds check: neither is checked for every
        string.
        """
        unpack, short_strings = _U64.unpack_from, _short_strings().match
        left = count
        while left:
            index = self._ensure(8, label)
            window, begin = self._window, index
            try:
                while left:
                    while left >= _RUN and (run := short_strings(window, index)):
                        index = run.end()
                        left -= _RUN
                    for _ in range(min(left, _RUN)):
                        (length,) = unpack(window, index)
                        index += 8 + length
                        left -= 1
            except (struct.error, OverflowError):
                pass  # the next string begins beyond the window
            self._skip(index - begin, f"the length of an item of {label}")

    def _alignment(self, key_values: dict[str, Value]) -> int:
        alignment = key_values.get("general.alignment", 32)
        if not isinstance(alignment, int) or isinstance(alignment, bool):
            self._refuse("its alignment is not a number")
        if not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
            self._refuse(f"its alignment is {alignment}, not a power of two")
        return alignment

    def _tensors(self, count: int, alignment: int) -> tuple[TensorInfo, ...]:
        tensors: list[TensorInfo] = []
        expected = 0
        while len(tensors) < count:
            expected = self._plain_tensors(tensors, count, alignment, expected)
            if len(tensors) == count:
                break
            # At the edge of the window, or invalid: read field by field, which finds the problem.
            tensor = self._tensor(len(tensors))
            if tensor.offset != expected:
                self._refuse(
                    f'the tensor "{tensor.name}" is stated to be at {tensor.offset}, '
                    f"but the one before it ends at {expected}"
                )
            expected += -(-tensor.size_bytes // alignment) * alignment
            tensors.append(tensor)
        if len({tensor.name for tensor in tensors}) < count:
            name = Counter(tensor.name for tensor in tensors).most_common(1)[0][0]
            self._refuse(f'the tensor "{name}" occurs twice')
        return tuple(tensors)

    def _plain_tensors(
        self, tensors: list[TensorInfo], count: int, alignment: int, expected: int
    ) -> int:
        """Add the tensors that are wholly in the window and valid.

        Returns where the data of the next one has to begin. Stops before anything unusual.
        """
        index = self._ensure(min(8, self._size - self._at), "the tensors")
        window, begin = self._window, index
        read_length, tails, types = _U64.unpack_from, _TAILS, TENSOR_TYPES
        add, prod = tensors.append, math.prod
        round_up = alignment - 1
        try:
            for _ in range(count - len(tensors)):
                (length,) = read_length(window, index)
                end = index + 8 + length
                if length > _MAX_TENSOR_NAME_BYTES:
                    break
                tail = tails[window[end]]
                fields = tail.unpack_from(window, end)
                shape = fields[1:-2]
                type_name, block_elements, block_bytes = types[fields[-2]]
                elements = prod(shape)
                if (
                    fields[-1] != expected
                    or fields[0] != len(shape)
                    or elements >= _MAX_ELEMENTS
                    or (shape and shape[0] % block_elements)
                ):
                    break
                name = window[index + 8 : end].decode()
                size = elements // block_elements * block_bytes
                add(TensorInfo(name, type_name, shape, elements, size, expected))
                expected += (size + round_up) & ~round_up
                index = end + tail.size
        except (struct.error, OverflowError, LookupError, UnicodeDecodeError):
            pass
        self._at += index - begin
        return expected

    def _tensor(self, index: int) -> TensorInfo:
        name = self._name(f"the name of tensor {index}", _MAX_TENSOR_NAME_BYTES)
        label = f'the tensor "{name}"'
        dimensions = self._u32(label)
        if dimensions > 4:
            self._refuse(f"{label} claims {dimensions} dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions, label))
        kind = self._u32(label)
        offset = self._u64(label)
        if kind not in TENSOR_TYPES:
            self._refuse(
                f"{label} has the unknown type {kind}",
                hint="A newer Lockhouse may know it; otherwise the file is damaged.",
            )
        type_name, block_elements, block_bytes = TENSOR_TYPES[kind]
        elements = 1
        for extent in shape:
            elements *= extent
        if elements >= _MAX_ELEMENTS:
            self._refuse(f"{label} claims an impossible size")
        if shape and shape[0] % block_elements:
            self._refuse(f"the rows of {label} do not fit its type {type_name}")
        size_bytes = elements // block_elements * block_bytes
        return TensorInfo(name, type_name, shape, elements, size_bytes, offset)

    def _check_extent(self, tensors: tuple[TensorInfo, ...], data_offset: int) -> None:
        if not tensors:
            return
        needed = data_offset + tensors[-1].offset + tensors[-1].size_bytes
        if needed > self._size:
            self._refuse(
                f"its weights need {needed} bytes and the file has {self._size}",
                hint="It is incomplete, perhaps an unfinished download. Download it again.",
            )
