"""A hub of models as the program sees it: search, repositories, cards, files.

Hides that the broker does it: every method is a request through the gate and raises what the
gate raises, NetworkRefused while the network is sealed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError
from lockhouse.gate.client import GateClient
from lockhouse.gate.hub_references import Reference, parse_reference
from lockhouse.gate.hub_requests import (
    Capability,
    CardRead,
    Fetched,
    FetchFile,
    FetchProgress,
    HubFile,
    HubModel,
    HubRepo,
    LimitSpeed,
    ReadCard,
    ReadRepo,
    ReadStart,
    RepoRead,
    SearchHub,
    SearchResults,
    Sort,
    SpeedLimited,
    StartRead,
)

__all__ = ["Hub", "HubFile", "HubModel", "HubRepo", "Reference", "parse_reference"]


class Hub:
    """The hub that the environment names. Usable from several threads."""

    def __init__(self, gate: GateClient) -> None:
        self._gate = gate

    @property
    def is_open(self) -> bool:
        """Whether the hub may be asked."""
        return self._gate.is_open

    def why_closed(self) -> LockhouseError:
        """What to tell someone who wants something from it."""
        return self._gate.why_closed()

    def search(
        self,
        words: str,
        *,
        limit: int = 30,
        license: str = "",  # noqa: A002 - the field's own name
        capability: Capability = "",
        language: str = "",
        sort: Sort = "downloads",
        cancel: CancelToken | None = None,
    ) -> list[HubModel]:
        """Repositories with GGUF files whose name holds the words."""
        request = SearchHub(words, limit, license, capability, language, sort)
        return list(
            self._gate.ask(
                request, reply_type=SearchResults, cancel=cancel, purpose="search"
            ).models
        )

    def repo(
        self, name: str, revision: str = "main", *, cancel: CancelToken | None = None
    ) -> HubRepo:
        """A repository at the commit that ``revision`` stands for now.

        Raises NotFound when there is none, NetworkRefused "gated" when its owner asks for more.
        """
        request = ReadRepo(name, revision or "main")
        return self._gate.ask(request, reply_type=RepoRead, cancel=cancel, purpose="model").repo

    def card(self, repo: str, revision: str, *, cancel: CancelToken | None = None) -> str:
        """The model card as Markdown, at most a quarter of a megabyte; empty when there is none."""
        return self._gate.ask(ReadCard(repo, revision), reply_type=CardRead, cancel=cancel).markdown

    def start(
        self,
        repo: str,
        file: str,
        revision: str,
        *,
        count: int,
        cancel: CancelToken | None = None,
    ) -> bytes:
        """The first bytes of a file."""
        request = ReadStart(repo, file, revision, count)
        return self._gate.ask(request, reply_type=StartRead, cancel=cancel, purpose="header").data

    def fetch(
        self,
        request: FetchFile,
        descriptor: int,
        *,
        progress: Callable[[int], None],
        cancel: CancelToken | None = None,
    ) -> Fetched:
        """Let the broker write a part of a file. Tells how many bytes it has written so far."""

        def tell(event: Any) -> None:
            progress(event.written_bytes)

        return self._gate.ask(
            request,
            reply_type=Fetched,
            files=(descriptor,),
            events=tell,
            event_type=FetchProgress,
            cancel=cancel,
            purpose="download",
        )

    def limit_speed(self, bytes_per_s: int) -> None:
        """Limit all fetches of this program together; 0 lifts the limit."""
        self._gate.ask(LimitSpeed(bytes_per_s), reply_type=SpeedLimited)
