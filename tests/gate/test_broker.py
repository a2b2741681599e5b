"""The broker at work: a real process, real connections, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lockhouse import seal
from lockhouse.gate.network import Network
from lockhouse.gate.running_brokers import Brokers
from tests.gate.conftest import ClientProgram, told
from tests.gate.web import Web
from tests.planting import planted_python

Start = Callable[..., ClientProgram]
Run = Callable[..., subprocess.CompletedProcess[str]]


def is_gone(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return status[status.rindex(")") + 2] in "ZX"


def wait_until_gone(pid: int) -> None:
    while not is_gone(pid):
        threading.Event().wait(0.01)


# --- what it does --------------------------------------------------------------------------


def test_bytes_go_into_the_file_that_was_handed_over(
    start: Start, web: Web, tmp_path: Path
) -> None:
    program = start()
    assert program.way == "open"
    done = program.reach(web.url("/text?say=bytes+of+a+model"), to=str(tmp_path / "part"))
    assert done["status"] == 200
    assert (tmp_path / "part").read_bytes() == b"bytes of a model"
    told = program.ask("records")
    kinds = [(kind, host, outcome, purpose) for kind, host, outcome, *_, purpose in told["records"]]
    assert kinds == [("transfer", web.host, "200", "test"), ("allowed", web.host, "", "test")]
    assert told["records"][0][3] == told["bytes_out"] > 50
    assert told["records"][0][4] > len("bytes of a model")


def test_nothing_about_the_user_travels_along(start: Start, web: Web, elsewhere: Web) -> None:
    proxy = elsewhere.url("")
    program = start(HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy, HF_TOKEN="hf_secret")
    assert program.reach(web.url("/cookie"))["status"] == 200
    assert program.reach(web.url("/text"))["status"] == 200
    sent = {"host", "accept", "connection", "user-agent", "accept-encoding"}
    for _, headers in web.requests:
        assert set(headers) == sent
        assert headers["user-agent"] == "lockhouse"
    assert elsewhere.requests == []
    environment = told(program.broker().pid, "environ")
    assert b"hf_secret" not in environment
    assert b"PROXY" not in environment.upper()


def test_a_redirect_to_a_host_that_is_not_listed_is_refused(
    start: Start, web: Web, elsewhere: Web
) -> None:
    program = start()
    assert program.reach(web.url(f"/redirect?to={web.url('/text')}"))["status"] == 200
    refused = program.reach(web.url(f"/redirect?to={elsewhere.url('/text')}"))
    assert refused["code"] == "host_not_allowed"
    assert refused["exit_code"] == 4
    assert elsewhere.host in refused["message"]
    assert elsewhere.requests == []
    assert ["refused", elsewhere.host, "host_not_allowed", 0, 0, "test"] in program.ask("records")[
        "records"
    ]


def test_a_redirect_into_ones_own_network_comes_without_a_hint_to_allow_it(
    start: Start, web: Web
) -> None:
    program = start()
    for host in ("169.254.169.254", "127.0.0.1:9", "192.168.1.1", "[fe80::1]"):
        refused = program.reach(web.url(f"/redirect?to=http://{host}/latest/meta-data"))
        assert refused["code"] == "host_not_allowed"
        assert "unseal" not in refused["hint"]
        assert "own network" in refused["hint"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/status?code=401", "unauthorized"),
        ("/status?code=403", "forbidden"),
        ("/status?code=404", "not_there"),
        ("/status?code=429&after=17", "rate_limited"),
        ("/status?code=500", "remote_failed"),
        ("/reset", "connection_lost"),
        ("/packed", "remote_failed"),
        ("/redirect?to=/redirect%3Fto=/text", ""),
    ],
)
def test_what_a_host_says_is_told(start: Start, web: Web, path: str, code: str) -> None:
    told = start().reach(web.url(path))
    assert told.get("code", "") == code
    if code:
        assert told["exit_code"] == 4
        assert told["message"]
    if code == "rate_limited":
        assert told["retry_after_s"] == 17
        assert "17" in told["hint"]


def test_the_hub_library_asks_once_and_for_nothing_else(start: Start, home: Path, web: Web) -> None:
    """Left to itself it would try again for half a minute, and report what it is used for."""
    Network(home / "network.json").open([web.host], endpoint=web.url(""))
    program = start()
    assert program.ask("search")["code"] == "connection_lost"  # the server hangs up on it
    assert [path.partition("?")[0] for path in web.paths()] == ["/api/models"]
    assert web.requests[0][1]["user-agent"] == "lockhouse"
    assert set(web.requests[0][1]) <= {
        "host", "accept", "connection", "user-agent", "accept-encoding",
    }  # fmt: skip


def test_more_than_was_asked_for_is_not_read(start: Start, web: Web) -> None:
    assert start().reach(web.url("/drip"), most_bytes=100_000)["code"] == "too_large"
    assert web.gone.wait(10)


def test_what_the_network_does_is_told(start: Start, home: Path, web: Web) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        closed = f"127.0.0.1:{taken.getsockname()[1]}"
        listed = [web.host, closed, "no-such-host.invalid:80", f"127.0.0.2:{web.port}"]
        Network(home / "network.json").open(listed)
        program = start()
        assert program.reach(f"http://{closed}/")["code"] == "connection_refused"
        assert program.reach("http://no-such-host.invalid/")["code"] == "dns"
        assert program.reach(f"http://127.0.0.2:{web.port}/")["code"] == "connection_refused"
        assert program.reach(f"https://{web.host}/")["code"] == "tls"


def test_only_local_addresses_by_whatever_name(start: Start, home: Path, web: Web) -> None:
    Network(home / "network.json").open([web.host, "203.0.113.7:80"], lan=True)
    program = start()
    assert program.reach(web.url("/text"))["status"] == 200
    refused = program.reach("http://203.0.113.7/")
    assert refused["code"] == "host_not_allowed"
    assert "local network" in refused["message"]


def test_the_policys_proxy_is_the_only_way(
    start: Start, home: Path, web: Web, elsewhere: Web
) -> None:
    network = Network(home / "network.json")
    network.open(["models.invalid:80", web.host], proxy=f"http://{elsewhere.host}")
    program = start()
    # The proxy has no such path and hangs up: that it was asked, and for what, is the point.
    program.reach("http://models.invalid/text")
    program.reach(web.url("/text"))
    assert elsewhere.paths() == ["http://models.invalid/text", web.url("/text")]
    assert web.requests == []
    assert program.reach("http://other.invalid/text")["code"] == "host_not_allowed"


# --- how it ends ---------------------------------------------------------------------------


def test_cancelling_ends_the_connection(start: Start, web: Web) -> None:
    program = start()
    program.tell("reach", id="one", url=web.url("/stall"))
    while not web.requests:
        threading.Event().wait(0.01)
    program.tell("cancel", id="one")
    assert program.hear_end()["cancelled"]
    assert web.gone.wait(10)
    assert program.reach(web.url("/text"))["status"] == 200  # the broker goes on
    assert program.ask("records")["records"][2][2] == "cancelled"


def test_sealing_ends_a_transfer_at_once_and_for_good(
    start: Start, web: Web, home: Path, lockhouse: Run, tmp_path: Path
) -> None:
    program = start()
    broker = program.broker()
    program.tell("reach", id="one", url=web.url("/drip"), to=str(tmp_path / "part"))
    assert program.hear()["event"] == "progress"
    sealed = lockhouse("seal")
    assert sealed.returncode == 0, sealed.stderr
    assert "1 running program" in sealed.stderr
    assert is_gone(broker.pid)
    told = program.hear_end()
    assert (told["code"], told["exit_code"]) == ("cut_off", 4)
    assert web.gone.wait(10)
    records = program.ask("records")["records"]
    (cut,) = (record for record in records if record[0] == "transfer")
    assert cut[1:3] == [web.host, "cut_off"]
    assert cut[3] > 0, "what had left when it was cut off is not told as nothing"
    assert (tmp_path / "part").stat().st_size > 0  # what came is kept
    assert program.ask("status")["way"] == "sealed_meanwhile"
    assert program.reach(web.url("/text"))["code"] == "sealed"
    # Opened again, this program still has no way out: it must be started anew.
    assert lockhouse("unseal", "--host", web.host).returncode == 0
    assert program.ask("status")["way"] == "broker_gone"
    assert program.reach(web.url("/text"))["code"] == "sealed"
    assert start().reach(web.url("/text"))["status"] == 200
    kinds = [record[0] for record in program.ask("records")["records"]]
    assert {"sealed", "unsealed", "refused", "allowed"} <= set(kinds)


def test_a_window_seals_itself_and_all_others(start: Start, web: Web) -> None:
    first, second = start(), start()
    broker = first.broker()
    second.broker()
    assert first.ask("seal") == {"ended": 2}
    assert is_gone(broker.pid)
    assert second.reach(web.url("/text"))["code"] == "sealed"
    first.tell("unseal", host=web.host)
    assert first.hear() == {"hosts": [web.host]}
    status = first.ask("status")
    assert status["way"] == "broker_gone"
    assert "Restart" in status["what_to_do"]
    assert start().reach(web.url("/text"))["status"] == 200


def test_a_broker_that_is_killed_is_told_and_harmless(start: Start, web: Web) -> None:
    program = start()
    program.tell("reach", id="one", url=web.url("/drip"))
    assert program.hear()["event"] == "progress"
    os.kill(program.broker().pid, signal.SIGKILL)
    told = program.hear_end()
    assert told["code"] == "cut_off"
    assert "network process stopped" in told["message"]
    assert "may have arrived" in told["message"]
    assert program.ask("status")["way"] == "broker_gone"
    assert Brokers(program.home / "run").list() == []


def test_a_broker_that_hangs_is_ended_and_told(start: Start, web: Web) -> None:
    program = start()
    program.tell("reach", id="one", url=web.url("/drip"))
    assert program.hear()["event"] == "progress"
    pid = program.broker().pid
    os.kill(pid, signal.SIGSTOP)
    told = program.hear_end()
    assert told["code"] == "cut_off"
    assert "network process stopped" in told["message"]
    assert is_gone(pid)
    assert program.ask("status")["way"] == "broker_gone"


def test_a_door_that_is_killed_takes_its_broker_along(start: Start, web: Web) -> None:
    program = start()
    broker = program.broker()
    program.tell("reach", id="one", url=web.url("/drip"))
    assert program.hear()["event"] == "progress"
    program.process.kill()
    wait_until_gone(broker.pid)
    assert web.gone.wait(10)
    assert Brokers(program.home / "run").list() == []


def test_two_doors_have_two_brokers(start: Start, web: Web) -> None:
    first, second = start(), start()
    assert first.broker().pid != second.broker().pid
    first.close()
    assert second.reach(web.url("/text"))["status"] == 200
    assert [b.launcher_pid for b in Brokers(second.home / "run").list()] == [second.process.pid]


def test_a_list_that_became_shorter_holds_at_once(
    start: Start, home: Path, web: Web, elsewhere: Web
) -> None:
    network = Network(home / "network.json")
    network.open([web.host, elsewhere.host])
    program = start()
    assert program.reach(elsewhere.url("/text"))["status"] == 200
    network.open([web.host])
    assert program.reach(elsewhere.url("/text"))["code"] == "host_not_allowed"
    assert program.reach(web.url("/text"))["status"] == 200
    network.path.write_text(network.path.read_text().replace('"open"', '"sealed"'))
    assert program.reach(web.url("/text"))["code"] == "sealed"  # whoever wrote it, broker or not


def test_a_host_that_is_added_works_at_once_or_says_why_not(
    start: Start, home: Path, web: Web, elsewhere: Web
) -> None:
    network = Network(home / "network.json")
    beside = f"127.0.0.2:{web.port}"  # another address, a port that the broker may use
    program = start()
    assert program.reach(f"http://{beside}/")["code"] == "host_not_allowed"
    network.open([web.host], lan_hosts=[beside, elsewhere.host])
    assert program.reach(f"http://{beside}/")["code"] == "connection_refused"  # nobody is there
    refused = program.reach(elsewhere.url("/text"))
    if seal.landlock_version() >= seal.LANDLOCK_WITH_PORTS:
        assert refused["code"] == "start_anew"
        assert "Restart" in refused["hint"]
        assert elsewhere.requests == []
    assert start().reach(elsewhere.url("/text"))["status"] == 200


def test_the_broker_believes_the_file_of_the_home_only(
    start: Start, home: Path, web: Web, elsewhere: Web, tmp_path: Path
) -> None:
    """A program that was taken over might hand over a file of its own making."""
    program = start()
    Network(tmp_path / "forged.json").open([web.host, elsewhere.host, f"127.0.0.2:{web.port}"])
    program.tell("believe", path=str(tmp_path / "forged.json"))
    assert program.hear()["done"]
    refused = program.reach(f"http://127.0.0.2:{web.port}/")
    assert (refused["code"], refused["exit_code"]) == ("sealed", 4)
    assert ["refused", "", "sealed", 0, 0, "test"] in program.ask("records")["records"]


# --- sealed ---------------------------------------------------------------------------------


def test_a_program_that_started_sealed_stays_sealed(
    start: Start, home: Path, web: Web, lockhouse: Run
) -> None:
    Network(home / "network.json").seal()
    program = start()
    assert program.way == "sealed"
    refused = program.reach(web.url("/text"))
    assert (refused["code"], refused["exit_code"]) == ("sealed", 4)
    assert "lockhouse unseal" in refused["hint"]
    assert not (home / "run" / "brokers").exists()
    assert lockhouse("unseal", "--host", web.host).returncode == 0
    assert program.ask("status")["way"] == "start_anew"
    assert "Restart" in program.reach(web.url("/text"))["hint"]
    assert program.ask("records")["records"][0][:3] == ["refused", "", "sealed"]
    assert web.requests == []


def test_a_damaged_state_is_sealed_and_told(start: Start, home: Path, lockhouse: Run) -> None:
    (home / "network.json").write_text('{"mode": "open"')
    assert start().way == "damaged"
    assert "damaged" in lockhouse("status").stdout
    assert not (home / "run" / "brokers").exists()


# --- planted violations ---------------------------------------------------------------------

PLANT = """
import ctypes, os, socket, subprocess, sys

def attempt(name, act):
    try:
        result = act()
    except Exception as error:
        result = f"refused: {type(error).__name__}"
    os.write(2, f"PLANT {name} {result}\\n".encode())

def native():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.socket(2, 1, 0)
    port = int(os.environ["PYTHON_PLANT_PORT"])
    address = (2).to_bytes(2, "little") + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    if libc.connect(fd, address, 16) == 0:
        return "OUT"
    raise OSError(ctypes.get_errno())

def connect():
    socket.create_connection(("127.0.0.1", int(os.environ["PYTHON_PLANT_PORT"])), 2)
    return "OUT"

def attack():
    attempt("connect", connect)
    attempt("native", native)
    attempt("look-up", lambda: socket.getaddrinfo("example.invalid", 443) and "OUT")
    attempt("child", lambda: subprocess.run([sys.executable, "-c", ""]) and "OUT")
    attempt("bind", lambda: socket.socket().bind(("127.0.0.1", 0)) or "OUT")
    attempt("udp", lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)))
    attempt("database", lambda: open(os.environ["PYTHON_PLANT_DATABASE"], "rb").read(1) and "OUT")
    attempt("write", lambda: open("/tmp/lockhouse-plant", "w") and "OUT")
    attempt("xet", lambda: __import__("hf_xet") and "OUT")
    os.write(2, b"PLANT done\\n")

class AtTheFirstRequest:
    def find_spec(self, name, path=None, target=None):
        if name == "lockhouse.gate.broker.service":
            sys.meta_path.remove(self)
            attack()

if "--broker" in sys.orig_argv:
    sys.meta_path.insert(0, AtTheFirstRequest())
"""


def test_code_planted_in_the_broker_reaches_no_other_host_and_no_file(
    start: Start, home: Path, web: Web, elsewhere: Web, tmp_path: Path
) -> None:
    program = start(
        planted_python(tmp_path / "plant", sitecustomize=PLANT),
        PYTHON_PLANT_PORT=str(elsewhere.port),
        PYTHON_PLANT_DATABASE=str(home / "lockhouse.db"),
    )
    assert program.reach(web.url("/text"))["status"] == 200
    log = home / "logs" / "broker.log"
    told = [line.split(" ", 2) for line in log.read_text().splitlines() if "PLANT" in line]
    outcomes = {words[1]: words[2] for words in told if len(words) == 3}
    assert set(outcomes) == {
        "connect", "native", "look-up", "child", "bind", "udp", "database", "write", "xet",
    }  # fmt: skip
    assert {name for name, result in outcomes.items() if "refused" not in result} == set()
    assert elsewhere.requests == []
