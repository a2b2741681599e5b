"""A model elsewhere as a target: through a real broker, to loopback servers that misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from lockhouse.answer.permission import Proposal, Send
from lockhouse.answer.remote import RemoteTarget
from lockhouse.answer.remote_request import RemoteDependencies
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, NotFound, PolicyRefused, UsageMistake
from lockhouse.core.events import Event, Notice, StartOver, Text, Usage
from lockhouse.core.messages import Image, Tool, ToolCall, Turn
from lockhouse.gate.costs.values import Limits
from lockhouse.gate.network import Network
from lockhouse.gate.providers import RemoteModel
from lockhouse.gate.records import Records
from lockhouse.gate.sent_requests import linked
from tests.answer.remote import (
    RemoteAccess,
    answering,
    ask,
    failed,
    finished,
    held,
    question,
    session_of,
)
from tests.remote.replies import Call, Fault, Reply
from tests.remote.server import RemoteServer

ANSWER = "Grüße from elsewhere 🏔️."


@pytest.fixture(scope="module")
def first() -> Iterator[RemoteServer]:
    with RemoteServer() as server:
        yield server


@pytest.fixture(scope="module")
def second() -> Iterator[RemoteServer]:
    with RemoteServer() as server:
        yield server


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, first: RemoteServer, second: RemoteServer
) -> Iterator[RemoteAccess]:
    with RemoteAccess(tmp_path_factory.mktemp("home"), [first, second]) as elsewhere:
        elsewhere.add("office", first.endpoint)
        elsewhere.add("api", first.endpoint, zone="cloud", title="An API")
        elsewhere.add("keyed", first.endpoint, zone="cloud", key="required")
        elsewhere.add("closed", "http://127.0.0.1:9/v1")
        elsewhere.add("pair", first.endpoint, second.endpoint)
        yield elsewhere


@pytest.fixture(autouse=True)
def _fresh(first: RemoteServer, second: RemoteServer, home: RemoteAccess) -> None:
    for server in (first, second):
        server.requests.clear()
        server.faults.clear()
        server.reply = Reply()
        server.gone.clear()
        server.stalled.clear()
        home.balancer.note_up(server.endpoint, 0.001)
    home.limits = Limits()
    for name in ("api", "keyed"):
        home.consents.withdraw(name)


def target(home: RemoteAccess, name: str = "office/small") -> RemoteTarget:
    return home.remotes.get(name)


# --- one answer ----------------------------------------------------------------------------


def test_an_answer_tells_where_it_is_from_and_what_it_took(
    home: RemoteAccess, first: RemoteServer
) -> None:
    events = ask(target(home), question())
    end = finished(events)
    assert held(events) == ANSWER
    assert end.usage == Usage(prompt_tokens=20, completion_tokens=9)
    assert (end.host, end.cost, end.finish_reason) == (first.host, None, "stop")
    assert end.timing.total_s >= end.timing.first_token_s > 0
    assert end.timing.tokens_per_s > 0
    assert end.parameters["max_tokens"] == 100
    assert "messages" not in end.parameters


def test_what_is_sent_is_what_was_shown_and_what_is_kept(
    home: RemoteAccess, first: RemoteServer
) -> None:
    request = question("Ü 1", message_id="m1")
    shown = target(home).preview(request)
    end = finished(ask(target(home), request))
    (sent,) = first.asked()
    kept = home.sent.of_message("m1")[0]
    assert sent.body == shown.body == kept.body
    assert end.sent_sha256 == shown.sha256 == hashlib.sha256(sent.body).hexdigest()
    assert (kept.outcome, kept.host, kept.usage) == ("ok", first.host, end.usage)


def test_the_rows_of_the_records_lead_to_what_was_sent(home: RemoteAccess) -> None:
    finished(ask(target(home), question("To be found", message_id="m2")))
    rows = [kept.record for kept in Records(home.database).search(limit=5)]
    rows = [record for record in rows if linked(record.purpose)[1]]
    kept = home.sent.of_record(rows[0])
    assert kept is not None
    assert b"To be found" in (kept.body or b"")
    assert linked(rows[0].purpose)[0] == "answer of office/small"


def test_nothing_is_kept_of_what_belongs_to_no_answer_but_hash_and_size(home: RemoteAccess) -> None:
    end = finished(ask(target(home), question("Nowhere kept")))
    kept = home.sent.get(home.sent.list(limit=1)[0].id)
    assert kept.body is None
    assert (kept.sha256, kept.size_bytes > 0) == (end.sent_sha256, True)


def test_pictures_tools_and_a_schema_reach_the_server(
    home: RemoteAccess, first: RemoteServer
) -> None:
    first.reply = Reply(pieces=(), calls=(Call("c1", "look", '{"at": "sky"}'),))
    image = Image("image/png", b"\x89PNG\r\n\x1a\n", "sky.png")
    request = question(
        tools=(Tool("look", "Looks", '{"type": "object"}'),),
        json_schema='{"type": "object", "properties": {}}',
    )
    request = msgspec.structs.replace(request, turns=(Turn("user", "See?", images=(image,)),))
    events = ask(target(home), request)
    assert [e for e in events if isinstance(e, ToolCall)] == [
        ToolCall("c1", "look", '{"at": "sky"}')
    ]
    assert finished(events).finish_reason == "stop"
    body = first.asked()[0].json
    assert body["messages"][0]["content"][1]["image_url"]["url"].startswith(
        "data:image/png;base64,"
    )
    assert body["tools"][0]["function"]["name"] == "look"
    assert body["response_format"]["type"] == "json_schema"
    assert home.sent.list(limit=1)[0].added[-1] == ("The JSON schema that the answer has to fit.")


def test_what_the_program_adds_is_told(home: RemoteAccess) -> None:
    request = msgspec.structs.replace(
        question(),
        turns=(
            Turn("system", "Be short."),
            Turn("user", "A"),
            Turn("assistant", "B"),
            Turn("user", "C"),
        ),
    )
    assert target(home).preview(request).added == (
        "The system prompt, 9 characters.",
        "2 earlier messages of this conversation, 2 characters.",
    )
    openrouter = home.remotes.get("openrouter/some/model").preview(question())
    assert json.loads(openrouter.body)["provider"] == {
        "data_collection": "deny",
        "zdr": True,
        "allow_fallbacks": False,
    }
    assert "data_collection" in openrouter.added[0]


def test_what_a_model_is_known_not_to_do_is_refused_before_anything_is_sent(
    home: RemoteAccess, first: RemoteServer
) -> None:
    home.add("blind", first.endpoint)
    home.model("blind/small", capabilities=("chat", "reasoning"))
    image = Image("image/png", b"\x89PNG", "sky.png")
    asked = msgspec.structs.replace(question(), turns=(Turn("user", "See?", images=(image,)),))
    with pytest.raises(InvalidInput, match="blind/small cannot look at pictures"):
        target(home, "blind/small").preview(asked)
    end = failed(ask(target(home, "blind/small"), question(tools=(Tool("look"),))))
    assert end.code == "no_tools"
    assert not first.requests
    later = msgspec.structs.replace(asked, turns=(*asked.turns, Turn("user", "And now?")))
    shown = target(home, "blind/small").preview(later)
    assert b"image_url" not in shown.body
    assert "left out" in " ".join(shown.added)


# --- names ---------------------------------------------------------------------------------


def test_unknown_names_are_told_with_those_near_them(
    home: RemoteAccess, first: RemoteServer
) -> None:
    with pytest.raises(NotFound) as unknown:
        home.remotes.get("ofice/small")
    assert "office" in unknown.value.hint
    home.add("listed", first.endpoint)
    home.remotes.refresh_models("listed")
    with pytest.raises(NotFound) as no_model:
        home.remotes.get("listed/smal")
    assert "listed/small" in no_model.value.hint
    assert no_model.value.code == "unknown_model"
    with pytest.raises(UsageMistake, match="No model of listed was given"):
        home.remotes.get("listed/")


def test_models_of_ones_own_server_are_targets_until_somebody_chooses(
    home: RemoteAccess, first: RemoteServer
) -> None:
    home.add("mine", first.endpoint)
    home.model("mine/earlier")
    home.remotes.refresh_models("mine")
    names = {info.name for info in home.remotes.list()}
    assert names >= {"mine/small", "mine/large"}
    assert "mine/earlier" not in names  # it serves another one now
    home.providers.choose("mine", "large", is_chosen=False)
    first.models["new"] = {}
    home.remotes.refresh_models("mine")
    del first.models["new"]
    names = {info.name for info in home.remotes.list()}
    assert "mine/small" in names
    assert not {"mine/large", "mine/new"} & names


# --- consent, key, seal, money -------------------------------------------------------------


def test_nothing_goes_to_an_api_before_it_was_allowed(
    home: RemoteAccess, first: RemoteServer
) -> None:
    end = failed(ask(target(home, "api/small"), question()))
    assert (end.code, end.exit_code) == ("consent_needed", 8)
    assert "lockhouse targets allow api" in end.hint
    assert not first.requests
    home.consents.give(home.providers.get("api"))
    assert held(ask(target(home, "api/small"), question())) == ANSWER


def test_an_approved_request_is_sent_as_it_was_shown_and_once(
    home: RemoteAccess, first: RemoteServer
) -> None:
    shown: list[Proposal] = []

    def confirm(proposal: Proposal, _cancel: CancelToken) -> Send:
        shown.append(proposal)
        return Send(proposal)

    session = session_of(home, "api/small", question("As shown"), confirm)
    assert not first.requests  # being asked sends nothing
    assert held([*session.answer()]) == ANSWER
    assert shown[0].outbound is not None
    assert [sent.body for sent in first.asked()] == [shown[0].outbound.body]
    assert failed(ask(target(home, "api/small"), question())).code == "consent_needed"
    with pytest.raises(PolicyRefused):  # the target itself sends nothing that was not approved
        next(target(home, "api/small").answer(question(), CancelToken()))


def test_a_consent_is_for_the_hosts_it_was_given_for(home: RemoteAccess) -> None:
    api = home.providers.get("api")
    home.consents.give(api)
    assert home.consents.given(api)
    moved = msgspec.structs.replace(api, endpoints=("https://elsewhere.example/v1",))
    assert not home.consents.given(moved)


def test_a_server_of_ones_own_network_is_asked_nowhere_else(tmp_path: Path) -> None:
    """It needs no consent, so it must be near even where its host was opened like an API's."""
    with RemoteAccess(tmp_path, ["127.0.0.1:443"]) as home:
        Network(tmp_path / "network.json").open(["203.0.113.7"])
        home.add("office", "https://203.0.113.7/v1")
        ends = [failed(ask(target(home, "office/m"), question()))]
        ends += home.remotes.health("office")
    assert [end.code for end in ends] == ["host_not_allowed"] * 2


def test_a_missing_key_is_told_before_anything_is_sent(
    home: RemoteAccess, first: RemoteServer
) -> None:
    home.consents.give(home.providers.get("keyed"))
    end = failed(ask(target(home, "keyed/small"), question()))
    assert end.code == "key_missing"
    assert "lockhouse keys set keyed" in end.hint
    assert not first.requests


def test_a_host_that_is_not_open_is_told_with_the_way_on(home: RemoteAccess) -> None:
    end = failed(ask(target(home, "closed/small"), question()))
    assert (end.code, end.exit_code) == ("host_not_allowed", 4)
    assert "lockhouse unseal --add --for closed" in end.hint


def test_a_limit_stops_before_it_is_sent_and_the_cost_is_kept(
    home: RemoteAccess, first: RemoteServer
) -> None:
    home.price("api", "small", "10")
    home.consents.give(home.providers.get("api"))
    end = finished(ask(target(home, "api/small"), question()))
    assert end.cost is not None
    assert end.cost.amount == Decimal("0.00029")  # 29 tokens at 10 dollars the million
    assert home.sent.list(limit=1)[0].cost == end.cost
    first.requests.clear()
    home.limits = Limits(per_call=Decimal("0.0001"))
    refused = failed(ask(target(home, "api/small"), question()))
    assert (refused.code, refused.exit_code) == ("budget", 8)
    assert not first.requests


def test_a_refused_request_costs_nothing_and_a_broken_one_what_came(
    home: RemoteAccess, first: RemoteServer
) -> None:
    home.price("api", "large", "10")
    home.consents.give(home.providers.get("api"))
    before = home.budget.spent_today().cost
    first.faults.append(Fault("402"))
    assert failed(ask(target(home, "api/large"), question())).code == "no_credit"
    assert home.budget.spent_today().cost == before
    first.faults.append(Fault("reset-middle"))
    events = ask(target(home, "api/large"), question())
    end = failed(events)
    assert held(events)
    assert end.code == "connection_lost"
    assert end.cost is not None
    assert end.cost.is_estimate
    assert home.budget.spent_today().cost == before + end.cost.amount


def test_a_wait_is_handed_on(home: RemoteAccess, first: RemoteServer) -> None:
    first.faults += [Fault("429", retry_after="90")]
    end = failed(ask(target(home), question()))
    assert (end.code, end.retry_after_s) == ("rate_limited", 90.0)


# --- stopping ------------------------------------------------------------------------------


def test_stopping_keeps_what_came_and_hangs_up(home: RemoteAccess, first: RemoteServer) -> None:
    first.faults.append(Fault("stall-middle"))
    cancel = CancelToken()
    events: list[Event] = []
    for event in answering(target(home), question(message_id="m3"), cancel):
        events.append(event)
        if isinstance(event, Text) and not cancel.cancelled:
            assert first.stalled.wait(10)
            threading.Thread(target=cancel.cancel).start()
    end = finished(events)
    assert end.finish_reason == "cancelled"
    assert ANSWER.startswith(held(events))
    assert first.gone.wait(10)
    assert home.sent.of_message("m3")[0].outcome == "cancelled"


def test_a_reader_who_leaves_hangs_up_too(home: RemoteAccess, first: RemoteServer) -> None:
    first.faults.append(Fault("stall-middle"))
    answer = answering(target(home), question(message_id="m4"), CancelToken())
    assert isinstance(next(answer), Text)
    answer.close()  # type: ignore[attr-defined]
    assert first.gone.wait(10)
    assert home.sent.of_message("m4")[0].outcome == "cancelled"


# --- equal servers -------------------------------------------------------------------------


def prefer(home: RemoteAccess, server: RemoteServer, other: RemoteServer) -> None:
    """Make one of them the quicker one."""
    for _ in range(40):
        home.balancer.note_up(server.endpoint, 0.001)
        home.balancer.note_up(other.endpoint, 9.0)


@pytest.mark.parametrize("fault", ["reset-before", "503", "wrong-type"])
def test_a_server_that_fails_before_it_answers_is_left_for_another(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer, fault: str
) -> None:
    prefer(home, first, second)
    first.faults.append(Fault(fault))
    events = ask(target(home, "pair/small"), question())
    assert held(events) == ANSWER
    assert finished(events).host == second.host
    assert [e.code for e in events if isinstance(e, Notice)] == ["server_changed"]
    assert not any(isinstance(event, StartOver) for event in events)
    assert len(second.asked()) == 1
    assert finished(ask(target(home, "pair/small"), question())).host == second.host  # it rests


@pytest.mark.parametrize("fault", ["reset-middle", "cut", "error-inside"])
def test_in_mid_answer_another_goes_on_without_a_word_twice(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer, fault: str
) -> None:
    prefer(home, first, second)
    first.faults.append(Fault(fault))
    events = ask(target(home, "pair/small"), question())
    assert "".join(e.text for e in events if isinstance(e, Text)) == ANSWER
    assert finished(events).host == second.host
    assert next(e.message for e in events if isinstance(e, Notice)).startswith(first.host)


def test_in_mid_answer_another_that_says_it_differently_starts_over(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer
) -> None:
    prefer(home, first, second)
    first.faults.append(Fault("reset-middle"))
    second.reply = Reply(pieces=("Gr", "uss", " von", " hier."))
    events = ask(target(home, "pair/small"), question())
    assert held(events) == "Gruss von hier."
    assert sum(isinstance(event, StartOver) for event in events) == 1


def test_when_all_fail_the_last_failure_is_told_and_what_came_is_kept(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer
) -> None:
    first.faults.append(Fault("reset-middle"))
    second.faults.append(Fault("503"))
    prefer(home, first, second)
    events = ask(target(home, "pair/small"), question())
    assert failed(events).code == "overloaded"
    assert ANSWER.startswith(held(events))
    assert held(events)


@pytest.mark.parametrize("fault", ["401", "404", "context", "400"])
def test_what_is_wrong_with_the_request_is_not_asked_of_another(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer, fault: str
) -> None:
    prefer(home, first, second)
    first.faults.append(Fault(fault))
    failed(ask(target(home, "pair/small"), question()))
    assert not second.asked()


def test_stopping_between_two_servers_asks_no_other(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer
) -> None:
    prefer(home, first, second)
    first.faults.append(Fault("reset-middle"))
    cancel = CancelToken()
    events: list[Event] = []
    for event in answering(target(home, "pair/small"), question(), cancel):
        events.append(event)
        if isinstance(event, Notice):
            cancel.cancel()
    assert finished(events).finish_reason == "cancelled"
    assert not second.asked()


def test_twenty_at_once_are_shared_evenly(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer
) -> None:
    slow = Reply(delay_s=0.02)
    first.reply = second.reply = slow
    answers: list[list[Event]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(target(home, "pair/small"), question())))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [held(events) for events in answers] == [ANSWER] * 20
    counts = (len(first.asked()), len(second.asked()))
    assert sum(counts) == 20
    assert min(counts) >= 7


# --- the keyring ---------------------------------------------------------------------------


def test_whoever_waits_for_the_keyring_is_told_for_what(home: RemoteAccess) -> None:
    provider = home.providers.get("keyed")
    home.consents.give(provider)
    for state, words in (("locked", "to be unlocked"), ("silent", "does not answer"), ("set", "")):
        means = RemoteDependencies(
            home.gate, home.sent, home.budget, home.balancer,
            key_of=lambda asked: asked.name, key_state=lambda _, told=state: told,
            most_tokens=lambda: 100,
        )  # fmt: skip
        events = ask(RemoteTarget(provider, RemoteModel("keyed", "small"), means), question())
        notices = [event for event in events if isinstance(event, Notice)]
        assert [notice.code for notice in notices] == (["waiting"] if words else [])
        assert all(words in notice.message for notice in notices)
        assert failed(events).code == "unauthorized"  # there is no keyring in tests


# --- health --------------------------------------------------------------------------------


def test_health_of_each_server_is_told_with_what_is_wrong(
    home: RemoteAccess, first: RemoteServer, second: RemoteServer
) -> None:
    first.faults.append(Fault("503"))
    up = {one.url: one for one in home.remotes.health("pair")}
    assert len(up) == 2
    ill = [one for one in up.values() if not one.is_up]
    assert [one.code for one in ill] == ["overloaded"]
    well = next(one for one in up.values() if one.is_up)
    assert well.latency_s > 0
    (closed,) = home.remotes.health("closed")
    assert (closed.is_up, closed.code) == (False, "host_not_allowed")
    assert "unseal --add --for closed" in closed.hint


def test_a_check_that_is_called_off_waits_for_nobody(
    home: RemoteAccess, first: RemoteServer
) -> None:
    cancel = CancelToken()
    with home.balancer.lease([first.endpoint]):
        home.balancer.note_single(first.endpoint)  # from now on it is asked one at a time
        threading.Timer(0.1, cancel.cancel).start()
        with pytest.raises(Cancelled):
            home.remotes.health("office", cancel=cancel)
