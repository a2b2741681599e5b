"""What would leave, byte for byte, before it does.

The body is made once. What a person saw and what is sent are the same buffer: it is not
serialised again in between.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import msgspec

from lockhouse.gate.costs.values import Estimate
from lockhouse.gate.network import host_of
from lockhouse.gate.remote_requests import DialectName, ProviderZone


class ProviderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a provider, without its body. ``headers`` are complete but for the key.

    ``added`` tells in sentences what the program adds to the person's own words.
    """

    provider: str
    provider_title: str
    model: str
    dialect: DialectName
    zone: ProviderZone
    path: str  # behind the base address, query included
    headers: tuple[tuple[str, str], ...]
    has_key: bool = False
    task: str = "chat"
    added: tuple[str, ...] = ()
    estimate: Estimate | None = None  # None where no price is known


class Outbound(ProviderRequest, frozen=True, kw_only=True):
    """A request as it will travel, to one of ``endpoints``, which are base addresses."""

    endpoints: tuple[str, ...]
    body: bytes
    max_tokens: int = 0  # that it asks for

    @property
    def sha256(self) -> str:
        """Of the body."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def hosts(self) -> tuple[str, ...]:
        """``host:port`` of every address that may get it, each once."""
        return tuple(dict.fromkeys(host_of(url) for url in self.endpoints))

    @property
    def host(self) -> str:
        """Who gets it: ``host:port`` of the first address."""
        return urlsplit(self.endpoints[0]).netloc
