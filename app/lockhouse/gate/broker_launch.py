"""Starts a broker before the launcher seals itself, when the network of its home is open.

Loaded before the seal, so it imports next to nothing; a sealed home costs one look for a file.
The broker is a process of its own with few of the launcher's variables: no proxy settings, no
keys.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lockhouse import seal
from lockhouse.gate.network import Network, reachable_ports
from lockhouse.processes import own_command, own_environment

if TYPE_CHECKING:
    from lockhouse.gate.channel import Channel

# What a broker needs to find the keyring, which may ask for its password, and the hub's mirror.
_VARIABLES = (
    "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "HF_ENDPOINT", "PYTHON_", "WAYLAND_DISPLAY",
)  # fmt: skip

FirstRequest = Literal["", "hub", "answer"]

_started: list[Channel] = []


def start_broker(network_file: Path, run: Path, logs: Path, *, soon: FirstRequest = "") -> bool:
    """Start a broker for this program if the network is open. Raises OSError.

    ``soon``: the first request, if it comes so soon that the broker prepares for it at once.
    """
    state = Network(network_file).state()
    if sys.platform == "win32" or not state.is_open:
        return False
    from lockhouse.gate.channel import Channel

    ours, theirs = Channel.pair()
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(theirs):
        pid = os.posix_spawn(
            sys.executable,
            [*own_command(), "--broker", str(theirs.inherited_fd()), str(network_file), str(run)]
            + [soon] * bool(soon),
            own_environment(*_VARIABLES),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (
                    os.POSIX_SPAWN_OPEN,
                    2,
                    str(logs / "broker.log"),
                    os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                    0o600,
                ),
            ],
            setsid=True,  # Ctrl-C in a terminal is for the program
        )
    ours.broker_pid = pid
    if seal.landlock_version() >= seal.LANDLOCK_WITH_PORTS:
        ours.ports = reachable_ports(state)
    _started.append(ours)
    return True


def inherited_channel() -> Channel | None:
    """The channel to this program's broker; None when it started sealed."""
    return _started[0] if _started else None
