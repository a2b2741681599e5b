"""Real servers that others wrote, reached as targets of one's own network.

llama-cpp-python's server always; llama.cpp's own where LOCKHOUSE_LLAMA_SERVER names it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Notice, Text
from tests.answer.remote import RemoteAccess, answering, ask, cold, finished, held
from tests.answer.servers import LLAMA_SERVER, ModelServer, model_servers

TOKENS = 10


@pytest.fixture(
    scope="module",
    params=[
        "llama_cpp.server",
        pytest.param(
            "llama-server",
            marks=pytest.mark.skipif(not LLAMA_SERVER, reason="LOCKHOUSE_LLAMA_SERVER names none"),
        ),
    ],
)
def servers(request: pytest.FixtureRequest) -> Iterator[list[ModelServer]]:
    with model_servers(request.param, 2) as started:
        yield started


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, servers: list[ModelServer]
) -> Iterator[RemoteAccess]:
    hosts = [server.host for server in servers]
    with RemoteAccess(tmp_path_factory.mktemp("home"), hosts) as elsewhere:
        elsewhere.add("one", servers[0].endpoint, counts_tokens=True)
        elsewhere.add("both", *(server.endpoint for server in servers))
        yield elsewhere


def test_its_models_are_listed_and_are_targets(home: RemoteAccess) -> None:
    assert [model.name for model in home.remotes.refresh_models("one")] == ["starter"]
    assert "one/starter" in [info.name for info in home.remotes.list()]
    assert [one.is_up for one in home.remotes.health("both")] == [True, True]


def test_it_streams_and_counts_as_it_counts_itself(
    home: RemoteAccess, servers: list[ModelServer]
) -> None:
    target = home.remotes.get("one/starter")
    request = cold("What is the capital of France?", TOKENS)
    events = ask(target, request)
    end = finished(events)
    assert sum(isinstance(event, Text) for event in events) > 1
    assert end.finish_reason == "length"
    theirs = servers[0].usage(target.preview(request).body)
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (
        theirs["prompt_tokens"],
        theirs["completion_tokens"],
    )


def test_stopping_it_keeps_what_came_and_leaves_it_free(home: RemoteAccess) -> None:
    cancel, events = CancelToken(), list[Event]()
    for event in answering(home.remotes.get("one/starter"), cold("Tell me a story.", 400), cancel):
        events.append(event)
        if isinstance(event, Text):
            cancel.cancel()
    assert finished(events).finish_reason == "cancelled"
    assert held(events)
    assert finished(ask(home.remotes.get("one/starter"), cold("Name a colour.", 3)))


def test_two_share_twenty_questions_and_one_that_dies_loses_none(
    home: RemoteAccess, servers: list[ModelServer]
) -> None:
    target = home.remotes.get("both/starter")
    victim, killed = servers[1], threading.Event()
    lock, ended = threading.Lock(), list[str]()

    def one(number: int) -> list[Event]:
        events = list[Event]()
        # Only one answer is allowed, a different one for each: what a server says freely
        # depends on what it was asked before, even when nothing is drawn.
        request = cold("Count.", 60, grammar=f'root ::= "{_right(number)}"')
        for event in answering(target, request, CancelToken()):
            events.append(event)
            busy = home.balancer.in_flight(victim.endpoint)
            with lock:
                if isinstance(event, Text) and len(ended) >= 6 and busy and not killed.is_set():
                    killed.set()
                    victim.kill()
        with lock:
            ended.append(finished(events).host)
        return events

    with ThreadPoolExecutor(4) as threads:
        answers = [*threads.map(one, range(20))]
    assert killed.is_set()
    assert [held(events) for events in answers] == [_right(number) for number in range(20)]
    assert {victim.host, servers[0].host} == set(ended)
    assert any(isinstance(event, Notice) for events in answers for event in events)


def _right(number: int) -> str:
    return f"{number}: seven boats."
