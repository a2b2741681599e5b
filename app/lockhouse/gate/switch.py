"""Sealing and opening a home: the file, the brokers that run, and the record, always together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.brokers import Brokers
from lockhouse.gate.network import Network, NetworkState, hub_endpoint, hub_hosts
from lockhouse.gate.protocol import RecordKind


class Switched(msgspec.Struct, frozen=True):
    """What is in force now, and how many brokers were ended for it."""

    state: NetworkState
    brokers_ended: int


class Switch:
    """The switch of one home. ``note`` keeps what was done in the records."""

    def __init__(
        self, network: Network, brokers: Brokers, note: Callable[[RecordKind, str], None]
    ) -> None:
        self._network = network
        self._brokers = brokers
        self._note = note

    def seal(self) -> Switched:
        """Nothing leaves from now on; what runs is cut off. Raises StorageError."""
        try:
            state = self._network.seal()
        finally:  # whatever becomes of the file, the connections end
            ended = self._brokers.end_all()
        self._note("sealed", f"brokers ended: {ended}")
        return Switched(state, ended)

    def unseal(
        self,
        environment: Mapping[str, str],
        *,
        hosts: Sequence[str] = (),
        add: bool = False,
        lan: bool = False,
        proxy: str = "",
    ) -> Switched:
        """Open the home for programs that start from now on: for the model hub, or for ``hosts``.

        ``add`` keeps what is open. Raises UsageMistake, StorageError.
        """
        before = self._network.state()
        endpoint = hub_endpoint(environment)
        if lan and not hosts:
            raise UsageMistake(
                "--lan opens no host by itself.",
                hint="Name one: unseal --lan --host 192.168.1.20:8080",
            )
        wanted = tuple(hosts) or hub_hosts(environment)
        if add and before.is_open:
            wanted = (*before.hosts, *wanted)
            endpoint, proxy = endpoint or before.endpoint, proxy or before.proxy
            lan = lan or before.lan
        if lan and proxy:
            raise UsageMistake(
                "--lan and --proxy exclude each other: a proxy looks names up itself."
            )
        state = self._network.open(wanted, lan=lan, endpoint=endpoint, proxy=proxy)
        # What is no longer allowed ends now, not when its program ends.
        ended = self._brokers.end_all() if _is_narrower(before, state) else 0
        self._note("unsealed", " ".join(state.hosts))
        return Switched(state, ended)


def _is_narrower(before: NetworkState, after: NetworkState) -> bool:
    if not before.is_open:
        return False
    changed = (before.proxy, before.endpoint) != (after.proxy, after.endpoint)
    removed = set(before.hosts) - set(after.hosts)
    return bool(removed) or changed or (after.lan and not before.lan)
