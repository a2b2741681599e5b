"""Programs, brokers and web servers: real processes and real connections on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lockhouse.gate.network import Network
from lockhouse.gate.running_brokers import Broker, Brokers
from lockhouse.processes import own_command
from tests.gate.web import Web

ROOT = Path(__file__).parents[2]
_KEYRING_PROGRAMS = ("dbus-daemon", "gdbus", "gnome-keyring-daemon")


class ClientProgram:
    """A running program of one home."""

    def __init__(
        self, home: Path, environment: dict[str, str], python: str = sys.executable
    ) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("client_program.py"))],
            env={**environment, "LOCKHOUSE_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.way = self.hear()["way"]

    def tell(self, do: str, **more: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the program has ended"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def hear_end(self) -> dict[str, Any]:
        """The next that is no progress."""
        while True:
            heard = self.hear()
            if "event" not in heard:
                return heard

    def reach(self, url: str, **more: Any) -> dict[str, Any]:
        self.tell("reach", id="one", url=url, **more)
        return self.hear_end()

    def ask(self, do: str) -> dict[str, Any]:
        self.tell(do)
        return self.hear()

    def broker(self) -> Broker:
        """This program's own; it may still be starting."""
        while True:
            for broker in Brokers(self.home / "run").list():
                if broker.launcher_pid == self.process.pid:
                    return broker
            assert self.process.poll() is None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def told(pid: int | str, file: str) -> bytes:
    """What the kernel tells of a process; nothing where it does not, as of a broker to a user."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except PermissionError:
        return b""


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Web]:
    """Another server, which nobody has allowed."""
    with Web() as server:
        yield server


@pytest.fixture
def environment() -> dict[str, str]:
    """Without the settings and the keyring of whoever runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCKHOUSE_")}
    kept.pop("HF_ENDPOINT", None)
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "app"), str(ROOT))),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


@pytest.fixture
def home(tmp_path: Path, web: Web) -> Path:
    """A home that is open for the web server, and for nothing else."""
    folder = tmp_path / "home"
    Network(folder / "network.json").open([web.host])
    return folder


@pytest.fixture
def start(home: Path, environment: dict[str, str]) -> Iterator[Callable[..., ClientProgram]]:
    """Start a program of the home."""
    programs: list[ClientProgram] = []

    def begin(python: str = sys.executable, **variables: str) -> ClientProgram:
        programs.append(ClientProgram(home, {**environment, **variables}, python))
        return programs[-1]

    yield begin
    for program in programs:
        program.close()


@pytest.fixture
def lockhouse(
    home: Path, environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command on the home."""

    def run(
        *arguments: str, stdin: str = "", python: str = sys.executable, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """A variable that is empty is not there."""
        return subprocess.run(
            [python, *own_command()[1:], "--home", str(home), *arguments],
            env={name: text for name, text in {**environment, **variables}.items() if text},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A session bus of its own."""
    if missing := [name for name in _KEYRING_PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nosyslog", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        yield {
            "DBUS_SESSION_BUS_ADDRESS": daemon.stdout.readline().strip(),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_RUNTIME_DIR": str(tmp_path),
        }
        daemon.terminate()


@pytest.fixture
def keyring(bus: dict[str, str]) -> Iterator[dict[str, str]]:
    """The variables by which programs find an unlocked GNOME keyring, new and empty."""
    with subprocess.Popen(
        ["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets"],
        env={**os.environ, **bus},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        assert daemon.stdin is not None
        daemon.stdin.write(b"a password")
        daemon.stdin.close()
        waiting = ["gdbus", "wait", "--session", "--timeout=30", "org.freedesktop.secrets"]
        subprocess.run(waiting, env={**os.environ, **bus}, check=True)
        yield bus
        daemon.send_signal(signal.SIGKILL)
