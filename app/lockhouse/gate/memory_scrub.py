"""Erases a key from this process's memory, as well as Python allows.

Strings cannot be emptied, and freed memory keeps its contents until it is used again. So it is
used at once: blocks of every small size are allocated, overwritten and freed. That reaches freed
memory, not what is still referenced, nor copies that the system made, such as in swap.
"""

from __future__ import annotations

import ctypes
import sys

_STEP_BYTES = 16
_MOST_BYTES = 1040  # larger ones than any copy of a key
_PYTHON_BYTES = 512  # up to here Python manages memory itself
_BLOCKS = 96  # of each size


def overwrite_freed_memory() -> None:
    """Overwrite the small blocks that this process and this thread have freed. Takes some ms."""
    held: list[object] = []
    for size in range(_STEP_BYTES, _PYTHON_BYTES, _STEP_BYTES):
        held += [bytes([size & 0xFF]) * size for _ in range(_BLOCKS)]
    held.clear()
    if sys.platform == "win32":
        return
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.free.restype = None
    for size in range(_STEP_BYTES + 8, _MOST_BYTES, _STEP_BYTES):
        blocks = [found for _ in range(_BLOCKS) if (found := libc.malloc(size))]
        for block in blocks:
            ctypes.memset(block, 0x5A, size)
        for block in blocks:
            libc.free(block)
