"""Maps errors of a remote target to what the user can do about them."""

from __future__ import annotations

from collections.abc import Iterable

from lockhouse.core.errors import LockhouseError, NetworkRefused
from lockhouse.gate.client import CUT_OFF, GateClient
from lockhouse.gate.network import allows, host_of, split_host
from lockhouse.gate.providers import Provider


def require_open(gate: GateClient, provider: Provider, endpoints: Iterable[str]) -> None:
    """Raises NetworkRefused where nothing could leave now. Of equal servers, one is enough."""
    ways = {gate.way_to([host_of(url)]) for url in endpoints}
    if "open" in ways:
        return
    if "not_listed" in ways:
        hosts = ", ".join(provider.hosts)
        raise NetworkRefused(
            f"Nothing was sent: network access does not include {hosts}.",
            code="host_not_allowed",
        )
    raise gate.why_closed()


def map_error(error: LockhouseError, provider: Provider, gate: GateClient) -> LockhouseError:
    """The same error with what to do about it for this very provider."""
    if error.code not in ("sealed", CUT_OFF, "host_not_allowed"):
        return error
    way = gate.way_to(provider.hosts)
    if way == "not_listed" or (way == "start_anew" and not _is_listed(gate, provider)):
        hint = f"Allow it too: lockhouse unseal --add --for {provider.name}"
    elif way in ("sealed", "sealed_meanwhile", "damaged"):
        hint = f"Allow it for {provider.title} alone: lockhouse unseal --for {provider.name}"
    else:
        return error
    if gate.status().way not in ("sealed", "open"):
        hint += ". Then restart this program."
    return type(error)(error.message, hint=hint, code=error.code)


def _is_listed(gate: GateClient, provider: Provider) -> bool:
    listed = gate.state.all_hosts
    return all(allows(listed, *split_host(host)) for host in provider.hosts)
