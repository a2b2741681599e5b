"""What a door can be opened for: downloads, each provider, each server of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.network_access_dialog import Way

HUB = "hub"


def ways_of(rows: Iterable[ProviderRow], hub_hosts: Sequence[str]) -> tuple[Way, ...]:
    """Those that somebody uses first."""
    hub = Way(HUB, "Model downloads", "Search and fetch models", tuple(hub_hosts))
    used: list[Way] = []
    others: list[Way] = []
    for row in rows:
        (used if row.is_used else others).append(_way(row))
    return (*((hub,) if hub_hosts else ()), *used, *others)


def _way(row: ProviderRow) -> Way:
    provider = row.provider
    if provider.zone == "lan":
        words = "Your own network only"
    elif row.may_send:
        words = "You allowed it to be asked"
    elif row.may_have_key or provider.key != "required":
        words = "Asks you before the first request"
    else:
        words = "No key yet"
    return Way(
        provider.name,
        provider.title,
        words,
        provider.hosts,
        is_near=provider.zone == "lan",
    )
