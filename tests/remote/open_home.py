"""An open home with a broker of its own: a real process, started as the launcher starts it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lockhouse.gate import broker_launch
from lockhouse.gate.channel import Channel
from lockhouse.gate.client import GateClient
from lockhouse.gate.network import Network
from lockhouse.gate.running_brokers import Brokers
from lockhouse.storage.database import Database

ROOT = Path(__file__).parents[2]


class OpenHome:
    """A home that is open for ``hosts``. A context manager; the program itself stays unsealed."""

    def __init__(self, home: Path, hosts: Sequence[str], lan_hosts: Sequence[str] = ()) -> None:
        self.home = home
        self._hosts, self._lan_hosts = hosts, lan_hosts
        self._channel: Channel
        self._database: Database
        self.gate: GateClient
        self.broker_pid = 0

    def __enter__(self) -> Self:
        network = Network(self.home / "network.json")
        network.open(self._hosts, lan_hosts=self._lan_hosts)
        before = {name: os.environ.get(name) for name in _VARIABLES}
        os.environ.update(_VARIABLES)
        try:
            run = self.home / "run"
            assert broker_launch.start_broker(network.path, run, self.home / "logs")
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        self._channel = broker_launch._started.pop()
        self.broker_pid = self._channel.broker_pid
        self._database = Database(self.home / "lockhouse.db", backups=self.home / "backups")
        self.gate = GateClient(network, self._database, self._channel, Brokers(run))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()
        # A test may have ended it, and the program let it go.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.broker_pid, signal.SIGKILL)
            os.waitpid(self.broker_pid, 0)
        self._database.close()

    def log(self) -> str:
        return (self.home / "logs" / "broker.log").read_text()


_VARIABLES = {
    "PYTHONPATH": os.pathsep.join((str(ROOT / "app"), str(ROOT))),
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}
