"""Parses the ways to name a model on a hub: a name, a pasted address, a link from a page.

Only reads the text; the hub knows whether the model exists.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from lockhouse.core.errors import UsageMistake

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
