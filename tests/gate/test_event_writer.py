"""The way back from an operation: what is sent at once, what together, and being taken back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec
import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Notice, Reasoning, Text
from lockhouse.gate import protocol as wire
from lockhouse.gate.broker.service import EventWriter
from lockhouse.gate.channel import cancel_with

Pair = tuple[Connection, Connection]
RECORD = wire.Record("2026-11-22T10:00:00+00:00", "allowed", "a:443")


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The client's end and the broker's."""
    ours, theirs = socket.socketpair()
    with Connection(ours.detach()) as client, Connection(theirs.detach()) as broker:
        yield client, broker


def frames(client: Connection) -> list[tuple[bytes, list[object]]]:
    """All that have come by now."""
    found = []
    decoder = msgspec.json.Decoder()
    while client.poll(0):
        frame = client.recv_bytes()
        found.append((frame[:1], decoder.decode_lines(frame[1:])))
    return found


def test_the_first_goes_at_once_and_the_rest_before_the_next_wait(pair: Pair) -> None:
    client, broker = pair
    outlet = EventWriter(broker)
    for _ in range(2):
        outlet.event(Text("a"))
        assert frames(client) == [(wire.EVENT, [{"type": "text", "text": "a"}])]
        for event in (Text("b"), Text("c"), Reasoning("d"), Reasoning("e"), Text("f")):
            outlet.event(event)
        outlet.about_to_wait()
        sent = [line for _, lines in frames(client) for line in lines]
        text = "".join(str(line["text"]) for line in sent if isinstance(line, dict))
        assert text == "bcdef"


def test_nothing_overtakes(pair: Pair) -> None:
    client, broker = pair
    outlet = EventWriter(broker)
    outlet.event(Text("a"))
    outlet.event(Notice("waiting", "b"))
    outlet.record(RECORD)
    outlet.event(Text("c"))
    outlet.event(Text("d"))
    outlet.reply(wire.Done())
    kinds = [kind for kind, _ in frames(client)]
    assert kinds.index(wire.ATTEMPT) >= 2
    assert kinds[kinds.index(wire.ATTEMPT) + 1] == wire.EVENT
    assert kinds[-1] == wire.REPLY


def test_where_no_wait_comes_what_is_pending_goes_all_the_same(pair: Pair) -> None:
    client, broker = pair
    outlet = EventWriter(broker)
    outlet.event(Text("first"))
    assert len(frames(client)) == 1
    while not client.poll(0):  # until it goes by itself
        outlet.event(Text("more"))


def test_a_door_that_is_gone_is_no_error_here(pair: Pair) -> None:
    client, broker = pair
    client.close()
    outlet = EventWriter(broker)
    for _ in range(10):
        outlet.event(Text("a" * 100_000))
        outlet.about_to_wait()
    outlet.reply(wire.Done())


def test_the_wish_is_passed_on_once(pair: Pair) -> None:
    client, broker = pair
    cancel = CancelToken()
    with cancel_with(client, cancel):
        cancel.answer_now()
        assert not broker.poll(0)
        cancel.cancel()
        cancel.cancel()
        assert broker.recv_bytes() == b"-"
        assert not broker.poll(0)


def test_a_wish_from_before_counts(pair: Pair) -> None:
    client, broker = pair
    cancel = CancelToken()
    cancel.cancel()
    with cancel_with(client, cancel):
        assert broker.recv_bytes() == b"-"


def test_a_broker_that_does_not_obey_is_left_behind(pair: Pair) -> None:
    client, broker = pair
    cancel = CancelToken()
    with cancel_with(client, cancel):
        cancel.cancel()
        with pytest.raises(EOFError):
            client.recv_bytes()
    assert broker.recv_bytes() == b"-"
    with pytest.raises(EOFError):
        broker.recv_bytes()
