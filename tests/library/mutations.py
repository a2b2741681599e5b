"""Thousands of broken headers made from sound ones, the same every time.

Bytes are cut, flipped, repeated and moved without regard to what they mean; fields are changed
with regard to it: counts, lengths, types, offsets, extents, alignment. Sources are headers of
models of several shapes with short vocabularies, so that the damage is rarely in the words.

``python -m tests.library.mutations COUNT FOLDER [SEED]`` reads so many, in bounded time, and prints
the processor time of the slowest in seconds, the growth of memory in KiB, and what was refused.
"""

from __future__ import annotations

import json
import os
import random
import resource
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockhouse.core.errors import InvalidInput
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.loadable import check_loadable
from lockhouse.library.starter import starter_model
from tests.library import hostile
from tests.library.hostile import ARRAY, STRING, U32, U64, Entry, Model
from tests.library.synthetic import SHAPES, write

HUGE = (
    1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 33, 1 << 40, (1 << 63) - 1, 1 << 63,
    (1 << 64) - 8, (1 << 64) - 1,
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """The header of a sound file, and how long the file is."""

    name: str
    header: bytes
    size_bytes: int
    model: Model


def sources(starter: Path, folder: Path) -> list[Source]:
    """Sound files of several shapes, as headers."""
    paths = {"starter": hostile.small_model(starter).write(folder / "starter-small.gguf")}
    for name, shape in SHAPES.items():
        plan = shape(vocabulary=256) if name in ("gqa", "moe", "sliding window") else shape()
        paths[name] = write(plan, folder / f"{name.replace(' ', '-')}.gguf")
    found = []
    for name, path in paths.items():
        model = hostile.parse(path)
        header = model.header()
        assert hostile.first_bytes(path, len(header)) == header, f"{name} is written otherwise"
        found.append(Source(name, header, path.stat().st_size, model))
    return found


def mutated(origins: list[Source], count: int, seed: int = 20) -> Iterator[tuple[str, bytes, int]]:
    """Names, headers and sizes of the files to be."""
    chance = random.Random(seed)
    blind = (_cut, _flip_bits, _overwrite, _repeat, _remove, _huge_number, _splice)
    for number in range(count):
        source = chance.choice(origins)
        if number % 2:
            work = chance.choice(blind)
            other = chance.choice(origins)
            header, size = work(source, chance, other)
            kind = work.__name__
        else:
            kind, model = _meaningful(source, chance)
            header, size = model.header(), source.size_bytes
        yield f"{number:04}{kind}-{source.name.replace(' ', '-')}", header, size


def put(path: Path, header: bytes, size_bytes: int) -> Path:
    """The file: what is not header is a hole."""
    path.write_bytes(header[:size_bytes])
    os.truncate(path, size_bytes)
    return path


def _cut(source: Source, chance: random.Random, _other: Source) -> tuple[bytes, int]:
    at = chance.randrange(len(source.header))
    if chance.random() < 0.2:  # within the weights
        at = chance.randrange(len(source.header), source.size_bytes)
    return source.header[:at], at


def _flip_bits(source: Source, chance: random.Random, _other: Source) -> tuple[bytes, int]:
    header = bytearray(source.header)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        header[chance.randrange(len(header))] ^= 1 << chance.randrange(8)
    return bytes(header), source.size_bytes


def _overwrite(source: Source, chance: random.Random, _other: Source) -> tuple[bytes, int]:
    header = bytearray(source.header)
    at, length = chance.randrange(len(header)), chance.choice((1, 4, 8, 64))
    header[at : at + length] = chance.choice((bytes(length), b"\xff" * length))
    return bytes(header), source.size_bytes


def _repeat(source: Source, chance: random.Random, _other: Source) -> tuple[bytes, int]:
    at = chance.randrange(len(source.header))
    length = chance.choice((1, 8, 24, 500))
    piece = source.header[at : at + length]
    return source.header[:at] + piece + source.header[at:], source.size_bytes


def _remove(source: Source, chance: random.Random, _other: Source) -> tuple[bytes, int]:
    at = chance.randrange(len(source.header))
    return source.header[:at] + source.header[at + chance.choice((1, 4, 8, 24, 500)) :], (
        source.size_bytes
    )


def _huge_number(source: Source, chance: random.Random, _other: Source) -> tuple[bytes, int]:
    header = bytearray(source.header)
    at = chance.randrange(4, len(header) - 8)
    header[at : at + 8] = struct.pack("<Q", chance.choice(HUGE))
    return bytes(header), source.size_bytes


def _splice(source: Source, chance: random.Random, other: Source) -> tuple[bytes, int]:
    return (
        source.header[: chance.randrange(len(source.header))]
        + other.header[chance.randrange(len(other.header)) :],
        source.size_bytes,
    )


def _meaningful(source: Source, chance: random.Random) -> tuple[str, Model]:
    work = chance.choice(
        (_counts, _lengths, _types, _values, _offsets, _extents, _alignment, _deep, _twice)
    )
    model = Model(
        entries=[Entry(entry.key, entry.kind, entry.payload) for entry in source.model.entries],
        tensors=[
            hostile.Tensor(tensor.name, list(tensor.shape), tensor.kind, tensor.offset)
            for tensor in source.model.tensors
        ],
    )
    work(model, chance)
    return work.__name__, model


def _counts(model: Model, chance: random.Random) -> None:
    if chance.random() < 0.5:
        model.tensor_count = chance.choice((*HUGE, len(model.tensors) + 1, 0))
    else:
        model.entry_count = chance.choice((*HUGE, len(model.entries) + 1, 0))


def _lengths(model: Model, chance: random.Random) -> None:
    entry = chance.choice([one for one in model.entries if one.kind in (STRING, ARRAY)])
    at = 0 if entry.kind == STRING else 4
    entry.payload = (
        entry.payload[:at] + struct.pack("<Q", chance.choice(HUGE)) + entry.payload[at + 8 :]
    )


def _types(model: Model, chance: random.Random) -> None:
    if chance.random() < 0.5:
        chance.choice(model.entries).kind = chance.randrange(16)
    else:
        chance.choice(model.tensors).kind = chance.choice((4, 5, 31, 43, 999, 1 << 31))


def _values(model: Model, chance: random.Random) -> None:
    entry = chance.choice([one for one in model.entries if one.kind == U32])
    entry.payload = struct.pack("<I", chance.choice((0, 1, 511, 513, 1 << 20, 1 << 31)))


def _offsets(model: Model, chance: random.Random) -> None:
    tensor, other = chance.choice(model.tensors), chance.choice(model.tensors)
    tensor.offset = chance.choice((other.offset, tensor.offset + 1, tensor.offset + 32, *HUGE))


def _extents(model: Model, chance: random.Random) -> None:
    tensor = chance.choice(model.tensors)
    if chance.random() < 0.3:
        tensor.shape = [chance.choice((0, 1, 7, 1 << 33)) for _ in range(chance.randrange(7))]
    else:
        tensor.shape[chance.randrange(len(tensor.shape))] = chance.choice((0, 1, 33, *HUGE))


def _alignment(model: Model, chance: random.Random) -> None:
    value = chance.choice((0, 1, 3, 16, 31, 64, 4096, 1 << 20, 1 << 31))
    model.set("general.alignment", U32, struct.pack("<I", value))


def _deep(model: Model, chance: random.Random) -> None:
    """A list in a list in a list; there is nothing in the format to refer back with."""
    levels = chance.choice((1, 2, 100, 5000))
    payload = struct.pack("<IQ", ARRAY, 1) * levels + struct.pack("<IQ", U64, 0)
    model.entries.insert(chance.randrange(len(model.entries)), Entry(b"x.deep", ARRAY, payload))


def _twice(model: Model, chance: random.Random) -> None:
    if chance.random() < 0.5:
        model.entries.append(chance.choice(model.entries))
    else:
        model.tensors.append(chance.choice(model.tensors))


def read_all(count: int, folder: Path, seed: int) -> tuple[float, int, list[tuple[str, str, str]]]:
    """Processor time of the slowest in s, growth in KiB; name, message and hint of the refused."""

    def peak_kib() -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def spent_s() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_utime

    starter = starter_model()
    assert starter is not None
    origins = sources(starter, folder)
    resource.setrlimit(resource.RLIMIT_CPU, (60 + count // 30, 60 + count // 30))
    slowest_s, before, refused = 0.0, peak_kib(), []
    for name, header, size in mutated(origins, count, seed):
        path = put(folder / f"{name}.gguf", header, size)
        began = spent_s()
        try:
            check_loadable(read_header(path))
        except InvalidInput as error:
            refused.append((name, error.message, error.hint))
        slowest_s = max(slowest_s, spent_s() - began)
        path.unlink()
    return slowest_s, peak_kib() - before, refused


if __name__ == "__main__":
    print(json.dumps(read_all(int(sys.argv[1]), Path(sys.argv[2]), int((*sys.argv, 20)[3]))))
