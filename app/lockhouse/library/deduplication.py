"""Recognising equal files without reading everything: by size, by a sample, and then by hash.

Files of different size differ. Of those that are left a few pieces are read, and only files
whose pieces are equal are hashed, once for each state of a file. What has not been hashed is
never called equal.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.library.file_copy import Meter, hash_metered
from lockhouse.library.gguf.layout import open_regular
from lockhouse.library.inventory import Inventory, Stamp
from lockhouse.library.scanner import Listed

_PIECE_BYTES: Final = 64 << 10
_PIECES: Final = 8


class Uncompared(msgspec.Struct, frozen=True):
    """Files that may be equal to others: to be hashed, and how much reading that takes."""

    paths: tuple[Path, ...]
    size_bytes: int


def uncompared(listed: Sequence[Listed], inventory: Inventory) -> Uncompared:
    """The files that have to be hashed to say what is equal, the smallest first."""
    by_size: dict[tuple[int, ...], list[Listed]] = {}
    for each in listed:
        if each.info.state == "ready":
            sizes = tuple(_size(path) for path in each.copies[0].weights)
            by_size.setdefault(sizes, []).append(each)
    samples = inventory.samples()
    paths: list[tuple[int, Path]] = []
    for sizes, group in by_size.items():
        if len(group) < 2:
            continue
        by_sample: dict[str, list[Listed]] = {}
        for each in group:
            sample = _kept_sample(each.info.path, samples, inventory)
            by_sample.setdefault(sample, []).append(each)
        for sample, alike in by_sample.items():
            if len(alike) > 1 and sample:
                for each in alike:
                    paths += _unhashed(each, sizes, inventory)
    paths.sort()
    return Uncompared(tuple(path for _, path in paths), sum(size for size, _ in paths))


def hash_some(
    found: Uncompared, inventory: Inventory, meter: Meter, limit_bytes: int | None
) -> int:
    """Hash them, up to a limit. Gives the bytes that are left to read."""
    left = found.size_bytes
    done = 0
    for path in found.paths:
        size_bytes = _size(path)
        if limit_bytes is not None and done + size_bytes > limit_bytes:
            return left
        try:
            stamp, digest = hash_metered(path, meter)
        except LockhouseError:
            continue  # it changes or goes at this moment; the next look sees what became of it
        inventory.keep_hash(path, stamp, digest)
        done += size_bytes
        left -= size_bytes
    return max(0, left)


def _unhashed(each: Listed, sizes: Sequence[int], inventory: Inventory) -> list[tuple[int, Path]]:
    weights = each.copies[0].weights
    if len(weights) == 1 and each.info.sha256:
        return []
    known = [inventory.hash_of(path) for path in weights]
    return [
        (size, path)
        for size, path, hashed in zip(sizes, weights, known, strict=True)
        if hashed is None
    ]


def _kept_sample(path: Path, samples: dict[Path, tuple[Stamp, str]], inventory: Inventory) -> str:
    try:
        stamp = Stamp.of(path.stat())
        kept = samples.get(path)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        sample = sample_of(path)
    except (OSError, LockhouseError):
        return ""
    inventory.keep_sample(path, stamp, sample)
    return sample


def sample_of(path: Path) -> str:
    """A hash of a few pieces of a file: its beginning, its end and some between."""
    descriptor = open_regular(path)
    try:
        size_bytes = os.fstat(descriptor).st_size
        digest = hashlib.sha256(size_bytes.to_bytes(8, "little"))
        last = max(0, size_bytes - _PIECE_BYTES)
        for number in range(_PIECES):
            os.lseek(descriptor, last * number // (_PIECES - 1), os.SEEK_SET)
            digest.update(os.read(descriptor, _PIECE_BYTES))
        return digest.hexdigest()
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
