"""GGUF files: their headers, whether they can be loaded, and the memory they take."""

from __future__ import annotations

from lockhouse.library.gguf.header import GgufHeader, read_header, read_header_start
from lockhouse.library.gguf.layout import NeedMore, TensorInfo, Unread, Vocabulary
from lockhouse.library.gguf.loadable import check_loadable, shard_paths
from lockhouse.library.gguf.memory import (
    LoadShape,
    MemoryEstimate,
    estimate_memory,
    kv_cache_bytes,
    largest_context,
)
from lockhouse.library.gguf.shape import Shape, weights_bytes

__all__ = [
    "GgufHeader",
    "LoadShape",
    "MemoryEstimate",
    "NeedMore",
    "Shape",
    "TensorInfo",
    "Unread",
    "Vocabulary",
    "check_loadable",
    "estimate_memory",
    "kv_cache_bytes",
    "largest_context",
    "read_header",
    "read_header_start",
    "shard_paths",
    "weights_bytes",
]
