"""The broker's process: the only one of the program that may open a connection.

Started by the launcher before it seals itself. It leaves a record of itself, reads the state of
the network once, gives up every file it does not need, and waits; what speaks HTTP is imported at
the first request. It ends with its launcher, or when the network is sealed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lockhouse import processes, seal
from lockhouse.gate.broker.guard import PolicySource
from lockhouse.gate.channel import Channel
from lockhouse.gate.network import Network, reachable_ports
from lockhouse.gate.running_brokers import Broker, Brokers

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MOST_FDS = 1 << 16
_MOST_LOG_BYTES = 1 << 20
_DNS_PORT = 53  # an answer too long for UDP is asked for again by TCP
# Where the system writes its name servers, whenever the network changes.
_OF_NAME_LOOKUP = (
    "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/netconfig",
    "/run/connman", "/run/nscd",
)  # fmt: skip


def run_broker(arguments: list[str]) -> int:
    """``FD NETWORK_FILE RUN_FOLDER [hub|answer]``: serve the program at FD until it ends."""
    fd, network_file, run = int(arguments[0]), Path(arguments[1]), Path(arguments[2])
    os.closerange(3, fd)  # whatever the launcher was started with
    os.closerange(fd + 1, _MOST_FDS)
    os.set_inheritable(fd, False)  # noqa: FBT003 - the call's own shape
    _protect_process()
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _MOST_LOG_BYTES:
            os.ftruncate(2, 0)
    # The record first, then the file: sealing writes the file first and then looks for brokers, so
    # that one of the two sees the other.
    brokers = Brokers(run)
    pid, birth = processes.mine()
    since = datetime.now(UTC).isoformat(timespec="seconds")
    broker = Broker(pid, birth, os.getppid(), since, confined=seal.landlock_version() > 0)
    record = brokers.write(broker)
    try:
        state = Network(network_file).state()
        if not state.is_open:
            return 0
        reached = reachable_ports(state)
        by_kernel = seal.landlock_version() >= seal.LANDLOCK_WITH_PORTS
        policy = PolicySource(network_file, state, ports=reached if by_kernel else None)
        _prepare_libraries()
        if not _confine(reached, record.parent) and broker.confined:
            sys.stderr.write("the kernel has Landlock and refused it: nothing is done\n")
            return 1
        seal.limit_broker()
        sys.addaudithook(policy.guard.audit)
        if ready_for := arguments[3:]:
            threading.Thread(target=_get_ready, args=ready_for, name="ready", daemon=True).start()
        _serve(Channel.of_fd(fd), policy)
    finally:
        with contextlib.suppress(OSError):
            record.unlink()
    os._exit(0)  # operations that still run end with their connections


def _serve(channel: Channel, policy: PolicySource) -> None:
    while True:
        try:
            connection, files = channel.take()
        except (EOFError, OSError):
            return

        def carry_out(connection: Connection = connection, files: list[int] = files) -> None:
            with contextlib.closing(connection):  # whatever goes wrong, the client does not wait
                from lockhouse.gate.broker.service import serve

                serve(connection, files, policy)

        threading.Thread(target=carry_out, name="operation", daemon=True).start()


def _get_ready(what_for: str) -> None:
    """Import what the first request needs, while the program is still starting."""
    import lockhouse.gate.broker.service  # noqa: F401

    if what_for == "hub":
        import huggingface_hub.hf_api  # noqa: F401


def _protect_process() -> None:
    """End with the launcher; no debugger and no core files, because keys pass through here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    processes.be_private()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_DUMPABLE, 0)


def _prepare_libraries() -> None:
    """Switch off what libraries would do on their own, before they are imported."""
    os.environ.update(
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_UPDATE_CHECK="1",
        HF_HUB_DISABLE_IMPLICIT_TOKEN="1",  # noqa: S106 - no password
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_XET="1",  # native code with connections of its own
        HF_HUB_DISABLE_EXPERIMENTAL_WARNING="1",
        HF_HUB_VERBOSITY="critical",  # no addresses of requests in the log
        HF_HOME="/nonexistent",  # nothing is cached, no token is read from a file
        DO_NOT_TRACK="1",
    )
    sys.modules["hf_xet"] = None  # type: ignore[assignment] # refuses the import


def _confine(reached: tuple[int, ...], records: Path) -> bool:
    """Allow reading libraries, certificates and name look-up, and writing only open files.

    The record may be removed. TCP goes to the ports in ``reached`` and for name look-up only.
    """
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = (
        "/etc", "/proc", "/sys/devices/system/cpu", "/var/lib/ca-certificates", *_OF_NAME_LOOKUP,
    )  # fmt: skip
    # As it is now, wherever it is: not all of /run, where drives are mounted as well.
    servers = Path("/etc/resolv.conf").resolve()
    return seal.confine_files(
        read=[*(Path(place) for place in places), servers, config / "python_keyring"],
        run=seal.program_files(),
        write=[Path("/dev/null"), Path("/dev/urandom")],
        remove=[records],
        connect_ports=(_DNS_PORT, *reached),
    )
