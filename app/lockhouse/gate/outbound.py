"""What would leave, byte for byte, before it does.

The body is made once. What a person saw and what is sent are the same buffer: nothing is
serialised again in between.
"""

from __future__ import annotations

import hashlib

import msgspec

from lockhouse.gate.costs.values import Estimate
from lockhouse.gate.providers import DialectName, Zone


class Outbound(msgspec.Struct, frozen=True):
    """One request as it will travel. ``headers`` are complete but for the key.

    ``added`` tells in sentences what the program put in beside the person's own words.
    """

    provider: str
    provider_title: str
    model: str
    dialect: DialectName
    zone: Zone
    endpoints: tuple[str, ...]  # base addresses; one of them gets it
    path: str  # behind the base address, query included
    headers: tuple[tuple[str, str], ...]
    body: bytes
    has_key: bool
    task: str = "chat"
    added: tuple[str, ...] = ()
    estimate: Estimate | None = None  # None where no price is known

    @property
    def sha256(self) -> str:
        """Of the body."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def host(self) -> str:
        """Who gets it: ``host:port`` of the first address."""
        from urllib.parse import urlsplit

        return urlsplit(self.endpoints[0]).netloc
