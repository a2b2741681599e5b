"""The label of a request against the zone of its target: the rule of ``core.labels``, applied.

It is checked twice. The program asks :func:`zone_of` and :func:`require_label` before it sends
anything; the broker judges by itself from the address that it would connect to.
"""

from __future__ import annotations

from lockhouse.core.labels import LABELS, ZONES, Label, Zone, highest, may_go, require_label
from lockhouse.gate.providers import Provider, is_this_machine

__all__ = ["LABELS", "ZONES", "Label", "Zone", "highest", "may_go", "require_label", "zone_of"]


def zone_of(provider: Provider, *, proxy: str = "") -> Zone:
    """Where the servers of a provider are. Through a ``proxy``, they could be anywhere."""
    if proxy or provider.zone == "cloud":
        return "cloud"
    return "local" if all(is_this_machine(url) for url in provider.endpoints) else "lan"
