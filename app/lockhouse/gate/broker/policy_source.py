"""The list of allowed hosts, read again for each operation.

The broker cannot read the home: the kernel prevents it. So the program passes network.json, open,
with each operation, and the broker makes sure that it is that very file. A sealed network is
refused at once; a host that was added can be reached if the kernel lets this broker use its port.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lockhouse.core.errors import NetworkRefused
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.network import NetworkState, state_in

_Signature = tuple[int, int, int, int]  # device, inode, size and time of a file


class PolicySource:
    """Reads the file of one home, whose state was ``started`` when the broker started."""

    def __init__(
        self, path: Path, started: NetworkState, *, ports: tuple[int, ...] | None = None
    ) -> None:
        """``ports``: the only ones that the kernel lets this process connect to."""
        self._path = path
        self._ports = ports
        self._started = started
        self._mirror = os.environ.get("HF_ENDPOINT", "")
        self.guard = Guard(replace(started, endpoint=started.endpoint or self._mirror), ports)
        self._read: _Signature | None = None

    def read(self, fd: int) -> Guard:
        """The guard for an operation that begins now. Raises NetworkRefused.

        The same one as long as nothing was changed. Called by one thread at a time.
        """
        try:
            passed, there = os.fstat(fd), self._path.stat()
        except OSError as error:
            raise _sealed() from error
        if not os.path.samestat(passed, there):
            raise NetworkRefused(
                "The list of allowed hosts was changed at this moment, so nothing was sent.",
                hint="Try again.",
            )
        signature = (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns)
        if signature != self._read:
            self._update(state_in(fd))
            self._read = signature
        if not self.guard.state.is_open:
            raise _sealed()
        return self.guard

    def _update(self, state: NetworkState) -> None:
        if state.is_open and state.proxy != self._started.proxy:
            raise NetworkRefused(
                "The proxy was changed since this program started.",
                hint="Restart this program.",
                code="start_anew",
            )
        state = replace(state, endpoint=state.endpoint or self._mirror)
        if state != self.guard.state:
            self.guard = self.guard.changed(state)


def _sealed() -> NetworkRefused:
    return NetworkRefused(
        "The network is sealed, so nothing was sent.",
        hint="Allow network access: lockhouse unseal",
    )
