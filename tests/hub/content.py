"""What a loopback hub holds: repositories, their commits, and files with faults."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FaultKind = Literal[
    "reset",  # the connection is reset at ``at``
    "stall",  # nothing more comes from ``at`` on, the connection stays open
    "wrong bytes",  # ``length`` bytes from ``at`` on are others
    "too short",  # the body ends at ``at`` though more was announced
    "other length",  # a total of ``length`` is announced
    "no range",  # the whole file comes, whatever was asked for
    "changed",  # another file under the same address
    "elsewhere",  # a redirect to the host ``text``
    "drip",  # ``length`` bytes a second from ``at`` on
    "status",  # the status ``at``, with Retry-After ``length`` where that is not 0
]
ALWAYS = -1


@dataclass(slots=True)
class Fault:
    """A misbehaviour. ``after`` requests are served well first, then ``times`` are not.

    A request is one for the file's content; one that does not come as far as ``at`` counts for
    nothing.
    """

    kind: FaultKind
    at: int = 0
    length: int = 0
    times: int = 1
    after: int = 0
    text: str = ""

    def strikes(self, start: int, end: int) -> bool:
        """Whether it happens to this request; counts it."""
        if self.kind in ("reset", "stall", "wrong bytes", "drip", "too short"):
            reach = self.at + (self.length if self.kind == "wrong bytes" else 0)
            if self.at >= end or (reach < start and self.kind != "drip"):
                return False
        if self.after:
            self.after -= 1
            return False
        if self.times == 0:
            return False
        self.times -= self.times > 0
        return True


@dataclass(slots=True)
class Blob:
    """One file at one commit, from memory or from a disk."""

    source: bytes | Path
    sha256: str = ""
    lfs: bool = True
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.sha256:
            self.sha256 = hashlib.sha256(self.read()).hexdigest()

    def read(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    @property
    def size_bytes(self) -> int:
        if isinstance(self.source, bytes):
            return len(self.source)
        return self.source.stat().st_size

    @property
    def oid(self) -> str:
        """The git object's name; of a large file, that of its pointer."""
        if self.lfs:
            return hashlib.sha1(self.sha256.encode(), usedforsecurity=False).hexdigest()
        data = self.read()
        head = f"blob {len(data)}\0".encode()
        return hashlib.sha1(head + data, usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Repo:
    """A repository. ``commits`` in their order; the last one is main."""

    name: str
    commits: dict[str, dict[str, Blob]]
    gated: Literal["", "auto", "manual"] = ""
    private: bool = False
    card: Mapping[str, object] = field(default_factory=dict)
    gguf: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    pipeline_tag: str = ""
    downloads: int = 0
    likes: int = 0
    modified: str = "2026-10-01T12:00:00.000Z"
    poses_as: Mapping[str, str] = field(default_factory=dict)  # instead of its true id and sha

    @property
    def main(self) -> str:
        return list(self.commits)[-1]

    def commit(self, revision: str) -> str | None:
        """The commit that a branch, a tag or the beginning of a hash stands for."""
        if revision == "main":
            return self.main
        return next((each for each in self.commits if each == revision), None)

    @property
    def all_tags(self) -> tuple[str, ...]:
        license_ = self.card.get("license")
        languages = self.card.get("language") or ()
        extra = ("gguf", *(f"license:{license_}",) * bool(license_))
        return (*self.tags, *extra, *(str(each) for each in languages if isinstance(each, str)))


def commit_of(*parts: str) -> str:
    """A commit's name made from words."""
    return hashlib.sha1(" ".join(parts).encode(), usedforsecurity=False).hexdigest()
