"""The state of the network: sealed unless a whole and valid file says otherwise."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lockhouse import processes
from lockhouse.core.errors import StorageError, UsageMistake
from lockhouse.gate.network import (
    Network,
    NetworkState,
    allows,
    at_time,
    host_pattern,
    hub_endpoint,
    hub_hosts,
    proxy_url,
    with_process,
)
from lockhouse.gate.network_switch import Switch
from lockhouse.gate.running_brokers import Brokers


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(tmp_path / "home" / "network.json")


def test_a_new_home_is_sealed(network: Network) -> None:
    assert network.state() == NetworkState()
    assert not network.state().is_open


def test_opened_and_sealed_again(network: Network) -> None:
    opened = network.open(["Example.ORG", "10.0.0.5:8080"], endpoint="https://mirror.example")
    assert opened == Network(network.path).state()
    assert opened.is_open
    assert opened.hosts == ("example.org:443", "10.0.0.5:8080")
    assert opened.since.endswith("+00:00")
    sealed = network.seal()
    assert not sealed.is_open
    assert sealed.hosts == ()
    assert [path.name for path in network.path.parent.iterdir()] == ["network.json"]


def test_what_another_process_wrote_is_seen(network: Network) -> None:
    network.open(["example.org"])
    Network(network.path).seal()
    assert not network.state().is_open


GOOD = {"version": 1, "mode": "open", "hosts": ["example.org:443"], "lan": False}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 20_000,
        json.dumps({**GOOD, "version": 2}).encode(),
        json.dumps({**GOOD, "mode": "wide open"}).encode(),
        json.dumps({**GOOD, "hosts": []}).encode(),
        json.dumps({**GOOD, "hosts": "example.org:443"}).encode(),
        json.dumps({**GOOD, "hosts": ["*"]}).encode(),
        json.dumps({**GOOD, "hosts": [7]}).encode(),
        json.dumps({**GOOD, "lan": "no"}).encode(),
        json.dumps({**GOOD, "proxy": "socks5://there"}).encode(),
        json.dumps({**GOOD, "proxy": "http://[there"}).encode(),
        json.dumps({**GOOD, "endpoint": "a mirror"}).encode(),
        json.dumps({**GOOD, "endpoint": "https://[there"}).encode(),
        json.dumps({**GOOD, "since": 1}).encode(),
        json.dumps(GOOD).encode()[:-1],
        json.dumps({**GOOD, "since": "x" * 100_000}).encode(),
    ],
)
def test_a_damaged_file_is_sealed_and_told(network: Network, content: bytes) -> None:
    network.path.parent.mkdir()
    network.path.write_bytes(json.dumps(GOOD).encode())
    assert network.state().is_open  # so that what follows is the damage's doing
    network.path.write_bytes(content)
    assert not network.state().is_open
    assert "network.json" in network.state().problem
    network.seal()
    assert network.state().problem == ""


def test_a_file_that_cannot_be_read_is_sealed_and_told(tmp_path: Path) -> None:
    (tmp_path / "network.json").mkdir()
    state = Network(tmp_path / "network.json").state()
    assert not state.is_open
    assert state.problem


@pytest.mark.skipif(sys.platform == "win32", reason="pipes in folders are of POSIX")
def test_a_pipe_in_its_place_is_sealed_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "network.json")
    state = Network(tmp_path / "network.json").state()
    assert not state.is_open
    assert state.problem


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="could not be written"):
        Network(tmp_path / "file" / "network.json").seal()


class Meanwhile(Network):
    """Somebody seals while this is about to be written."""

    def __init__(self, path: Path, act: Callable[[], object]) -> None:
        super().__init__(path)
        self.thread = threading.Thread(target=act)

    def open(self, hosts: Iterable[str], **more: Any) -> NetworkState:
        self.thread.start()
        self.thread.join(0.3)  # where nobody waits for this one, that is more than enough
        return super().open(hosts, **more)


@pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to open")
def test_who_seals_last_has_sealed(network: Network, tmp_path: Path) -> None:
    """A click on Open whose disk is slow, and then one on Seal."""
    brokers = Brokers(tmp_path / "run")
    sealing = Switch(network, brokers, lambda *_: None)
    slow = Meanwhile(network.path, sealing.seal)
    opened = Switch(slow, brokers, lambda *_: None).unseal({}, hosts=["example.org"])
    assert opened.state.is_open
    slow.thread.join()
    assert not network.state().is_open


@pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to open")
def test_sealing_needs_no_folder_for_its_turn(network: Network, tmp_path: Path) -> None:
    network.open(["example.org"])
    (tmp_path / "run").touch()
    Switch(network, Brokers(tmp_path / "run"), lambda *_: None).seal()
    assert not network.state().is_open


@pytest.mark.skipif(sys.platform != "linux", reason="a full disk is made with prlimit")
def test_sealing_needs_no_room_on_the_disk(network: Network) -> None:
    network.open(["example.org"])
    # A file that may not grow past nothing is what a full disk looks like to a writer.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StorageError):
            network.open(["example.net"])
        assert network.state().hosts == ("example.org:443",)
        assert not network.seal().is_open
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not Network(network.path).state().is_open


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("example.org", "example.org:443"),
        ("EXAMPLE.org.:80", "example.org:80"),
        ("*.hf.co", "*.hf.co:443"),
        ("bücher.example", "xn--bcher-kva.example:443"),
        ("192.168.1.20:8080", "192.168.1.20:8080"),
        ("::1", "[::1]:443"),
        ("[::0001]:11434", "[::1]:11434"),
        ("localhost:11434", "localhost:11434"),
    ],
)
def test_hosts_as_they_are_kept(given: str, kept: str) -> None:
    assert host_pattern(given) == kept


@pytest.mark.parametrize(
    "given",
    ["", "*", "*.com", "*.1", "a*.example.org", "https://example.org", "example.org/x", "a b",
     "user@example.org", "example.org:0", "example.org:65536", "example.org:http", "-x.org",
     "exa\x00mple.org", "[::1", "a..b", "x" * 64 + ".org", "example.org:٤٤٣"],
)  # fmt: skip
def test_what_is_no_host(given: str) -> None:
    with pytest.raises(UsageMistake):
        host_pattern(given)


def test_only_what_is_listed_is_allowed() -> None:
    hosts = ("huggingface.co:443", "*.hf.co:443", "[::1]:80", "10.0.0.5:8080")
    for host, port in [
        ("huggingface.co", 443), ("HuggingFace.co.", 443), ("cdn-lfs.hf.co", 443),
        ("a.b.hf.co", 443), ("::1", 80), ("0:0:0:0:0:0:0:1", 80), ("10.0.0.5", 8080),
    ]:  # fmt: skip
        assert allows(hosts, host, port), host
    for host, port in [
        ("huggingface.co", 80), ("hf.co", 443), ("evilhf.co", 443), ("hf.co.evil.example", 443),
        ("x.huggingface.co", 443), ("huggingface.co.evil", 443), ("10.0.0.5", 80), ("::2", 80),
        ("", 443),
    ]:  # fmt: skip
        assert not allows(hosts, host, port), host


def test_the_hub_and_its_mirror() -> None:
    assert hub_hosts({}) == ("huggingface.co:443", "*.huggingface.co:443", "*.hf.co:443")
    assert hub_hosts({"HF_ENDPOINT": "https://huggingface.co/"}) == hub_hosts({})
    assert hub_hosts({"HF_ENDPOINT": "https://mirror.example/hub/"}) == ("mirror.example:443",)
    assert hub_hosts({"HF_ENDPOINT": "http://127.0.0.1:9000"}) == ("127.0.0.1:9000",)
    assert hub_endpoint({"HF_ENDPOINT": "https://mirror.example/hub/"}).endswith("/hub")
    for wrong in ("mirror.example", "ftp://mirror.example", "https://me:secret@mirror.example"):
        with pytest.raises(UsageMistake):
            hub_hosts({"HF_ENDPOINT": wrong})


def test_a_proxy_is_kept_without_a_password() -> None:
    assert proxy_url("http://proxy.example:3128/") == "http://proxy.example:3128"
    for wrong in ("socks5://there", "proxy.example:3128", "http://me:secret@proxy.example:3128"):
        with pytest.raises(UsageMistake):
            proxy_url(wrong)


def test_access_for_a_time_ends_by_itself(network: Network) -> None:
    now = datetime.now(UTC)
    assert network.open(["example.org"], until=at_time(now + timedelta(hours=1))).is_open
    assert not network.has_ended
    assert not network.open(["example.org"], until=at_time(now - timedelta(seconds=1))).is_open
    assert network.state().all_hosts == ()
    assert network.has_ended
    assert network.seal().until == ""
    assert not network.has_ended
    assert not network.open(["example.org"], until="whenever").is_open


def test_access_until_a_process_ends(network: Network) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        birth = birth_of(other.pid)
        assert network.open(["example.org"], until=with_process(other.pid, birth)).is_open
        other.kill()
    assert not network.state().is_open


def birth_of(pid: int) -> float:
    found = processes._birth(pid)
    assert found is not None
    return found
