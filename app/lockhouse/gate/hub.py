"""Client of a model hub: search, repositories, cards, files.

Every method is a request to the broker and raises what the gate raises, NetworkRefused while
the network is sealed.
"""

from __future__ import annotations

from collections.abc import Callable

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError
from lockhouse.gate.client import GateClient
from lockhouse.gate.hub_requests import (
    Capability,
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
    Reference,
    SearchHub,
    Sort,
    parse_reference,
)
from lockhouse.gate.protocol import Done

__all__ = ["Hub", "HubFile", "HubModel", "HubRepo", "Reference", "parse_reference"]


class Hub:
    """The hub, or the mirror set in the environment. Usable from several threads."""

    def __init__(self, gate: GateClient) -> None:
        self._gate = gate

    @property
    def is_open(self) -> bool:
        """Whether the hub can be reached."""
        return self._gate.is_open

    def why_closed(self) -> LockhouseError:
        """The error to raise while it cannot be reached."""
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
        """Repositories with GGUF files whose name contains the words."""
        request = SearchHub(words, limit, license, capability, language, sort)
        return self._gate.ask(request, reply_type=list[HubModel], cancel=cancel, purpose="search")

    def repo(
        self, name: str, revision: str = "main", *, cancel: CancelToken | None = None
    ) -> HubRepo:
        """A repository at the commit that ``revision`` names now.

        Raises NotFound, or NetworkRefused "gated" when its owner has to grant access.
        """
        request = ReadRepo(name, revision or "main")
        return self._gate.ask(request, reply_type=HubRepo, cancel=cancel, purpose="model")

    def card(self, repo: str, revision: str, *, cancel: CancelToken | None = None) -> str:
        """The model card as Markdown, at most a quarter of a megabyte; empty when there is none."""
        return self._gate.ask(ReadCard(repo, revision), reply_type=str, cancel=cancel)

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
        return self._gate.ask(request, reply_type=bytes, cancel=cancel, purpose="header")

    def fetch(
        self,
        request: FetchFile,
        descriptor: int,
        *,
        progress: Callable[[int], None],
        cancel: CancelToken | None = None,
    ) -> Fetched:
        """Let the broker write a part of a file. ``progress`` gets the bytes written so far."""

        return self._gate.ask(
            request,
            reply_type=Fetched,
            files=(descriptor,),
            events=lambda event: progress(event.written_bytes),
            event_type=FetchProgress,
            cancel=cancel,
            purpose="download",
        )

    def limit_speed(self, bytes_per_s: int) -> None:
        """Limit all downloads of this program together; 0 is no limit."""
        self._gate.ask(LimitSpeed(bytes_per_s), reply_type=Done)
