"""Labels against zones: every case there is, in the rule, in the program and in a real broker."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from lockhouse.core import labels
from lockhouse.core.errors import LockhouseError, NetworkRefused, PolicyRefused
from lockhouse.core.labels import LABELS, ZONES, Label, Zone, highest, may_go
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.client import GateClient
from lockhouse.gate.dialects import dialect
from lockhouse.gate.network import Mode, Network, NetworkState
from lockhouse.gate.providers import Provider
from lockhouse.gate.records import Records
from lockhouse.gate.remote_requests import (
    Counted,
    CountPrompt,
    RemoteEvent,
    SendAnswerRequest,
)
from lockhouse.storage.database import Database
from tests.remote.open_home import OpenHome
from tests.remote.server import RemoteServer

MODES: tuple[Mode, ...] = ("sealed", "open")
CASES = tuple(itertools.product(LABELS, ZONES, MODES))
LOCAL, LAN, CLOUD = "127.0.0.1:8080", "10.1.2.3:8080", "203.0.113.9:443"


def is_wanted(label: Label, zone: Zone, mode: Mode) -> bool:
    """The rule once more, in other words than the program has for it."""
    if mode == "sealed":
        return False
    if label == "confidential":
        return zone == "local"
    return zone != "cloud" or label == "public"


def violations() -> list[tuple[Label, Zone, Mode]]:
    """The cases in which the guard of a broker lets something through, or holds it back, wrongly.

    The zone is that of a real address, as the guard finds it out.
    """
    found = []
    hosts = dict(zip(ZONES, (LOCAL, LAN, CLOUD), strict=True))
    for label, zone, mode in CASES:
        name, _, port = hosts[zone].partition(":")
        state = NetworkState("open", (LOCAL, CLOUD), lan_hosts=(LAN,))
        guard = Guard(state if mode == "open" else NetworkState()).labelled(label)
        try:
            guard.check("https", name, int(port), has_key=False)
            guard.look_up(name, int(port))
            is_sent = True
        except (PolicyRefused, NetworkRefused):
            is_sent = False
        if is_sent != is_wanted(label, zone, mode):
            found.append((label, zone, mode))
    return found


def test_every_label_goes_to_every_zone_that_it_may_go_to_and_to_no_other() -> None:
    assert len(CASES) == 18
    assert violations() == []
    assert [(label, zone) for label in LABELS for zone in ZONES if not may_go(label, zone)] == [
        ("internal", "cloud"),
        ("confidential", "lan"),
        ("confidential", "cloud"),
    ]


@pytest.mark.parametrize(
    ("label", "farthest", "found"),
    [
        ("internal", "cloud", [("internal", "cloud", "open")]),
        ("confidential", "lan", [("confidential", "lan", "open")]),
        ("public", "lan", [("public", "cloud", "open")]),
    ],
)
def test_a_wrong_rule_is_found_by_the_enumeration(
    monkeypatch: pytest.MonkeyPatch,
    label: Label,
    farthest: Zone,
    found: list[tuple[Label, Zone, Mode]],
) -> None:
    monkeypatch.setitem(labels._FARTHEST, label, farthest)
    assert violations() == found


def test_what_is_made_of_parts_has_the_highest_of_their_labels() -> None:
    assert highest([]) == "public"
    for one, other in itertools.product(LABELS, LABELS):
        both = highest([one, other])
        assert both in (one, other)
        for zone in ZONES:
            assert may_go(both, zone) == (may_go(one, zone) and may_go(other, zone))


@pytest.mark.parametrize(
    ("provider", "proxy", "zone"),
    [
        (Provider("a", "A", "openai", "cloud", ("https://api.example/v1",)), "", "cloud"),
        (Provider("a", "A", "openai", "lan", ("http://server.lan/v1",)), "", "lan"),
        (Provider("a", "A", "openai", "lan", ("http://localhost:1/v1",)), "", "local"),
        (Provider("a", "A", "openai", "lan", ("http://[::1]/v1", "http://10.0.0.2")), "", "lan"),
        (Provider("a", "A", "openai", "cloud", ("http://127.0.0.1/v1",)), "", "cloud"),
        (Provider("a", "A", "openai", "lan", ("http://127.0.0.1/v1",)), "http://p:1", "cloud"),
    ],
)
def test_a_target_is_in_the_zone_of_its_farthest_server(
    provider: Provider, proxy: str, zone: Zone
) -> None:
    assert provider.label_zone(proxy=proxy) == zone


# --- through a real broker -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """An open home and a sealed one, with a server on this machine that both could ask."""

    opened: GateClient
    sealed: GateClient
    server: RemoteServer
    records: Records
    sealed_records: Records

    def url(self, zone: Zone) -> str:
        return {
            "local": self.server.endpoint,
            "lan": f"http://{LAN}/v1",
            "cloud": f"https://{CLOUD}/v1",
        }[zone]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("labels")
    with ExitStack() as stack:
        server = stack.enter_context(RemoteServer())
        home = stack.enter_context(OpenHome(folder / "open", [server.host, CLOUD], [LAN]))
        database = Database(folder / "sealed.db", backups=folder / "backups")
        stack.callback(database.close)
        sealed = GateClient(Network(folder / "network.json"), database, None)
        yield Scene(home.gate, sealed, server, Records(home.gate._database), Records(database))
        assert "Traceback" not in home.log()


def ask(gate: GateClient, url: str, label: Label) -> str:
    """ "sent", or the code of what stood in the way."""
    provider = Provider("one", "One", "openai", "cloud", (url,))
    spoken = dialect("openai")
    body = spoken.body(provider, "small", AnswerRequest((Turn("user", "Hi"),)), max_tokens=9)
    request = SendAnswerRequest(
        "one", "openai", f"{url}/chat/completions", spoken.headers(provider), body, label=label,
        connect_s=1.0, attempts=1,
    )  # fmt: skip
    try:
        for _ in gate.stream(request, event_type=RemoteEvent, purpose="test"):
            pass
    except LockhouseError as error:
        return error.code
    return "sent"


# Without those that would leave this machine: the guard's own test above has them.
TRIED = tuple(case for case in CASES if case[1] == "local" or not is_wanted(*case))


@pytest.mark.parametrize(("label", "zone", "mode"), TRIED)
def test_a_broker_sends_nothing_that_its_label_forbids(
    scene: Scene, label: Label, zone: Zone, mode: Mode
) -> None:
    """Whatever asks it: the program's own check is not in the way here."""
    gate = scene.opened if mode == "open" else scene.sealed
    records = scene.records if mode == "open" else scene.sealed_records
    before, asked = records.last_seq(), len(scene.server.asked())
    outcome = ask(gate, scene.url(zone), label)
    kept = [
        (each.record.kind, each.record.outcome) for each in records.search() if each.seq > before
    ]
    if is_wanted(label, zone, mode):
        assert outcome == "sent"
        assert len(scene.server.asked()) == asked + 1
    else:
        code = "sealed" if mode == "sealed" else "label"
        assert outcome == code
        assert kept == [("refused", code)]
        assert len(scene.server.asked()) == asked


def test_the_refusal_names_the_label_the_host_and_what_to_do(scene: Scene) -> None:
    url = scene.url("cloud")
    request = SendAnswerRequest("one", "openai", url, (), b"{}", label="confidential")
    with pytest.raises(PolicyRefused) as caught:
        list(scene.opened.stream(request, event_type=RemoteEvent))
    error = caught.value
    assert (error.exit_code, error.code) == (8, "label")
    assert "confidential" in error.message
    assert CLOUD in error.message
    assert error.hint == "Choose a model on this machine."


def test_a_prompt_that_may_not_leave_is_not_counted_elsewhere(scene: Scene) -> None:
    request = CountPrompt("one", scene.url("lan"), b"{}", label="confidential")
    with pytest.raises(PolicyRefused):
        scene.opened.ask(request, reply_type=Counted)


def test_a_proxy_could_send_it_anywhere() -> None:
    state = NetworkState("open", ("127.0.0.1:8080",), proxy="http://127.0.0.1:3128")
    Guard(state).check("http", "127.0.0.1", 8080, has_key=False)
    with pytest.raises(PolicyRefused):
        Guard(state).labelled("internal").check("http", "127.0.0.1", 8080, has_key=False)


def test_a_request_held_to_the_own_network_uses_no_connection_made_without_that(
    scene: Scene,
) -> None:
    """The name may have led elsewhere when the other connection was made."""
    ports = []
    for near in ((), (scene.server.host,), ()):
        request = CountPrompt("one", f"{scene.server.endpoint}/chat/completions", b'{"model":"m"}')
        scene.opened.ask(request, reply_type=Counted, near=near)
        ports.append(scene.server.asked()[-1].port)
    assert ports[0] != ports[1]
    assert ports[0] == ports[2]
