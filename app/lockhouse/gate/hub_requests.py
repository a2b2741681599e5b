"""Requests to the broker about a model hub, and their replies: values for both ends of the channel.

And the ways to name a model on a hub: a name, a pasted address, a link from a page. Parsing only
reads the text; the hub knows whether the model exists.
"""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from lockhouse.core.errors import UsageMistake

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
    token_refused: bool = False  # the hub did not accept the user's token; it was left out


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


# --- references ---


_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_REPO: Final = re.compile(rf"{_PART}/{_PART}")
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_QUANTIZATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_PROGRAM_LINKS: Final = frozenset({"lockhouse", "lmstudio", "sanctum", "msty", "jan", "jellybox"})
_FILE_VERBS: Final = frozenset({"blob", "resolve", "raw"})
_LONGEST: Final = 2048
_FORMS: Final = (
    "Write it as org/repo, org/repo:Q4_K_M or org/repo:file.gguf, optionally with @revision,"
    " or paste the address of its page."
)


class Reference(msgspec.Struct, frozen=True):
    """A repository and the part of it that is meant. Empty: not given."""

    repo: str
    file: str = ""
    quantization: str = ""
    revision: str = "main"


def parse_reference(text: str) -> Reference:
    """Parse a reference. Raises UsageMistake, which lists the valid forms."""
    text = text.strip()
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise _not_one(text)
    scheme = urlsplit(text).scheme.lower() if "://" in text else ""
    if scheme in ("http", "https"):
        return _from_address(text)
    if scheme in _PROGRAM_LINKS:
        return _from_link(text)
    if scheme == "hf":
        text = text[len("hf://") :]
    elif scheme:
        raise _not_one(text)
    text = text.removeprefix("hf.co/").removeprefix("huggingface.co/")
    if "/" not in text:
        raise _not_one(text)
    return _from_words(text)


def is_safe_file(name: str) -> bool:
    """Whether a name from a hub stays inside the folder it is written to, on every system."""
    parts = name.split("/")
    return (
        len(name) <= 512
        and name.isprintable()
        and not set(name) & set('\\:*?"<>|')
        and all(part and part[0] not in ". " and part[-1] not in ". " for part in parts)
    )


def is_repo(name: str) -> bool:
    """Whether this is a valid name of a repository."""
    return len(name) <= 200 and _REPO.fullmatch(name) is not None and ".." not in name


def _from_words(text: str) -> Reference:
    before, _, revision = text.partition("@")
    repo, _, part = before.partition(":")
    if part == "latest":  # as Ollama writes it where no tag is meant
        before, part = repo, ""
    if text.count("@") == 1 and not revision:
        raise _not_one(text)
    if ":" in before and not part:
        raise _not_one(text)
    return _checked(text, repo=repo, part=part, revision=revision)


def _from_address(text: str) -> Reference:
    """The address of a model's page, a file's page or a file, on any hub."""
    address = urlsplit(text)
    parts = [unquote(part) for part in address.path.split("/") if part]
    if parts[:2] == ["api", "models"]:
        parts = parts[2:]
    if parts and parts[0] in ("datasets", "spaces", "buckets", "collections", "papers"):
        raise UsageMistake(
            f"{text} is not the address of a model.",
            hint="Open the model's page and copy that.",
        )
    if len(parts) < 2:
        raise _not_one(text)
    repo = "/".join(parts[:2])
    rest = parts[2:]
    shown = parse_qs(address.query).get("show_file_info", [""])[0]
    if len(rest) >= 2 and rest[0] == "refs":
        raise _not_one(text)
    if len(rest) >= 3 and rest[0] in _FILE_VERBS:
        taken = 3 if rest[1] == "refs" and len(rest) >= 5 else 1
        revision = "/".join(rest[1 : 1 + taken])
        return _checked(text, repo=repo, part="/".join(rest[1 + taken :]), revision=revision)
    if len(rest) >= 2 and rest[0] in ("tree", "commit"):
        return _checked(text, repo=repo, part=shown, revision=rest[1])
    if rest and rest[0] not in ("tree", "blob", "discussions", "commits", "edit"):
        raise _not_one(text)
    return _checked(text, repo=repo, part=shown, revision="")


def _from_link(text: str) -> Reference:
    """``lmstudio://open_from_hf?model=org/repo&file=x.gguf`` and similar links."""
    link = urlsplit(text)
    query = parse_qs(link.query)
    repo = query.get("model", [""])[0]
    if not repo:
        path = [part for part in (link.netloc, *link.path.split("/")) if part]
        repo = "/".join(path[-2:]) if len(path) >= 3 else ""
    return _checked(
        text,
        repo=unquote(repo),
        part=query.get("file", [""])[0],
        revision=query.get("revision", [""])[0],
    )


def _checked(text: str, *, repo: str, part: str, revision: str) -> Reference:
    revision = revision or "main"
    if not is_repo(repo) or ".." in revision or not _REVISION.fullmatch(revision):
        raise _not_one(text)
    if part.lower().endswith(".gguf"):
        if not is_safe_file(part):
            raise _not_one(text)
        return Reference(repo, file=part, revision=revision)
    if part and "/" in part:
        raise UsageMistake(f"{part} is not a GGUF file.", hint=_FORMS)
    if part and not _QUANTIZATION.fullmatch(part):
        raise _not_one(text)
    return Reference(repo, quantization=part, revision=revision)


def _not_one(text: str) -> UsageMistake:
    return UsageMistake(f'"{text[:200]}" does not name a model on a hub.', hint=_FORMS)
