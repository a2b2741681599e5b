"""Seals and opens a home: the file, the running brokers and the record, always together."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.network import Network, NetworkState, hub_endpoint, hub_hosts
from lockhouse.gate.protocol import RecordKind
from lockhouse.gate.running_brokers import Brokers

if sys.platform != "win32":
    import fcntl

_PATIENCE_S = 5.0
_POLL_S = 0.01


class Switched(msgspec.Struct, frozen=True):
    """The policy now in force, and how many brokers were ended for it."""

    state: NetworkState
    brokers_ended: int


class Switch:
    """The switch of one home. ``note`` writes to the records."""

    def __init__(
        self, network: Network, brokers: Brokers, note: Callable[[RecordKind, str], None]
    ) -> None:
        self._network = network
        self._brokers = brokers
        self._note = note

    def seal(self) -> Switched:
        """Allow no host from now on, and end every connection. Raises StorageError."""
        ended = 0

        def end_all() -> None:
            nonlocal ended
            ended += self._brokers.end_all()

        try:
            with self._alone(end_all):  # ends the connections without waiting for the lock
                state = self._network.seal()
        finally:  # even if the file could not be written
            end_all()
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
        until: str | None = None,
    ) -> Switched:
        """Allow the model hub, or ``hosts`` and ``lan_hosts``.

        ``lan_hosts`` must be this machine or in private networks, whatever their names resolve
        to. ``add`` keeps what is allowed already. ``until``: when it ends by itself, "" for never;
        None keeps what was said with ``add``. Raises UsageMistake, StorageError.
        """
        with self._alone():
            switched = self._unseal(
                environment, tuple(hosts), tuple(lan_hosts), add=add, proxy=proxy, until=until
            )
        self._note("unsealed", " ".join(switched.state.all_hosts))
        return switched

    def _unseal(
        self,
        environment: Mapping[str, str],
        wanted: tuple[str, ...],
        near: tuple[str, ...],
        *,
        add: bool,
        proxy: str,
        until: str | None,
    ) -> Switched:
        before = self._network.state()
        endpoint = hub_endpoint(environment)
        lan = False
        if not wanted and not near:
            wanted = hub_hosts(environment)
        if add and before.is_open:
            wanted, near = (*before.hosts, *wanted), (*before.lan_hosts, *near)
            endpoint, proxy = endpoint or before.endpoint, proxy or before.proxy
            lan = before.lan
        if (near or lan) and proxy:
            raise UsageMistake(
                "Hosts of the local network cannot be combined with --proxy: a proxy looks names "
                "up itself."
            )
        if until is None:
            until = before.until if add and before.is_open else ""
        state = self._network.open(
            wanted, lan_hosts=near, lan=lan, endpoint=endpoint, proxy=proxy, until=until
        )
        # What is no longer allowed ends now, not when its program ends.
        ended = self._brokers.end_all() if _is_narrower(before, state) else 0
        return Switched(state, ended)

    @contextlib.contextmanager
    def _alone(self, if_somebody_else: Callable[[], None] = lambda: None) -> Iterator[None]:
        """One change after the other, in all programs of the home, so that the last one holds.

        Waits for a limited time, and goes on where the lock file cannot be created: sealing must
        not fail.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                self._wait_for_turn(stack, if_somebody_else)
            yield

    def _wait_for_turn(
        self, stack: contextlib.ExitStack, if_somebody_else: Callable[[], None]
    ) -> None:
        run = self._brokers.folder.parent
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(run / "switch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, file)
        if _is_locked(file):
            return
        if_somebody_else()
        give_up_at = time.monotonic() + _PATIENCE_S
        while not _is_locked(file) and time.monotonic() < give_up_at:
            time.sleep(_POLL_S)


def _is_locked(file: int) -> bool:
    """Lock it until it is closed; whether that succeeded."""
    if sys.platform == "win32":  # where the network cannot be opened
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_narrower(before: NetworkState, after: NetworkState) -> bool:
    if not before.is_open:
        return False
    changed = (before.proxy, before.endpoint) != (after.proxy, after.endpoint)
    removed = set(before.all_hosts) - set(after.all_hosts)
    nearer = set(before.hosts) & set(after.lan_hosts)
    return bool(removed) or bool(nearer) or changed or (after.lan and not before.lan)
