"""A whole session of window and command line under strace: who opens a socket, and of which kind.

strace stops a call before the seal refuses it, so that a mere attempt would show as well.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lockhouse.engine.checkup import EngineCheckup
from lockhouse.gate.network import Network
from lockhouse.gate.providers import Provider, Providers
from lockhouse.library.starter import starter_model
from lockhouse.storage.database import Database
from tests.remote.server import RemoteServer

ROOT = Path(__file__).parents[2]
_CALLS = "trace=network,io_uring_setup,execve,clone,clone3,fork,vfork"
_OPENED = re.compile(r"^(\d+) .*\bsocket\((AF_\w+)", re.MULTILINE)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.timeout(300),
]
Trace = Callable[..., str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: what is found out about the engine is found out once."""
    folder = tmp_path_factory.mktemp("silence") / "home"
    starter = starter_model()
    assert starter is not None
    EngineCheckup(folder / "cache").require(starter)
    return folder


@pytest.fixture
def traced(tmp_path: Path, home: Path) -> Trace:
    """Run a program under strace; what it did is given back."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "app"), str(ROOT))),
        "LOCKHOUSE_HOME": str(home),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "QT_QPA_PLATFORM": "offscreen",
        "HF_ENDPOINT": "",
        "LOCKHOUSE_ENGINE_IDLE_S": "0",  # strace waits for engines too
    }

    def run(*arguments: str, stdin: str = "", code: int = 0) -> str:
        trace = tmp_path / "trace.txt"
        strace = ["strace", "-f", "-qq", "-e", _CALLS, "-s", "200", "-o", str(trace)]
        done = subprocess.run(
            [*strace, sys.executable, *arguments],
            env=environment,
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr[-3000:]
        return trace.read_text()

    return run


def tasks_of_the_broker(trace: str) -> set[str]:
    """The broker and its threads, which strace shows under numbers of their own."""
    found = set(re.findall(r"^(\d+) .*execve\(.*\"--broker\"", trace, re.MULTILINE))
    started = re.findall(
        r"^(\d+) .*\b(?:clone3?|v?fork)(?:\(| resumed>).* = (\d+)$", trace, re.MULTILINE
    )
    for parent, child in started:
        if parent in found:
            found.add(child)
    return found


def commands() -> list[tuple[list[str], str, int]]:
    """Arguments, input and exit code."""
    return [
        (["chat"], "Say hello.\n", 0),
        (["models", "list"], "", 0),
        (["chats", "search", "hello"], "", 0),
    ]


def test_sealed_nothing_opens_a_socket_to_anywhere(traced: Trace, home: Path) -> None:
    Network(home / "network.json").seal()
    traces = [traced(str(Path(__file__).with_name("silent_session.py")), str(home))]
    for arguments, stdin, code in commands():
        traces.append(traced("-m", "lockhouse", *arguments, stdin=stdin, code=code))
    traces.append(traced("-m", "lockhouse", "models", "search", "tiny", code=4))
    chat = newest_chat(home)
    exported = str(home / "export.md")
    traces.append(traced("-m", "lockhouse", "chats", "export", chat, "-o", exported))
    whole = "".join(traces)
    assert {family for _, family in _OPENED.findall(whole)} == {"AF_UNIX"}
    assert "io_uring_setup(" not in whole
    assert tasks_of_the_broker(whole) == set()
    assert (home / "chat.md").exists()  # the window did what it was told


def test_open_only_the_broker_opens_one(traced: Trace, home: Path) -> None:
    with RemoteServer("openai") as server:
        host = f"127.0.0.1:{server.port}"
        know(home, server.port)
        Network(home / "network.json").open([], lan_hosts=[host], endpoint=f"http://{host}")
        runs = [[str(Path(__file__).with_name("silent_session.py")), str(home)]]
        runs.append(["-m", "lockhouse", "ask", "Say hello.", "-m", "office/small"])
        for arguments in runs:
            trace = traced(*arguments)
            opened = {task for task, family in _OPENED.findall(trace) if family != "AF_UNIX"}
            broker = tasks_of_the_broker(trace)
            assert broker, "there was no broker"
            assert opened <= broker
            assert "io_uring_setup(" not in trace
            if "office/small" in arguments:
                assert opened, "nothing was sent"
        assert any(sent.path.endswith("/chat/completions") for sent in server.requests)


def know(home: Path, port: int) -> None:
    database = Database(home / "lockhouse.db", backups=home / "backups")
    address = f"http://127.0.0.1:{port}/v1"
    Providers(database).add(Provider("office", "Office", "openai", "lan", (address,), key="none"))
    database.close()


def newest_chat(home: Path) -> str:
    from lockhouse.chat.conversations import Conversations

    database = Database(home / "lockhouse.db", backups=home / "backups")
    (first, *_) = Conversations(database).list()
    database.close()
    return first.id
