"""The seal, attacked from inside: planted ways out in every kind of process."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse import seal
from lockhouse.gate.network import Network
from lockhouse.processes import own_command
from tests.planting import planted_python

ROOT = Path(__file__).parents[1]
_WAYS = ("inet", "inet6", "native", "look-up", "io_uring", "child")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")

# Runs in every process of the program before its first line. Waits in a thread until the seal
# is there, then tries to get out, from Python and from native code.
PLANT = """
import atexit, ctypes, errno, os, platform, socket, subprocess, sys, threading, time

CHILD = "import ctypes; print(ctypes.CDLL(None).socket(2, 1, 0))"
IO_URING_SETUP = 425

def look_up():
    try:
        socket.getaddrinfo("lockhouse.invalid", 443)
    except socket.gaierror as error:
        return "OUT" if error.errno == socket.EAI_NONAME else "refused"  # an answer is one
    return "OUT"

def child():
    ran = subprocess.run([sys.executable, "-IS", "-c", CHILD], capture_output=True, text=True)
    return "refused" if ran.stdout.strip() == "-1" else f"OUT {ran.stdout} {ran.stderr}"

def io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(IO_URING_SETUP, 4, (ctypes.c_uint8 * 120)())
    return "refused" if fd < 0 and ctypes.get_errno() == errno.EPERM else "OUT"

def attack():
    while "Seccomp:\\t2" not in open("/proc/self/status").read():
        time.sleep(0.005)
    door = "engine" if "--engine" in sys.orig_argv else "door"
    for name, family in (("inet", socket.AF_INET), ("inet6", socket.AF_INET6)):
        try:
            socket.socket(family, socket.SOCK_STREAM).connect(("127.0.0.1", 9))
            result = "OUT"
        except PermissionError:
            result = "refused"
        except OSError as error:
            result = "OUT" if error.errno == errno.ECONNREFUSED else str(error)
        os.write(2, f"PLANT {door} {os.getpid()} {name} {result}\\n".encode())
    native = ctypes.CDLL(None).socket(2, 1, 0)
    result = "OUT" if native >= 0 else "refused"
    os.write(2, f"PLANT {door} {os.getpid()} native {result}\\n".encode())
    for name, attempt in (("look-up", look_up), ("io_uring", io_uring), ("child", child)):
        os.write(2, f"PLANT {door} {os.getpid()} {name} {attempt()}\\n".encode())

def start():
    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    atexit.register(thread.join, 20)  # Python does not end well around a thread that is at work

start()
os.register_at_fork(after_in_child=start)
"""


def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own whose engines end with their last client."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "app"),
        "LOCKHOUSE_HOME": str(tmp_path / "home"),
        "LOCKHOUSE_ENGINE_IDLE_S": "0",
        "QT_QPA_PLATFORM": "offscreen",
    }


def lockhouse(
    arguments: list[str], env: dict[str, str], python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *own_command()[1:], *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        input="",
    )


def plants(text: str) -> dict[tuple[str, str], set[str]]:
    """Outcomes by (door, kind of attempt)."""
    found: dict[tuple[str, str], set[str]] = {}
    for door, kind, result in re.findall(r"PLANT (\S+) \d+ (\S+) (.+)", text):
        found.setdefault((door, kind), set()).add(result)
    return found


@linux_only
def test_planted_connects_are_refused_in_command_engine_and_child(tmp_path: Path) -> None:
    env, python = environment(tmp_path), planted_python(tmp_path / "plant", sitecustomize=PLANT)
    run = lockhouse(["ask", "What is the capital of France?", "--max-tokens", "24"], env, python)
    assert run.returncode == 0, run.stderr
    logs = "".join(path.read_text() for path in (tmp_path / "home" / "logs").glob("engine-*.log"))
    outcomes = plants(run.stderr + logs)
    assert set(outcomes) == {(door, way) for door in ("door", "engine") for way in _WAYS}
    engine_pids = set(re.findall(r"PLANT engine (\d+)", logs))
    assert len(engine_pids) >= 2  # the supervisor and the engine it forked
    assert {result for results in outcomes.values() for result in results} == {"refused"}


@linux_only
def test_planted_connects_are_refused_in_the_window(tmp_path: Path) -> None:
    python = planted_python(tmp_path / "plant", sitecustomize=PLANT)
    run = lockhouse(["--smoke"], environment(tmp_path), python)
    assert run.returncode == 0, run.stderr
    outcomes = plants(run.stderr)
    assert set(outcomes) == {("door", way) for way in _WAYS}
    assert {result for results in outcomes.values() for result in results} == {"refused"}


@linux_only
def test_open_planted_connects_are_refused_everywhere_but_in_the_broker(tmp_path: Path) -> None:
    """The broker is not sealed, and so the plant, which waits for the seal, never strikes there."""
    Network(tmp_path / "home" / "network.json").open(["127.0.0.1:9"])
    env, python = environment(tmp_path), planted_python(tmp_path / "plant", sitecustomize=PLANT)
    run = lockhouse(["ask", "What is the capital of France?", "--max-tokens", "24"], env, python)
    assert run.returncode == 0, run.stderr
    window = lockhouse(["--smoke"], env, python)
    assert window.returncode == 0, window.stderr
    assert (tmp_path / "home" / "logs" / "broker.log").exists()  # there was one
    logs = "".join(path.read_text() for path in (tmp_path / "home" / "logs").glob("engine-*.log"))
    outcomes = plants(run.stderr + window.stderr + logs)
    assert set(outcomes) == {(door, way) for door in ("door", "engine") for way in _WAYS}
    assert {result for results in outcomes.values() for result in results} == {"refused"}


@linux_only
def test_self_test_reports_every_attempt_stopped_by_the_kernel(tmp_path: Path) -> None:
    code = (
        "import json; from lockhouse import seal; seal.seal_network();"
        "print(json.dumps([[p.attempt, p.stopped, p.by] for p in seal.self_test()]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    probes = json.loads(run.stdout)
    assert [attempt for attempt, *_ in probes] == [
        "IPv4 connection",
        "IPv6 connection",
        "UDP packet",
        "Name look-up",
        "Connection from native code",
        "Connection from a child process",
        "io_uring",
        "Netlink, the kernel's own channel",
        "Code put into another program",
        "A connection left open by whoever started this",
    ]
    assert all(stopped and by == "kernel" for _, stopped, by in probes), probes


@linux_only
def test_self_test_tells_when_nothing_is_sealed() -> None:
    """Run unsealed, as this test is, the same attempts must be reported as not stopped."""
    if "Seccomp:\t2" in Path("/proc/self/status").read_text():
        pytest.skip("something outside has sealed this test already")
    open_ways = (
        "IPv4 connection",
        "Connection from native code",
        "Connection from a child process",
    )
    probes = {probe.attempt: probe for probe in seal.self_test()}
    assert not any(probes[attempt].stopped for attempt in open_ways)


@linux_only
@pytest.mark.skipif(not seal.landlock_version(), reason="this kernel has no Landlock")
def test_confinement_hides_everything_else(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "model.bin").write_text("model")
    code = (
        "import sys; from pathlib import Path; from lockhouse import seal\n"
        "folder = Path(sys.argv[1])\n"
        "assert seal.confine_files(read=[folder / 'model.bin'])\n"
        "print((folder / 'model.bin').read_text())\n"
        "for attempt in (lambda: (folder / 'secret.txt').read_text(),\n"
        "                lambda: (folder / 'new.txt').write_text('x'),\n"
        "                lambda: (folder / 'model.bin').write_text('x'),\n"
        "                lambda: (folder / 'secret.txt').unlink()):\n"
        "    try: attempt(); print('done')\n"
        "    except PermissionError: print('refused')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["model", *["refused"] * 4]


@linux_only
def test_a_connection_left_open_is_closed_before_anything_is_loaded(tmp_path: Path) -> None:
    """Inherited, by a number above the three that everyone expects; those are told."""
    code = (
        "import os, stat, threading, time\n"
        "def attack():\n"
        "    while 'Seccomp:\\t2' not in open('/proc/self/status').read(): time.sleep(0.005)\n"
        "    for fd in range(3, 64):\n"
        "        try:\n"
        "            if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, b'OUT')\n"
        "        except OSError: pass\n"
        "threading.Thread(target=attack, daemon=True).start()\n"
    )
    python = planted_python(tmp_path / "plant", sitecustomize=code)
    with socket.create_server(("127.0.0.1", 0)) as server:
        leaked = socket.socket()
        leaked.connect(server.getsockname())
        other, _ = server.accept()
        run = subprocess.run(
            [python, *own_command()[1:], "status", "--prove", "--json"],
            env=environment(tmp_path),
            stdin=leaked,
            pass_fds=(leaked.fileno(),),
            capture_output=True,
            text=True,
            check=False,
        )
        leaked.close()
        with other:
            assert other.recv(100) == b""
    assert "standard input is a network connection" in run.stderr
    told = [row for row in json.loads(run.stdout)["proof"]["rows"] if "left open" in row["attempt"]]
    assert [row["stopped"] for row in told if row["process"] == "this command"] == [False]
