"""What the program may ask the broker about a hub of models, and what it answers.

Values only: both sides of the channel import them, neither learns of the other's means.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Gated = Literal["", "auto", "manual"]
Capability = Literal["", "chat", "reasoning", "vision", "embedding", "tools"]
Sort = Literal["downloads", "likes", "updated", "created", "trending"]


class CheckHubKey(msgspec.Struct, frozen=True):
    """Ask the hub whose the key is; what it says of that is not passed on. Answered by Done."""


class HubModel(msgspec.Struct, frozen=True):
    """One entry of a search. Empty text and 0 stand for what the hub does not say."""

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
    """One GGUF file of a repository. ``name`` is its path in it."""

    name: str
    size_bytes: int
    sha256: str = ""  # of files in large-file storage, which all but tiny ones are
    quantization: str = ""
    shard_index: int = 0  # from 0
    shard_count: int = 1
    is_projector: bool = False
    blob_id: str = ""  # the git object, which stands in where there is no sha256


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
    """Find repositories that hold GGUF files."""

    words: str
    limit: int = 30
    license: str = ""
    capability: Capability = ""
    language: str = ""
    sort: Sort = "downloads"


class SearchResults(msgspec.Struct, frozen=True, tag="hub_results"):
    """What was found, in the hub's order."""

    models: tuple[HubModel, ...]


class ReadRepo(msgspec.Struct, frozen=True, tag="hub_repo"):
    """Look at one repository; ``revision`` is a branch, a tag or a commit."""

    repo: str
    revision: str = "main"


class RepoRead(msgspec.Struct, frozen=True, tag="hub_repo_read"):
    """The repository."""

    repo: HubRepo


class ReadCard(msgspec.Struct, frozen=True, tag="hub_card"):
    """Read a repository's model card."""

    repo: str
    revision: str


class CardRead(msgspec.Struct, frozen=True, tag="hub_card_read"):
    """The card in Markdown, without its metadata; cut at a limit."""

    markdown: str


class ReadStart(msgspec.Struct, frozen=True, tag="hub_start"):
    """Read the first bytes of a file, where its header lies."""

    repo: str
    file: str
    revision: str
    count: int


class StartRead(msgspec.Struct, frozen=True, tag="hub_start_read"):
    """The bytes; fewer than asked for when the file is shorter."""

    data: bytes


class LimitSpeed(msgspec.Struct, frozen=True, tag="hub_limit"):
    """From now on all fetches together take so many bytes a second; 0 is as many as come."""

    bytes_per_s: int


class SpeedLimited(msgspec.Struct, frozen=True, tag="hub_limited"):
    """The limit is in force."""

    bytes_per_s: int


class FetchFile(msgspec.Struct, frozen=True, tag="hub_fetch"):
    """Write the bytes ``start`` to ``end`` of a file into the descriptor that comes along.

    ``revision`` is a commit: parts fetched on different days are of one file. ``size_bytes``
    and ``sha256`` are what the hub said of it before; ``etag`` is what the server called it when
    the first part came.
    """

    repo: str
    file: str
    revision: str
    size_bytes: int
    sha256: str
    start: int
    end: int
    write_at: int  # where in the descriptor's file the first byte belongs
    etag: str = ""
    idle_timeout_s: float = 30.0


class FetchProgress(msgspec.Struct, frozen=True, tag="hub_progress"):
    """So many bytes of this fetch are written; told about ten times a second."""

    written_bytes: int


FetchEnd = Literal["complete", "cut", "stalled", "no range", "changed", "busy", "failed"]


class Fetched(msgspec.Struct, frozen=True, tag="hub_fetched"):
    """How a fetch ended. What was written before is in the file, whatever the end.

    "no range": the server would only send the whole file, and nothing was written.
    "changed": the server has another file under this name now, and nothing was written.
    "busy" and "failed": it refused for the moment; ``retry_after_s`` when it said for how long.
    """

    end: FetchEnd
    written_bytes: int
    etag: str = ""
    detail: str = ""
    retry_after_s: float = 0.0
