"""Keys of providers in a real Secret Service, and what happens where there is none to be trusted.

The service is gnome-keyring under a bus of its own, both started for the test.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockhouse.gate import keyring_access as access
from lockhouse.gate.providers import Provider, Providers
from lockhouse.storage.database import Database
from tests.gate.conftest import ROOT, ClientProgram, told
from tests.planting import planted_python
from tests.remote.server import RemoteServer

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., ClientProgram]
_UNTRUSTED = "keyring_backends.PlainText"


@pytest.fixture
def key() -> str:
    """Found nowhere by chance, and different each time."""
    return f"sk-Test{secrets.token_hex(20)}"


@pytest.fixture
def server(key: str) -> Iterator[RemoteServer]:
    with RemoteServer("openai", key=key) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, server: RemoteServer) -> Path:
    """A sealed home that knows one server of its own, which wants a key."""
    folder = tmp_path / "home"
    folder.mkdir()
    change_provider(folder, server.port)
    return folder


def change_provider(home: Path, port: int) -> None:
    database = Database(home / "lockhouse.db", backups=home / "backups")
    providers = Providers(database)
    office = Provider("office", "Office", "openai", "lan", (f"http://127.0.0.1:{port}/v1",))
    if any(known.name == "office" for known in providers.list()):
        providers.change(office)
    else:
        providers.add(office)
    database.close()


def code(run: subprocess.CompletedProcess[str]) -> str:
    return str(json.loads(run.stdout)["error"]["code"])


def state(run: subprocess.CompletedProcess[str]) -> str:
    """Of the one server, by ``keys list``."""
    assert run.returncode == 0, run.stderr
    return str(next(row["state"] for row in json.loads(run.stdout) if row["provider"] == "office"))


# --- a real Secret Service -----------------------------------------------------------------


def test_set_listed_tested_and_removed(
    keyring: dict[str, str], lockhouse: Run, server: RemoteServer, key: str
) -> None:
    assert state(lockhouse("keys", "list", "--json", **keyring)) == "none"
    assert code(lockhouse("keys", "test", "office", "--json", **keyring)) == "no_key"
    kept = lockhouse("keys", "set", "office", stdin=f"{key}\n", **keyring)
    assert kept.returncode == 0, kept.stderr
    assert f"127.0.0.1:{server.port}" in kept.stderr  # whom it is for
    assert state(lockhouse("keys", "list", "--json", **keyring)) == "set"

    sealed = lockhouse("keys", "test", "office", **keyring)
    assert sealed.returncode == 4
    assert "lockhouse unseal --for office" in sealed.stderr
    assert server.requests == []
    assert lockhouse("unseal", "--for", "hub", **keyring).returncode == 0
    elsewhere = lockhouse("keys", "test", "office", **keyring)
    assert elsewhere.returncode == 4
    assert "lockhouse unseal --add --for office" in elsewhere.stderr

    assert lockhouse("unseal", "--add", "--for", "office", **keyring).returncode == 0
    tested = lockhouse("keys", "test", "office", "--json", **keyring)
    assert tested.returncode == 0, tested.stdout
    assert json.loads(tested.stdout)["models"] == len(server.models)
    assert server.requests[-1].header("authorization") == f"Bearer {key}"
    server.key = "another"
    assert code(lockhouse("keys", "test", "office", "--json", **keyring)) == "unauthorized"

    assert lockhouse("keys", "remove", "office", **keyring).returncode == 0
    assert state(lockhouse("keys", "list", "--json", **keyring)) == "none"
    assert lockhouse("keys", "remove", "office", **keyring).returncode == 3
    listed = lockhouse("records", "list", "--json", "--kind", "key_set", "--kind", "key_removed")
    assert [row["kind"] for row in json.loads(listed.stdout)] == ["key_removed", "key_set"]


def test_looking_for_keys_makes_no_keyring_and_asks_for_no_password(
    bus: dict[str, str], lockhouse: Run, tmp_path: Path
) -> None:
    """Where nothing was ever kept, reading the usual way would have a new keyring made."""
    with subprocess.Popen(
        ["gnome-keyring-daemon", "--start", "--foreground", "--components=secrets"],
        env={**os.environ, **bus},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        waiting = ["gdbus", "wait", "--session", "--timeout=30", "org.freedesktop.secrets"]
        subprocess.run(waiting, env={**os.environ, **bus}, check=True)
        assert state(lockhouse("keys", "list", "--json", **bus)) == "none"
        assert code(lockhouse("keys", "test", "office", "--json", **bus)) == "no_key"
        daemon.kill()
    assert not list((tmp_path / "data").rglob("*.keyring"))


@pytest.fixture
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can ask a person for a password, whoever runs the tests."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def unmade(no_window: None, bus: dict[str, str]) -> Iterator[dict[str, str]]:
    """A keyring service that has no keyring yet, and nobody to ask for its password."""
    with subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--components=secrets"],
        env={**os.environ, **bus},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        waiting = ["gdbus", "wait", "--session", "--timeout=30", "org.freedesktop.secrets"]
        subprocess.run(waiting, env={**os.environ, **bus}, check=True)
        yield bus
        daemon.kill()


def test_a_keyring_that_cannot_be_made_is_told_in_words(
    unmade: dict[str, str], lockhouse: Run, key: str
) -> None:
    refused = lockhouse("keys", "set", "office", stdin=f"{key}\n", **unmade)
    assert refused.returncode == 7
    assert "never been set up" in refused.stderr
    assert "chat --key" in refused.stderr
    assert "InitError" not in refused.stderr


def test_whoever_waits_for_the_keyring_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    told_so = threading.Event()
    assert access.ask(lambda _: told_so.wait(30), limit_s=60, on_wait=told_so.set)


def test_a_key_stays_with_the_hosts_it_was_set_for(
    keyring: dict[str, str], lockhouse: Run, home: Path, key: str
) -> None:
    """Whoever changes a provider's address does not get its key."""
    assert lockhouse("keys", "set", "office", stdin=f"{key}\n", **keyring).returncode == 0
    with RemoteServer("openai") as other:
        change_provider(home, other.port)
        assert state(lockhouse("keys", "list", "--json", **keyring)) == "none"
        assert lockhouse("unseal", "--for", "office", **keyring).returncode == 0
        assert code(lockhouse("keys", "test", "office", "--json", **keyring)) == "no_key"
        assert other.requests == []


def test_a_server_added_anew_elsewhere_tells_where_its_key_stays(
    keyring: dict[str, str], lockhouse: Run, server: RemoteServer, key: str
) -> None:
    assert lockhouse("keys", "set", "office", stdin=f"{key}\n", **keyring).returncode == 0
    assert lockhouse("targets", "remove", "office", **keyring).returncode == 0
    moved = lockhouse("targets", "add", "office", "http://127.0.0.1:9/v1", **keyring)
    assert moved.returncode == 0, moved.stderr
    assert f"is for 127.0.0.1:{server.port} only" in moved.stderr
    assert "lockhouse keys set office" in moved.stderr
    assert lockhouse("targets", "remove", "office", **keyring).returncode == 0
    same = lockhouse("targets", "add", "office", server.endpoint, "--json", **keyring)
    assert json.loads(same.stdout)["key_left_at"] == []


@pytest.mark.parametrize("kept", ["with\nlines {key}", "{key} and more", ""])
def test_what_is_no_key_is_not_sent_whoever_kept_it(
    keyring: dict[str, str], lockhouse: Run, server: RemoteServer, key: str, kept: str
) -> None:
    """An error about such a header would quote it."""
    assert lockhouse("keys", "set", "office", stdin=f"{key}\n", **keyring).returncode == 0
    entry = json.dumps({"version": 2, "key": kept.format(key=key), "hosts": [server.host]})
    write = f"import keyring; keyring.set_password('lockhouse', 'office', {entry!r})"
    subprocess.run([sys.executable, "-c", write], env={**os.environ, **keyring}, check=True)
    assert lockhouse("unseal", "--for", "office", **keyring).returncode == 0
    tried = lockhouse("keys", "test", "office", **keyring)
    assert "invalid key" in tried.stderr
    assert key not in tried.stdout + tried.stderr
    assert server.requests == []


def test_a_locked_collection_is_told_and_asks_nobody(
    keyring: dict[str, str], lockhouse: Run, key: str
) -> None:
    assert lockhouse("keys", "set", "office", stdin=f"{key}\n", **keyring).returncode == 0
    lock = "import secretstorage as s; s.get_default_collection(s.dbus_init()).lock()"
    subprocess.run([sys.executable, "-c", lock], env={**os.environ, **keyring}, check=True)
    assert state(lockhouse("keys", "list", "--json", **keyring)) == "locked"
    refused = lockhouse("keys", "test", "office", **keyring)
    assert refused.returncode == 7
    assert "locked" in refused.stderr
    assert "Unlock" in refused.stderr


def test_a_bus_without_a_secret_service_is_no_keyring(
    bus: dict[str, str], lockhouse: Run, key: str
) -> None:
    refused = lockhouse("keys", "set", "office", stdin=f"{key}\n", **bus)
    assert refused.returncode == 7, refused.stderr
    assert key not in refused.stderr


def test_a_bus_that_does_not_answer_is_left_behind(
    lockhouse: Run, tmp_path: Path, key: str
) -> None:
    """It takes the connection and says nothing, as one that hangs does."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "bus"))
        silent.listen(8)
        variables = {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path / 'bus'}",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
        }
        assert state(lockhouse("keys", "list", "--json", **variables)) == "silent"
        refused = lockhouse("keys", "test", "office", **variables)
        assert refused.returncode == 7
        assert "does not answer" in refused.stderr


# --- nothing to be trusted -------------------------------------------------------------------


@pytest.mark.parametrize(
    "backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", _UNTRUSTED]
)
def test_a_keyring_that_keeps_nothing_or_keeps_it_readable_counts_as_none(
    lockhouse: Run, tmp_path: Path, backend: str, key: str
) -> None:
    plain = tmp_path / "plain.txt"
    variables = {"PYTHON_KEYRING_BACKEND": backend, "PLAIN_TEXT_FILE": str(plain)}
    backends = Path(__file__).with_name("keyring_backends.py").read_text()
    python = planted_python(tmp_path / "python", keyring_backends=backends)
    refused = lockhouse("keys", "set", "office", stdin=f"{key}\n", python=python, **variables)
    assert refused.returncode == 7
    assert "no keyring" in refused.stderr
    assert "gnome-keyring" in refused.stderr  # the remedy
    assert not plain.exists()
    plain.write_text(key)
    listed = lockhouse("keys", "list", "--json", python=python, **variables)
    assert state(listed) == "no_keyring"


def test_for_a_session_a_key_is_bound_to_its_hosts_too(
    lockhouse: Run, start: Start, home: Path, server: RemoteServer, key: str
) -> None:
    """The environment of these tests has the null keyring."""
    sealed = start()
    sealed.tell("set-key", provider="office", key=key)
    assert sealed.hear() == {"code": "no_keyring"}  # and no broker that could keep it
    assert lockhouse("unseal", "--for", "office").returncode == 0
    program = start()
    program.tell("set-key", provider="office", key=key)
    assert program.hear() == {"state": "session"}
    program.tell("try-key", provider="office")
    assert program.hear() == {"models": len(server.models), "state": "session"}
    other = start()
    other.tell("try-key", provider="office")
    assert other.hear() == {"code": "no_key", "state": "no_keyring"}  # another program has none
    with RemoteServer("openai") as elsewhere:
        change_provider(home, elsewhere.port)
        program.tell("try-key", provider="office")
        assert program.hear() == {"code": "no_key", "state": "no_keyring"}
        assert elsewhere.requests == []
    assert all(key.encode() not in path.read_bytes() for path in home.rglob("*") if path.is_file())


# --- where a key is not ----------------------------------------------------------------------


def test_a_key_is_nowhere_on_the_disk_and_in_no_sealed_process(
    keyring: dict[str, str],
    lockhouse: Run,
    start: Start,
    home: Path,
    server: RemoteServer,
    key: str,
    tmp_path: Path,
) -> None:
    assert lockhouse("keys", "set", "office", stdin=f"{key}\n", **keyring).returncode == 0
    assert lockhouse("unseal", "--for", "office", **keyring).returncode == 0
    asked = lockhouse("ask", "Hello.", "--max-tokens", "2", LOCKHOUSE_ENGINE_IDLE_S="300")
    assert asked.returncode == 0, asked.stderr
    program = start(**keyring)
    try:
        program.tell("try-key", provider="office")
        assert program.hear() == {"models": len(server.models), "state": "set"}
        assert server.requests[-1].header("authorization") == f"Bearer {key}"
        (engine,) = json.loads(lockhouse("engines", "list", "--json").stdout)
        for pid in (program.process.pid, engine["pid"]):
            assert copies(pid, key) == 0
        for pid in (program.process.pid, engine["pid"], program.broker().pid):
            for file in ("environ", "cmdline"):
                assert key.encode() not in told(pid, file)
    finally:
        lockhouse("engines", "stop")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("keyring" in path.name for path in files)  # the service's own, encrypted
    assert any(path.name == "broker.log" for path in files)
    holders = [path for path in files if key.encode() in path.read_bytes()]
    assert holders == []


def test_a_key_is_in_the_window_only_while_it_is_typed(
    keyring: dict[str, str], environment: dict[str, str], home: Path, key: str
) -> None:
    program = [sys.executable, str(Path(__file__).with_name("typing_program.py")), "office", "none"]
    variables = {**environment, **keyring, "LOCKHOUSE_HOME": str(home)}
    with subprocess.Popen(
        program,
        env={**variables, "QT_QPA_PLATFORM": "offscreen"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as window:
        assert window.stdin is not None
        assert window.stdout is not None
        assert window.stdout.readline() == b"ready\n"
        for letter in key:
            window.stdin.write(letter.encode())
        window.stdin.flush()
        while not copies(window.pid, key):  # it is there, so that what follows could fail
            assert window.poll() is None
        window.stdin.write(b"\n")
        window.stdin.flush()
        assert window.stdout.readline() == b"kept set\n"
        assert copies(window.pid, key) == 0
        window.stdin.close()


def copies(pid: int, key: str) -> int:
    """How often the last part of the key is found in a process's memory, as either encoding.

    The first part of freed memory is written over in any case.
    """
    tail = key[-24:]
    count = 0
    try:
        opened = Path(f"/proc/{pid}/mem").open("rb")  # noqa: SIM115 - entered below
    except PermissionError:  # not every system lets a user look into a process of another parent
        return 0
    with opened as memory:
        for start, end in re.findall(
            r"^([0-9a-f]+)-([0-9a-f]+) rw", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE
        ):
            try:
                memory.seek(int(start, 16))
                found = memory.read(int(end, 16) - int(start, 16))
            except (OSError, ValueError):
                continue  # the kernel's own pages
            count += found.count(tail.encode()) + found.count(tail.encode("utf-16-le"))
    return count


def test_a_keyring_that_is_not_there_is_told(lockhouse: Run, key: str) -> None:
    """A name in the variable of keyring itself, mistyped or of a package that is gone."""
    named = {"PYTHON_KEYRING_BACKEND": "keyrings.nowhere.Keyring"}
    refused = lockhouse("keys", "set", "office", stdin=f"{key}\n", **named)
    assert refused.returncode == 7
    assert "cannot be loaded" in refused.stderr
    assert "PYTHON_KEYRING_BACKEND" in refused.stderr
    assert lockhouse("keys", "list", **named).returncode == 0


def test_looking_for_a_keyring_starts_no_compiler(
    keyring: dict[str, str], lockhouse: Run, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    (tmp_path / "bin").mkdir()
    for name in ("cc", "gcc", "ld", "objdump"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\necho {name} >> {started}\nexit 1\n")
        program.chmod(0o755)
    path = os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"]))
    variables = {**keyring, "PATH": path, "PYTHON_KEYRING_BACKEND": ""}
    assert lockhouse("keys", "list", **variables).returncode == 0
    assert not started.exists()
