"""The state of network access: sealed or not, which hosts are allowed, how much was sent.

Other programs may change the file of the home at any time, so it is read again now and then, and
whether the broker still runs is asked on a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.client import GateClient, Way
from lockhouse.gate.network import hub_hosts
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.settings.file_watch import FileWatch
from lockhouse.ui.timers import Poll

_LOOK_EVERY_MS = 1500


@dataclass(frozen=True, slots=True)
class NetworkView:
    """Network access now; ``way`` and its words are the gate's.

    ``hosts`` are those that this home allows, whether this window can reach them or not.
    """

    way: Way = "sealed"
    title: str = "Sealed"
    explanation: str = ""
    what_to_do: str = ""
    hosts: tuple[str, ...] = ()
    lan_hosts: tuple[str, ...] = ()  # those that must be on the own network
    since: str = ""
    until: str = ""  # when it ends by itself, as ``gate.network`` writes it
    bytes_out: int = 0

    @property
    def is_open(self) -> bool:
        """Whether this window can reach a host now."""
        return self.way == "open"

    @property
    def opens_next(self) -> bool:
        """Access is allowed, but this window was started sealed and stays so."""
        return self.way == "start_anew"

    @property
    def place(self) -> str:
        """The first host, and how many more there are."""
        names = _plain(self.hosts)
        if not names:
            return ""
        more = len(names) - 1
        return names[0] if not more else f"{names[0]} and {more} more"

    @property
    def names_several(self) -> bool:
        """Whether ``place`` stands for more than one host."""
        return len(_plain(self.hosts)) > 1


_USUAL_PORTS = ("80", "443")
_HUB = ("hf.co", "huggingface.co")


def _plain(hosts: Sequence[str]) -> list[str]:
    """Each host once, without what nobody needs; the servers of the hub are the hub.

    The port is named where it is not the usual one, or where one machine has several servers.
    """
    split = [
        (name.removeprefix("*."), port) for name, _, port in (h.rpartition(":") for h in hosts)
    ]
    several = [name for name, _ in dict.fromkeys(split)]
    names = []
    for name, port in split:
        if name in _HUB:
            names.append("huggingface.co")
        elif port in _USUAL_PORTS and several.count(name) == 1:
            names.append(name)
        else:
            names.append(f"{name}:{port}")
    return list(dict.fromkeys(names))


class NetworkMonitor(QObject):
    """Reads the state now and then, and at once when the file of the home was written."""

    changed = Signal(object)  # NetworkView
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, gate: GateClient, file: Path, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        """``file`` belongs to the home; other programs write it too."""
        super().__init__(parent)
        self._gate = gate
        self._jobs = jobs
        self._switches = 0  # begun and ended: a look from before the last one says nothing
        self.view = NetworkView()
        poll = Poll(
            jobs,
            lambda: (self._switches, self._read()),
            self._looked,
            self.failed.emit,
            every_ms=_LOOK_EVERY_MS,
            parent=self,
        )
        self.start, self.look = poll.start, poll.look
        FileWatch(file, self).written.connect(poll.look)

    def seal(self) -> None:
        """End every broker of this home at once, and seal it."""
        self._switch(self._gate.seal)

    def open_to(
        self,
        hosts: Sequence[str],
        lan_hosts: Sequence[str] = (),
        *,
        add: bool = False,
        until: str | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Allow these hosts and no others, or also these; ``then`` once it is written."""
        self._switch(
            lambda: self._gate.unseal(hosts, lan_hosts=lan_hosts, add=add, until=until), then
        )

    def hub_names(self) -> tuple[str, ...]:
        """Where models are downloaded from."""
        try:
            return hub_hosts(os.environ)
        except LockhouseError:
            return ()

    def _switch(self, work: Callable[[], object], then: Callable[[], None] | None = None) -> None:
        self._switches += 1

        def switch() -> NetworkView:
            work()
            return self._read()

        def done(view: NetworkView) -> None:
            self._switches += 1  # a look that began meanwhile may have seen what was before
            self._tell(view)
            if then is not None:
                then()

        self._jobs.run_now(switch, done, self.failed.emit)

    def _read(self) -> NetworkView:
        self._gate.seal_when_over()
        status, state = self._gate.status(), self._gate.state
        return NetworkView(
            status.way,
            status.title,
            status.explanation,
            status.what_to_do,
            state.all_hosts,
            state.all_hosts if state.lan else state.lan_hosts,
            status.since,
            state.until,
            status.bytes_out,
        )

    def _looked(self, found: tuple[int, NetworkView]) -> None:
        switches, view = found
        if switches == self._switches:
            self._tell(view)

    def _tell(self, view: NetworkView) -> None:
        if view != self.view:
            self.view = view
            self.changed.emit(view)
