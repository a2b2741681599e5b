"""Requests to the broker about a model hub, and their replies.

Values only, used at both ends of the channel.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Gated = Literal["", "auto", "manual"]
Capability = Literal["", "chat", "reasoning", "vision", "embedding", "tools"]
Sort = Literal["downloads", "likes", "updated", "created", "trending"]


class CheckHubKey(msgspec.Struct, frozen=True):
    """Ask the hub whether it accepts the key. Its account data is dropped. Reply: Done."""


class HubModel(msgspec.Struct, frozen=True):
    """One search result. Empty text and 0 where the hub says nothing."""

    repo: str
    author: str = ""
    title: str = ""
    downloads: int = 0
    likes: int = 0
    license: str = ""
    tags: tuple[str, ...] = ()
    updated_at: str = ""  # ISO 8601 with zone
    gated: Gated = ""
    parameters: int = 0
    architecture: str = ""
    context_length: int = 0


class HubFile(msgspec.Struct, frozen=True):
    """One GGUF file of a repository. ``name`` is its path in the repository."""

    name: str
    size_bytes: int
    sha256: str = ""  # of files in large-file storage, as all but tiny ones are
    quantization: str = ""
    shard_index: int = 0  # from 0
    shard_count: int = 1
    is_projector: bool = False
    blob_id: str = ""  # the git object, used where there is no sha256


class HubRepo(msgspec.Struct, frozen=True):
    """A repository at one commit."""

    repo: str
    revision: str  # the commit
    license: str = ""
    gated: Gated = ""
    files: tuple[HubFile, ...] = ()
    parameters: int = 0
    architecture: str = ""
    context_length: int = 0
    base_model: str = ""
    languages: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    updated_at: str = ""
    license_url: str = ""
    url: str = ""  # of its page


class SearchHub(msgspec.Struct, frozen=True, tag="hub_search"):
    """Find repositories that hold GGUF files. Reply: tuple of HubModel, in the hub's order."""

    words: str
    limit: int = 30
    license: str = ""
    capability: Capability = ""
    language: str = ""
    sort: Sort = "downloads"


class ReadRepo(msgspec.Struct, frozen=True, tag="hub_repo"):
    """Read one repository; ``revision`` is a branch, a tag or a commit. Reply: HubRepo."""

    repo: str
    revision: str = "main"


class ReadCard(msgspec.Struct, frozen=True, tag="hub_card"):
    """Read a repository's model card. Reply: its Markdown, truncated at a limit."""

    repo: str
    revision: str


class ReadStart(msgspec.Struct, frozen=True, tag="hub_start"):
    """Read the first bytes of a file, which hold its header. Reply: the bytes."""

    repo: str
    file: str
    revision: str
    count: int


class LimitSpeed(msgspec.Struct, frozen=True, tag="hub_limit"):
    """Limit all downloads together to so many bytes a second; 0 is no limit. Reply: Done."""

    bytes_per_s: int


class FetchFile(msgspec.Struct, frozen=True, tag="hub_fetch"):
    """Write the bytes ``start`` to ``end`` of a file into the open file that is passed along.

    ``revision`` is a commit, so that parts fetched on different days belong to one file.
    ``size_bytes`` and ``sha256`` are what the hub said before; ``etag`` is the server's, from
    the first part.
    """

    repo: str
    file: str
    revision: str
    size_bytes: int
    sha256: str
    start: int
    end: int
    write_at: int  # offset of the first byte in the open file
    etag: str = ""
    idle_timeout_s: float = 30.0


class FetchProgress(msgspec.Struct, frozen=True, tag="hub_progress"):
    """Bytes written so far; sent about ten times a second."""

    written_bytes: int


FetchEnd = Literal["complete", "cut", "stalled", "no range", "changed", "busy", "failed"]


class Fetched(msgspec.Struct, frozen=True, tag="hub_fetched"):
    """How a download ended. What was written before stays in the file in any case.

    "no range": the server sends the whole file only; nothing was written.
    "changed": the server has another file under this name now; nothing was written.
    "busy" and "failed": it refused for now; ``retry_after_s`` where it said for how long.
    """

    end: FetchEnd
    written_bytes: int
    etag: str = ""
    detail: str = ""
    retry_after_s: float = 0.0
