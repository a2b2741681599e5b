"""What answers from elsewhere cost when they end badly: never less than what came of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from decimal import Decimal

import pytest

from lockhouse.answer.remote import RemoteTarget
from lockhouse.answer.remote_request import RemoteDependencies
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Notice, Text
from lockhouse.gate.providers import RemoteModel
from lockhouse.gate.running_brokers import Brokers
from tests.answer.remote import RemoteAccess, answering, ask, failed, held, question
from tests.remote.replies import Fault
from tests.remote.server import RemoteServer


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as server:
        yield server


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, server: RemoteServer) -> Iterator[RemoteAccess]:
    with RemoteAccess(tmp_path_factory.mktemp("home"), [server]) as elsewhere:
        provider = elsewhere.add("api", server.endpoint, zone="cloud", title="An API")
        elsewhere.consents.give(provider)
        elsewhere.price("api", "small", "10")
        yield elsewhere


@pytest.mark.parametrize("fault", ["reset-middle", "cut", "error-inside"])
def test_what_came_before_an_error_is_paid_for(
    home: RemoteAccess, server: RemoteServer, fault: str
) -> None:
    server.faults.append(Fault(fault))
    events = ask(home.remotes.get("api/small"), question())
    end = failed(events)
    assert held(events)
    assert end.cost is not None
    assert end.cost.is_estimate
    assert end.cost.amount > 0
    assert home.budget.spent_today().cost == end.cost.amount
    assert home.budget.spent_today().reserved == 0


@pytest.mark.parametrize("fault", ["401", "402", "429", "503"])
def test_what_was_refused_costs_nothing(
    home: RemoteAccess, server: RemoteServer, fault: str
) -> None:
    server.faults += [Fault(fault, retry_after="90")] * 3
    assert failed(ask(home.remotes.get("api/small"), question())).cost is None
    assert home.budget.spent_today().cost == 0


def test_an_answer_whose_broker_is_killed_is_paid_for(
    home: RemoteAccess, server: RemoteServer
) -> None:
    server.faults.append(Fault("stall-middle"))
    answer = answering(home.remotes.get("api/small"), question(), CancelToken())
    assert isinstance(next(answer), Text)
    assert server.stalled.wait(10)
    under_way = home.gate.status().bytes_out
    assert under_way > 0, "what is on its way is told while it is"
    for broker in Brokers(home.home.home / "run").list():
        os.kill(broker.pid, signal.SIGKILL)
    end = failed([*answer])
    assert end.code == "cut_off"
    assert home.gate.status().bytes_out == under_way
    assert end.cost is not None
    assert end.cost.amount > 0
    assert home.budget.spent_today().cost == end.cost.amount


def test_who_leaves_before_anybody_was_asked_has_paid_nothing(
    home: RemoteAccess, server: RemoteServer
) -> None:
    means = RemoteDependencies(
        home.gate, home.sent, home.budget, home.balancer,
        key_of=lambda asked: asked.name, key_state=lambda _: "locked", most_tokens=lambda: 100,
    )  # fmt: skip
    target = RemoteTarget(home.providers.get("api"), RemoteModel("api", "small"), means)
    answer = answering(target, question(), CancelToken())
    assert isinstance(next(answer), Notice)
    answer.close()  # type: ignore[attr-defined]
    assert not server.requests
    assert home.budget.spent_today().cost == 0


def test_a_reader_who_leaves_has_paid_for_what_came(
    home: RemoteAccess, server: RemoteServer
) -> None:
    server.faults.append(Fault("stall-middle"))
    answer = answering(home.remotes.get("api/small"), question(), CancelToken())
    assert isinstance(next(answer), Text)
    answer.close()  # type: ignore[attr-defined]
    today = home.budget.spent_today()
    assert today.cost > Decimal(0)
    assert today.reserved == 0
