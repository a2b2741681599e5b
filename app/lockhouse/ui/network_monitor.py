"""What the window knows of the way out: sealed or open, to whom, how much has left.

Hides the looking: the file of the home may be changed by other programs at any time, and whether
the broker still lives is asked on a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.client import GateClient, Way
from lockhouse.gate.network import hub_hosts
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.settings.watch import SettingsWatch

_LOOK_EVERY_MS = 1500


@dataclass(frozen=True, slots=True)
class NetworkView:
    """How it stands; ``way`` as the gate tells it, with its words.

    ``hosts`` are those on the list of this home, whether this window can reach them or not.
    """

    way: Way = "sealed"
    title: str = "Sealed"
    explanation: str = ""
    what_to_do: str = ""
    hosts: tuple[str, ...] = ()
    lan_hosts: tuple[str, ...] = ()  # those of them that must be near
    since: str = ""
    bytes_out: int = 0

    @property
    def is_open(self) -> bool:
        """Whether this window can reach a host now."""
        return self.way == "open"

    @property
    def opens_next(self) -> bool:
        """The home is open, but this window was started sealed and stays so."""
        return self.way == "start_anew"

    @property
    def place(self) -> str:
        """The first host in words, and how many there are besides."""
        names = _plain(self.hosts)
        if not names:
            return ""
        more = len(names) - 1
        return names[0] if not more else f"{names[0]} and {more} more"


_USUAL_PORTS = ("80", "443")
_HUB = ("hf.co", "huggingface.co")


def _plain(hosts: Sequence[str]) -> list[str]:
    """The names that people know, each once; the hub's own servers are the hub.

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


class NetworkWatch(QObject):
    """Looks now and then, and at once when the home's file was written."""

    changed = Signal(object)  # NetworkView
    failed = Signal(object)  # LockhouseError

    def __init__(
        self, gate: GateClient, file: Path, jobs: Jobs, parent: QObject | None = None
    ) -> None:
        """``file`` is the home's, which other programs write too."""
        super().__init__(parent)
        self._gate = gate
        self._jobs = jobs
        self._looking = False
        self._switches = 0  # begun: a look from before the last one says nothing
        self.view = NetworkView()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._watch = SettingsWatch(file, self)
        self._watch.written.connect(self.look)

    def start(self) -> None:
        """Begin to look."""
        self.look()
        self._timer.start()

    def look(self) -> None:
        """Look now; a look that is still going on is enough."""
        if not self._looking:
            self._looking = True
            switches = self._switches
            self._jobs.run(self._read, lambda view: self._looked(view, switches), self._not_read)

    def seal(self) -> None:
        """End every broker of this home at once, and keep it sealed."""
        self._switch(self._gate.seal)

    def open_to(
        self,
        hosts: Sequence[str],
        lan_hosts: Sequence[str] = (),
        *,
        add: bool = False,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Open to these hosts and to no others, or to these too; ``then`` once it is written."""
        self._switch(lambda: self._gate.unseal(hosts, lan_hosts=lan_hosts, add=add), then)

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
        status, state = self._gate.status(), self._gate.state
        return NetworkView(
            status.way,
            status.title,
            status.explanation,
            status.what_to_do,
            state.all_hosts,
            state.all_hosts if state.lan else state.lan_hosts,
            status.since,
            status.bytes_out,
        )

    def _looked(self, view: NetworkView, switches: int) -> None:
        self._looking = False
        if switches == self._switches:
            self._tell(view)

    def _tell(self, view: NetworkView) -> None:
        if view != self.view:
            self.view = view
            self.changed.emit(view)

    def _not_read(self, error: LockhouseError) -> None:
        self._looking = False
        self.failed.emit(error)
