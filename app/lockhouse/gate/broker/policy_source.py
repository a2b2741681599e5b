"""The list that is in force now, for each operation anew.

The broker cannot read the home: the kernel keeps it from everything there. So the door hands over
network.json, open, with each operation, and the broker makes sure that it is that very file. What
was sealed is refused at once; what was added can be reached, as far as the kernel lets this broker
use its port.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lockhouse.core.errors import NetworkRefused
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.network import NetworkState, state_in

_Look = tuple[int, int, int, int]


class PolicySource:
    """Looks at the file of one home, which was in the state ``started`` when the broker began."""

    def __init__(
        self, path: Path, started: NetworkState, *, ports: tuple[int, ...] | None = None
    ) -> None:
        """``ports``: the only ones that the kernel lets this process connect to."""
        self._path = path
        self._ports = ports
        self._started = started
        self._mirror = os.environ.get("HF_ENDPOINT", "")
        self.guard = Guard(replace(started, endpoint=started.endpoint or self._mirror), ports)
        self._seen: _Look | None = None

    def look(self, fd: int) -> Guard:
        """The guard for an operation that begins now. Raises NetworkRefused.

        The same one as long as nothing was changed. Called by one thread at a time.
        """
        try:
            handed, there = os.fstat(fd), self._path.stat()
        except OSError as error:
            raise _sealed() from error
        if not os.path.samestat(handed, there):
            raise NetworkRefused(
                "What may leave was changed at this very moment, so nothing was sent.",
                hint="Try again.",
            )
        seen = (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns)
        if seen != self._seen:
            self._take_up(state_in(fd))
            self._seen = seen
        if not self.guard.state.is_open:
            raise _sealed()
        return self.guard

    def _take_up(self, state: NetworkState) -> None:
        if state.is_open and state.proxy != self._started.proxy:
            raise NetworkRefused(
                "Another way out was chosen since this program started.",
                hint="Close this program and start it again.",
                code="start_anew",
            )
        state = replace(state, endpoint=state.endpoint or self._mirror)
        if state != self.guard.state:
            self.guard = self.guard.changed(state)


def _sealed() -> NetworkRefused:
    return NetworkRefused(
        "The network is sealed, so nothing was sent.", hint="Open it: lockhouse unseal"
    )
