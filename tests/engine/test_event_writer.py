"""Events reach their client in order, and a client that does not read holds nobody up."""

from __future__ import annotations

from multiprocessing import Pipe

import pytest

from lockhouse.core.events import Finished, Text
from lockhouse.engine import protocol
from lockhouse.engine.process.event_writer import EventWriter


@pytest.mark.parametrize("size", [10, 1000, 20_000])
def test_all_arrive_in_order_when_they_are_read_late(size: int) -> None:
    ours, theirs = Pipe()
    outbox = EventWriter(ours)
    texts = [f"{number} {'x' * size}" for number in range(500)]
    for text in texts:
        outbox.put(Text(text))
    outbox.put(Finished("stop"))
    for text in texts:
        reply = protocol.receive_reply(theirs)
        assert isinstance(reply, Text)
        assert reply.text == text
    assert isinstance(protocol.receive_reply(theirs), Finished)
    outbox.wait_for_end()


def test_a_client_that_went_away_ends_it() -> None:
    ours, theirs = Pipe()
    outbox = EventWriter(ours)
    outbox.put(Text("a"))
    theirs.close()
    for _ in range(3):
        outbox.put(Text("b"))
    outbox.wait_for_end()


def test_a_client_that_goes_away_without_reading_ends_it() -> None:
    ours, theirs = Pipe()
    outbox = EventWriter(ours)
    for _ in range(100):
        outbox.put(Text("c" * 20_000))
    theirs.close()
    outbox.wait_for_end()
