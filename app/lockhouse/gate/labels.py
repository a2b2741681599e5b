"""The zone of a provider, which its label must allow: the rule itself is in ``core.labels``.

It is checked twice: in the program before it makes a request, by :func:`zone_of`, and in the
broker by the address that it is about to connect to (``broker.guard``).
"""

from __future__ import annotations

from lockhouse.core.labels import Zone
from lockhouse.gate.providers import Provider, is_this_machine


def zone_of(provider: Provider, *, proxy: str = "") -> Zone:
    """Where the servers of a provider are. Through a ``proxy``, they could be anywhere."""
    if proxy or provider.zone == "cloud":
        return "cloud"
    return "local" if all(is_this_machine(url) for url in provider.endpoints) else "lan"
