"""Finds identical copies of models without reading everything: by size, by sample, then by hash.

Files of different size differ. Of the others a few pieces are read, and only files whose pieces
are equal are hashed, once for each state of a file. Only hashed files are called identical.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lockhouse.core.errors import LockhouseError
from lockhouse.library.file_copy import Meter, hash_metered
from lockhouse.library.gguf.layout import reading
from lockhouse.library.inventory import Inventory, Stamp, size_of
from lockhouse.library.scanner import ListedModel

_PIECE_BYTES: Final = 64 << 10
_PIECES: Final = 8


def files_to_compare(listed: Sequence[ListedModel], inventory: Inventory) -> list[tuple[int, Path]]:
    """Size and path of the files that have to be hashed to find copies, the smallest first."""
    by_size: dict[tuple[int, ...], list[ListedModel]] = {}
    for each in listed:
        if each.info.state == "ready":
            sizes = tuple(size_of(path) for path in each.copies[0].weights)
            by_size.setdefault(sizes, []).append(each)
    samples = inventory.samples()
    files: list[tuple[int, Path]] = []
    for sizes, group in by_size.items():
        if len(group) < 2:
            continue
        by_sample: dict[str, list[ListedModel]] = {}
        for each in group:
            sample = _cached_sample(each.info.path, samples, inventory)
            by_sample.setdefault(sample, []).append(each)
        for sample, alike in by_sample.items():
            if len(alike) > 1 and sample:
                for each in alike:
                    files += _unhashed(each, sizes, inventory)
    return sorted(files)


def hash_files(
    files: Sequence[tuple[int, Path]], inventory: Inventory, meter: Meter, limit_bytes: int
) -> int:
    """Hash them, up to a limit. Returns how many bytes are left to read."""
    left = sum(size_bytes for size_bytes, _ in files)
    for size_bytes, path in files:
        if size_bytes > limit_bytes:
            break
        try:
            stamp, digest = hash_metered(path, meter)
        except LockhouseError:
            continue  # it is being changed or deleted; the next scan sees the result
        inventory.keep_hash(path, stamp, digest)
        limit_bytes -= size_bytes
        left -= size_bytes
    return left


def _unhashed(
    each: ListedModel, sizes: Sequence[int], inventory: Inventory
) -> list[tuple[int, Path]]:
    weights = each.copies[0].weights
    if len(weights) == 1 and each.info.sha256:
        return []
    known = [inventory.hash_of(path) for path in weights]
    return [
        (size, path)
        for size, path, hashed in zip(sizes, weights, known, strict=True)
        if hashed is None
    ]


def _cached_sample(path: Path, samples: dict[Path, tuple[Stamp, str]], inventory: Inventory) -> str:
    try:
        stamp = Stamp.of(path.stat())
        cached = samples.get(path)
        if cached is not None and cached[0] == stamp:
            return cached[1]
        sample = sample_of(path)
    except (OSError, LockhouseError):
        return ""
    inventory.keep_sample(path, stamp, sample)
    return sample


def sample_of(path: Path) -> str:
    """A hash of a few pieces of a file: its beginning, its end and some between."""
    with reading(path) as descriptor:
        size_bytes = os.fstat(descriptor).st_size
        digest = hashlib.sha256(size_bytes.to_bytes(8, "little"))
        last = max(0, size_bytes - _PIECE_BYTES)
        for number in range(_PIECES):
            os.lseek(descriptor, last * number // (_PIECES - 1), os.SEEK_SET)
            digest.update(os.read(descriptor, _PIECE_BYTES))
        return digest.hexdigest()
