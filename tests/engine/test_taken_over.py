"""Code that has taken an engine over, after the seal: what it cannot reach, change or learn."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from lockhouse import seal
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineSpec
from tests.planting import planted_python

from .conftest import ask, request

PLANT = """
import ctypes, json, os, resource, socket, sys

def attempt(name, act):
    try:
        result = act()
    except OSError as error:
        result = f"refused {error.errno}"
    os.write(2, f"PLANT {name} {result}\\n".encode())

def reach(address):
    with socket.socket(socket.AF_UNIX) as found:
        found.connect(address)
        found.sendall(b"please send this on")
    return "OUT"

def pose():
    log = os.readlink("/proc/self/fd/2")
    mine = os.path.basename(log)[len("engine-"):-len(".log")]
    record = os.path.join("@FOLDER@", "run", mine + ".json")
    with open(record, "r+") as file:
        file.write(json.dumps({"pid": 1}))
    return "OUT"

def enter(call, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(call, *arguments)
    code = ctypes.get_errno()
    if code == 1:
        raise PermissionError(1, "")
    return f"OUT {code}"

def attack():
    attempt("path", lambda: reach("@FOLDER@/agent.sock"))
    attempt("abstract", lambda: reach("\\0lockhouse-@PID@"))
    attempt("engines", lambda: [reach(os.path.join("@FOLDER@", "run", name))
                                for name in os.listdir("@FOLDER@/run") if name.endswith("sock")])
    attempt("record", pose)
    ptrace, write = (101, 311) if os.uname().machine == "x86_64" else (117, 271)
    attempt("ptrace", lambda: enter(ptrace, 16, @PID@, 0, 0))
    attempt("write", lambda: enter(write, @PID@, 0, 0, 0, 0, 0))
    attempt("key", lambda: os.environ.get("ANTHROPIC_API_KEY", "unknown"))
    attempt("core", lambda: resource.getrlimit(resource.RLIMIT_CORE)[0])

class WhenConfined:
    def find_spec(self, name, path=None, target=None):
        if name == "lockhouse.engine.process.service":
            sys.meta_path.remove(self)
            attack()

if "--engine" in sys.orig_argv:
    sys.meta_path.insert(0, WhenConfined())
"""


@pytest.mark.skipif(
    seal.landlock_version() < 6, reason="this kernel cannot keep an engine from local sockets"
)
def test_an_engine_taken_over_reaches_no_program_and_poses_as_no_other(
    tmp_path: Path, pool: EnginePool, spec: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []
    for address in (str(tmp_path / "agent.sock"), f"\0lockhouse-{os.getpid()}"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen()
        threading.Thread(
            target=lambda listener=listener: told.append(listener.accept()[0].recv(99)),
            daemon=True,
        ).start()
    plant = PLANT.replace("@FOLDER@", str(tmp_path)).replace("@PID@", str(os.getpid()))
    python = planted_python(tmp_path / "plant", sitecustomize=plant)
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    assert ask(pool, spec, request("Say hello.", max_tokens=4)).finished
    logs = "".join(path.read_text() for path in (tmp_path / "logs").glob("engine-*.log"))
    outcomes = dict(line.split(" ", 2)[1:] for line in logs.splitlines() if "PLANT" in line)
    refused = {name for name, result in outcomes.items() if result.startswith("refused")}
    assert refused == {"path", "abstract", "engines", "record", "ptrace", "write"}, outcomes
    assert outcomes["key"] == "unknown"
    assert outcomes["core"] in ("0", "1")
    assert told == []
    assert [engine.model_name for engine in pool.list()] == [spec.model_name]
