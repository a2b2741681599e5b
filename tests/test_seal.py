"""The seal, attacked from inside: planted connects in every kind of process, and strace."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse import seal
from lockhouse.gate.network import Network

ROOT = Path(__file__).parents[1]
_TRACED = "trace=network,execve,clone,clone3,fork,vfork"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")

# Runs in every process of the program before its first line. Waits in a thread until the seal
# is there, then tries to get out, from Python and from native code.
PLANT = """
import ctypes, errno, os, socket, sys, threading, time

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

def start():
    threading.Thread(target=attack, daemon=True).start()

start()
os.register_at_fork(after_in_child=start)
"""


def environment(tmp_path: Path, *, plant: bool = False) -> dict[str, str]:
    """A home of its own whose engines end with their last client."""
    paths = [str(ROOT / "app")]
    if plant:
        (tmp_path / "plant").mkdir()
        (tmp_path / "plant" / "sitecustomize.py").write_text(PLANT)
        paths.insert(0, str(tmp_path / "plant"))
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "LOCKHOUSE_HOME": str(tmp_path / "home"),
        "LOCKHOUSE_ENGINE_IDLE_S": "0",
        "QT_QPA_PLATFORM": "offscreen",
    }


def lockhouse(
    arguments: list[str], env: dict[str, str], before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "lockhouse", *arguments],
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
    env = environment(tmp_path, plant=True)
    run = lockhouse(["ask", "What is the capital of France?", "--max-tokens", "24"], env)
    assert run.returncode == 0, run.stderr
    logs = "".join(path.read_text() for path in (tmp_path / "home" / "logs").glob("engine-*.log"))
    outcomes = plants(run.stderr + logs)
    assert {door for door, _ in outcomes} == {"door", "engine"}
    engine_pids = set(re.findall(r"PLANT engine (\d+)", logs))
    assert len(engine_pids) >= 2  # the supervisor and the engine it forked
    assert {result for results in outcomes.values() for result in results} == {"refused"}


@linux_only
def test_planted_connects_are_refused_in_the_window(tmp_path: Path) -> None:
    run = lockhouse(["--smoke"], environment(tmp_path, plant=True))
    assert run.returncode == 0, run.stderr
    outcomes = plants(run.stderr)
    assert outcomes
    assert {result for results in outcomes.values() for result in results} == {"refused"}


@linux_only
def test_open_planted_connects_are_refused_everywhere_but_in_the_broker(tmp_path: Path) -> None:
    """The broker is not sealed, and so the plant, which waits for the seal, never strikes there."""
    Network(tmp_path / "home" / "network.json").open(["127.0.0.1:9"])
    env = environment(tmp_path, plant=True)
    run = lockhouse(["ask", "What is the capital of France?", "--max-tokens", "24"], env)
    assert run.returncode == 0, run.stderr
    window = lockhouse(["--smoke"], env)
    assert window.returncode == 0, window.stderr
    assert (tmp_path / "home" / "logs" / "broker.log").exists()  # there was one
    logs = "".join(path.read_text() for path in (tmp_path / "home" / "logs").glob("engine-*.log"))
    outcomes = plants(run.stderr + window.stderr + logs)
    assert {door for door, _ in outcomes} == {"door", "engine"}
    assert {result for results in outcomes.values() for result in results} == {"refused"}


@linux_only
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_sees_internet_sockets_in_the_broker_only(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        Network(tmp_path / "home" / "network.json").open([host])
        env = environment(tmp_path)
        env["PYTHONPATH"] += os.pathsep + str(ROOT)
        strace = ["strace", "-f", "-qq", "-e", _TRACED, "-s", "200", "-o", trace]
        door = subprocess.Popen(
            [*strace, sys.executable, str(ROOT / "tests" / "gate" / "door_program.py")],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert door.stdin is not None
        assert door.stdout is not None
        assert json.loads(door.stdout.readline())["way"] == "open"
        order = {"do": "reach", "id": "one", "url": f"http://{host}/"}
        door.stdin.write(json.dumps(order) + "\n")
        door.stdin.flush()
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            assert json.loads(door.stdout.readline())["event"] == "progress"
            assert json.loads(door.stdout.readline())["status"] == 200
        door.communicate(timeout=60)
    text = trace.read_text()
    internet = set(re.findall(r"^(\d+) .*\bsocket\(AF_INET", text, re.MULTILINE))
    assert internet
    assert internet <= tasks_of_the_broker(text)


def tasks_of_the_broker(trace: str) -> set[str]:
    """The broker and its threads, which strace shows under numbers of their own."""
    found = set(re.findall(r"^(\d+) .*execve\(.*\"--broker\"", trace, re.MULTILINE))
    assert len(found) == 1
    started = re.findall(
        r"^(\d+) .*\b(?:clone3?|v?fork)(?:\(| resumed>).* = (\d+)$", trace, re.MULTILINE
    )
    for parent, child in started:
        if parent in found:
            found.add(child)
    return found


@linux_only
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("arguments", [["ask", "Say hello.", "--max-tokens", "8"], ["--smoke"]])
def test_strace_sees_no_internet_socket(tmp_path: Path, arguments: list[str]) -> None:
    trace = tmp_path / "trace.txt"
    strace = ("strace", "-f", "-qq", "-e", "trace=network", "-o", str(trace))
    run = lockhouse(arguments, environment(tmp_path), strace)
    assert run.returncode == 0, run.stderr
    families = set(re.findall(r"\bsocket\((AF_\w+)", trace.read_text()))
    assert families <= {"AF_UNIX"}


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
