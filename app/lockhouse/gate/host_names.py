"""Maps the names that people know (the hub, providers, own servers) to hosts and back.

The list of allowed hosts holds hosts and ports.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.keys import HUGGINGFACE
from lockhouse.gate.network import NetworkState, allows, hub_hosts, hub_key_hosts, split_host
from lockhouse.gate.providers import Provider, Providers

HUB_NAMES = ("hub", HUGGINGFACE)
HUB_TITLE = "the model hub"


class Hosts(msgspec.Struct, frozen=True):
    """Hosts of the internet, and hosts that must be in the local network."""

    hosts: tuple[str, ...] = ()
    lan_hosts: tuple[str, ...] = ()


def hosts_for(names: Iterable[str], providers: Providers, environment: Mapping[str, str]) -> Hosts:
    """The hosts of these providers, servers and the hub. Raises NotFound."""
    hosts: list[str] = []
    near: list[str] = []
    for name in names:
        if name in HUB_NAMES:
            hosts += hub_hosts(environment)
        else:
            provider = providers.get(name)
            (near if provider.zone == "lan" else hosts).extend(provider.hosts)
    return Hosts(tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(near)))


def key_hosts(
    provider: str, providers: Providers, state: NetworkState, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """The hosts that a provider's key is for. Raises NotFound."""
    if provider == HUGGINGFACE:
        return hub_key_hosts(state, environment)
    return providers.get(provider).hosts


def reached(state: NetworkState, providers: Sequence[Provider]) -> tuple[str, ...]:
    """What can be reached, by titles: the hub, providers, then hosts that belong to neither."""
    rest = dict.fromkeys(state.all_hosts)
    found = []
    with contextlib.suppress(UsageMistake):  # an invalid mirror cannot be allowed
        hub = hub_hosts({"HF_ENDPOINT": state.endpoint or os.environ.get("HF_ENDPOINT", "")})
        if set(hub) <= set(rest):
            found.append(HUB_TITLE)
            for host in hub:
                rest.pop(host)
    for provider in providers:
        if all(allows(state.all_hosts, *split_host(host)) for host in provider.hosts):
            found.append(provider.title)
            for host in provider.hosts:
                rest.pop(host, None)
    return (*found, *rest)


def sentence(names: Sequence[str], *, most: int = 4) -> str:
    """Names in a sentence."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
