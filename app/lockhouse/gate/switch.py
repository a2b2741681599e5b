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
        lan_hosts: Sequence[str] = (),
        add: bool = False,
        proxy: str = "",
    ) -> Switched:
        """Open the home: for the model hub, or for ``hosts`` and ``lan_hosts``.

        ``lan_hosts`` must be this machine or in private networks, whatever their names resolve
        to. ``add`` keeps what is open. Raises UsageMistake, StorageError.
        """
        before = self._network.state()
        endpoint = hub_endpoint(environment)
        wanted, near, lan = tuple(hosts), tuple(lan_hosts), False
        if not wanted and not near:
            wanted = hub_hosts(environment)
        if add and before.is_open:
            wanted, near = (*before.hosts, *wanted), (*before.lan_hosts, *near)
            endpoint, proxy = endpoint or before.endpoint, proxy or before.proxy
            lan = before.lan
        if (near or lan) and proxy:
            raise UsageMistake(
                "Hosts of the local network and --proxy exclude each other: a proxy looks names "
                "up itself."
            )
        state = self._network.open(wanted, lan_hosts=near, lan=lan, endpoint=endpoint, proxy=proxy)
        # What is no longer allowed ends now, not when its program ends.
        ended = self._brokers.end_all() if _is_narrower(before, state) else 0
        self._note("unsealed", " ".join(state.all_hosts))
        return Switched(state, ended)


def _is_narrower(before: NetworkState, after: NetworkState) -> bool:
    if not before.is_open:
        return False
    changed = (before.proxy, before.endpoint) != (after.proxy, after.endpoint)
    removed = set(before.all_hosts) - set(after.all_hosts)
    nearer = set(before.hosts) & set(after.lan_hosts)
    return bool(removed) or bool(nearer) or changed or (after.lan and not before.lan)
