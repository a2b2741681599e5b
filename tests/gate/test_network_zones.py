"""Hosts of the local network: near whatever a name says, and the only ones for plain keys."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from lockhouse.core.errors import LockhouseError, NetworkRefused, UsageMistake
from lockhouse.gate.broker import operation as operations
from lockhouse.gate.broker.guard import Guard, require_near
from lockhouse.gate.broker.operation import Operation
from lockhouse.gate.broker.transport import GuardedTransport, make_client
from lockhouse.gate.host_names import Hosts, hosts_for, reached, sentence
from lockhouse.gate.network import (
    Network,
    NetworkState,
    allows,
    host_of,
    host_pattern,
    hosts_of,
    proxy_url,
    reachable_ports,
)
from lockhouse.gate.protocol import Record
from lockhouse.gate.providers import Provider, Providers, is_this_machine, zone_of
from lockhouse.storage.database import Database
from tests.gate.web import Web

KEY = "sk-zone-test-key"


def lan(*hosts: str) -> Guard:
    return Guard(NetworkState("open", lan_hosts=hosts))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.10", "10.1.2.3", "172.31.255.255", "192.168.178.20", "169.254.7.7",
     "::1", "fd12:3456::1", "fe80::1", "::ffff:192.168.1.1", "localhost", "127.1", "2130706433"],
)  # fmt: skip
def test_what_is_near(host: str) -> None:
    """The last two are 127.0.0.1 in the writing of old tools, and judged by what they are."""
    name = f"[{host}]:80" if ":" in host else f"{host}:80"
    guard = lan(host_pattern(name))
    assert guard.look_up(host, 80)


@pytest.mark.parametrize(
    "host",
    ["8.8.8.8", "172.32.0.1", "192.169.0.1", "100.64.0.1", "0.0.0.0", "255.255.255.255",
     "224.0.0.1", "134744072", "8.526344", "2001:db8::1", "::", "::ffff:8.8.8.8", "::8.8.8.8",
     "::ffff:0.0.0.0", "2002:c0a8:101::1", "64:ff9b::c0a8:101"],
)  # fmt: skip
def test_what_is_not_near_whatever_it_looks_like(host: str) -> None:
    name = f"[{host}]:80" if ":" in host else f"{host}:80"
    guard = lan(host_pattern(name))
    with pytest.raises(NetworkRefused) as caught:
        guard.look_up(host, 80)
    assert caught.value.code == "host_not_allowed"
    assert "local network" in caught.value.message


@pytest.mark.parametrize(
    "numbers",
    [("192.168.1.5", "203.0.113.9"), ("203.0.113.9", "192.168.1.5"), ("::1", "2001:db8::5"),
     ("10.0.0.1", "0.0.0.0"), ("fd00::1", "::ffff:203.0.113.9")],
)  # fmt: skip
def test_an_answer_that_mixes_near_and_far_is_far(numbers: tuple[str, ...]) -> None:
    """What a name server says in one answer; another may follow, so one far address is enough."""
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    answer = [(int(families[":" in number]), number, 80) for number in numbers]
    with pytest.raises(NetworkRefused, match="outside the local network"):
        require_near("server.lan", answer)


def test_a_host_on_both_lists_must_be_near(network: Network) -> None:
    state = network.open(["10.0.0.5:80", "example.org"], lan_hosts=["10.0.0.5:80"])
    assert state.hosts == ("example.org:443",)
    with pytest.raises(NetworkRefused):
        Guard(NetworkState("open", ("8.8.8.8:80",), lan_hosts=("8.8.8.8:80",))).look_up(
            "8.8.8.8", 80
        )


@pytest.mark.parametrize("host", ["8.8.8.8", "0.0.0.0:80", "[::ffff:8.8.8.8]:80", "100.64.0.1"])
def test_an_address_outside_is_no_host_of_the_local_network(network: Network, host: str) -> None:
    with pytest.raises(UsageMistake, match="private network"):
        network.open([], lan_hosts=[host])
    assert not network.state().is_open


def test_an_older_file_with_the_flag_holds_for_all_hosts() -> None:
    guard = Guard(NetworkState("open", ("8.8.8.8:80",), lan=True))
    with pytest.raises(NetworkRefused):
        guard.look_up("8.8.8.8", 80)


def test_a_door_can_make_a_zone_nearer_and_never_farther() -> None:
    wide = Guard(NetworkState("open", ("8.8.8.8:80",), lan_hosts=("10.0.0.5:80",)))
    nearer = wide.narrowed(("10.0.0.5:80",), ("8.8.8.8:80",), lan=False)
    assert nearer.state.lan_hosts == ("8.8.8.8:80", "10.0.0.5:80")
    assert nearer.state.hosts == ()


def test_keys_travel_unencrypted_to_the_local_network_only() -> None:
    guard = Guard(NetworkState("open", ("api.example:80",), lan_hosts=("server.lan:80",)))
    guard.check("http", "server.lan", 80, has_key=True)  # what it resolves to is looked at next
    with pytest.raises(NetworkRefused) as caught:
        guard.check("http", "api.example", 80, has_key=True)
    assert caught.value.code == "key_unencrypted"
    guard.check("http", "api.example", 80, has_key=False)


@pytest.fixture
def records() -> list[Record]:
    return []


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key", "anything"])
def test_a_key_goes_nowhere_but_where_it_was_read_for(
    web: Web, elsewhere: Web, records: list[Record], header: str
) -> None:
    """A redirect, or a handler with a bug: httpx itself drops one of these headers only."""
    operation = Operation(lan(web.host, elsewhere.host), "test", records.append)
    operation.carry(KEY, web.host)
    transport = GuardedTransport(operation.guard)
    client = make_client(transport)
    value = f"Bearer {KEY}"
    with operations.carrying_out(operation):
        assert client.get(web.url("/text"), headers={header: value}).status_code == 200
        for url in (elsewhere.url("/text"), elsewhere.url(f"/text?key={KEY}")):
            with pytest.raises(LockhouseError) as caught:
                client.get(url, headers={header: value})
            assert caught.value.code == "key_elsewhere"
            assert KEY not in caught.value.message
    transport.end()
    assert elsewhere.requests == []
    assert records[-1].outcome == "key_elsewhere"


def test_a_redirect_does_not_take_a_key_along(
    web: Web, elsewhere: Web, records: list[Record]
) -> None:
    operation = Operation(lan(web.host, elsewhere.host), "test", records.append)
    operation.carry(KEY, web.host)
    transport = GuardedTransport(operation.guard)
    away = web.url(f"/redirect?to={elsewhere.url('/text')}")
    with operations.carrying_out(operation), pytest.raises(LockhouseError) as caught:
        make_client(transport).get(away, headers={"x-api-key": KEY})
    transport.end()
    assert caught.value.code == "key_elsewhere"
    assert elsewhere.requests == []


def test_the_operation_forgets_its_keys(records: list[Record]) -> None:
    operation = Operation(lan("127.0.0.1:80"), "test", records.append)
    with operations.carrying_out(operation):
        operation.carry(KEY, "127.0.0.1:80")
        assert operation.hosts_of_keys_in([f"Bearer {KEY}"]) == [{"127.0.0.1:80"}]
    assert operation.hosts_of_keys_in([f"Bearer {KEY}"]) == []


@pytest.mark.parametrize("kind", [socket.socket, socket.SocketType])
def test_the_hook_knows_every_kind_of_socket(kind: type[socket.SocketType]) -> None:
    """The class beneath the usual one makes connections too, and packets have a second call."""
    guard = lan("10.0.0.5:80")
    there = ("203.0.113.7", 443)
    with contextlib.closing(kind(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        for event in ("connect", "bind", "sendto", "sendmsg"):
            with pytest.raises(PermissionError):
                guard.audit(f"socket.{event}", (sock, there))
        guard.audit("socket.sendmsg", (sock, None))  # along a connection that was looked at
    with contextlib.closing(kind(socket.AF_UNIX)) as local:
        guard.audit("socket.connect", (local, "/run/bus"))


def test_a_name_in_other_letters_is_found_on_the_list(records: list[Record]) -> None:
    """It is listed, looked up and bound to its key in ASCII, however it was written."""
    host = host_pattern("b\u00fccher.invalid:80")
    operation = Operation(lan(host), "test", records.append)
    operation.carry(KEY, host_of("http://b\u00fccher.invalid/v1"))
    transport = GuardedTransport(operation.guard)
    headers = {"authorization": f"Bearer {KEY}"}
    with operations.carrying_out(operation), pytest.raises(httpx2.ConnectError):
        make_client(transport).get("http://b\u00fccher.invalid/v1/models", headers=headers)
    transport.end()
    assert {record.host for record in records} == {"xn--bcher-kva.invalid:80"}


def test_a_host_that_a_pattern_opened_can_be_held_near() -> None:
    wide = Guard(NetworkState("open", ("*.example:80",)))
    held = wide.narrowed(("*.example:80",), ("box.example:80", "other:80"), lan=False)
    assert held.state.must_be_near("box.example", 80)
    assert not held.state.must_be_near("api.example", 80)
    assert not allows(held.state.all_hosts, "other", 80)


# --- names ---------------------------------------------------------------------------------


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(tmp_path / "network.json")


@pytest.fixture
def providers(tmp_path: Path) -> Iterator[Providers]:
    database = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    made = Providers(database)
    made.add(
        Provider(
            "office",
            "Office",
            "openai",
            "lan",
            ("http://10.0.0.5:8000/v1", "http://10.0.0.6:8000/v1"),
            key="optional",
        )
    )
    yield made
    database.close()


def test_names_become_hosts_of_their_zone(providers: Providers) -> None:
    found = hosts_for(["openai", "office", "hub"], providers, {})
    assert found == Hosts(
        ("api.openai.com:443", "huggingface.co:443", "*.huggingface.co:443", "*.hf.co:443"),
        ("10.0.0.5:8000", "10.0.0.6:8000"),
    )
    with pytest.raises(LockhouseError):
        hosts_for(["nobody"], providers, {})


def test_hosts_become_names(providers: Providers) -> None:
    state = NetworkState(
        "open", ("api.openai.com:443", "example.org:443"), lan_hosts=("10.0.0.5:8000",)
    )
    assert reached(state, providers.list()) == ("OpenAI", "example.org:443", "10.0.0.5:8000")
    whole = NetworkState("open", lan_hosts=("10.0.0.5:8000", "10.0.0.6:8000"))
    assert reached(whole, providers.list()) == ("Office",)


def test_a_mirror_that_is_no_address_stands_in_nobodys_way(
    providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window asks for these names again and again."""
    state = NetworkState("open", ("api.openai.com:443",))
    for mirror in ("hub-mirror.example", "https://[there"):
        monkeypatch.setenv("HF_ENDPOINT", mirror)
        assert reached(state, providers.list()) == ("OpenAI",)


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://[there", "https://]/v1"])
def test_half_an_address_is_told(providers: Providers, url: str) -> None:
    assert not is_this_machine(url)
    provider = Provider("half", "Half", "openai", zone_of([url]), (url,))
    with pytest.raises(UsageMistake, match="not the address"):
        providers.add(provider)
    with pytest.raises(UsageMistake):
        hosts_of([url])
    with pytest.raises(UsageMistake):
        proxy_url(url)


@pytest.mark.parametrize(
    ("names", "words"),
    [((), ""), (("A",), "A"), (("A", "B"), "A and B"), (("A", "B", "C"), "A, B and C"),
     (("A", "B", "C", "D", "E"), "A, B, C and 2 more")],
)  # fmt: skip
def test_names_in_a_sentence(names: tuple[str, ...], words: str) -> None:
    assert sentence(names) == words


def test_the_ports_a_broker_may_use() -> None:
    state = NetworkState("open", ("a.example:80",), lan_hosts=("10.0.0.5:8000",))
    assert reachable_ports(state) == (80, 443, 8000)
    proxied = NetworkState("open", ("a.example:80",), proxy="http://10.0.0.1:3128")
    assert reachable_ports(proxied) == (3128,)


def test_zones_are_kept_in_the_file(network: Network) -> None:
    opened = network.open([], lan_hosts=["Server.LAN:8000", "[::0001]:80"])
    assert opened.lan_hosts == ("server.lan:8000", "[::1]:80")
    assert Network(network.path).state() == opened
    assert network.seal().all_hosts == ()
    with pytest.raises(UsageMistake):
        network.open([])
