"""Server-sent events, however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockhouse.gate.broker.sse import SseParser
from lockhouse.gate.protocol import RemoteFailure

Events = list[tuple[str, bytes]]

STREAM = (
    "\ufeff: a comment\n"
    "event: message_start\n"
    'data: {"text": "Grüße 🏔️"}\n'
    "\n"
    "data:no space\r\n"
    "data:  two spaces\r\n"
    "id: 7\r\n"
    "retry: 10\r\n"
    "\r\n"
    "event: lonely\r"
    "\r"
    "data\r"
    "data: after an empty line\r"
    "\r"
    "nothing: known\n"
    "\n\n\n"
    "data: [DONE]\n\n"
).encode()
EVENTS: Events = [
    ("message_start", '{"text": "Grüße 🏔️"}'.encode()),
    ("", b"no space\n two spaces"),
    ("", b"\nafter an empty line"),
    ("", b"[DONE]"),
]


def parsed(*pieces: bytes) -> Events:
    parser = SseParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return found + parser.end()


def test_line_ends_comments_and_data_over_several_lines() -> None:
    assert parsed(STREAM) == EVENTS


def test_every_place_to_cut_gives_the_same() -> None:
    for at in range(len(STREAM) + 1):
        assert parsed(STREAM[:at], STREAM[at:]) == EVENTS
    assert parsed(*(bytes((byte,)) for byte in STREAM)) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_number_of_cuts_gives_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(places)]
    assert parsed(*pieces) == EVENTS


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "delta"]), st.text(max_size=20).filter(bool)), max_size=6
    ),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.integers(1, 7),
)
def test_what_is_written_is_read(
    events: list[tuple[str, str]], line_end: str, piece_bytes: int
) -> None:
    plain = [(name, text.replace("\r", " ").replace("\n", " ")) for name, text in events]
    written = "".join(
        (f"event: {name}{line_end}" if name else "") + f"data: {text}{line_end}{line_end}"
        for name, text in plain
    ).encode()
    pieces = [written[at : at + piece_bytes] for at in range(0, len(written), piece_bytes)]
    assert parsed(*pieces) == [(name, text.encode()) for name, text in plain]


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b"\r"])
def test_an_end_without_a_blank_line_is_an_end(tail: bytes) -> None:
    assert parsed(b"data: one\n\ndata: two" + tail) == [("", b"one"), ("", b"two")]
    assert parsed(b"") == []


def test_an_event_comes_as_soon_as_it_is_complete() -> None:
    parser = SseParser()
    assert parser.feed(b"data: 1\r") == []
    assert parser.feed(b"\n\r") == [("", b"1")]
    assert parser.feed(b"\ndata: 2\n\n") == [("", b"2")]


def test_a_huge_event_is_refused_before_it_is_all_there() -> None:
    parser, fed = SseParser(most_bytes=10_000), 0
    with pytest.raises(RemoteFailure) as caught:  # noqa: PT012 - until it is refused
        while fed < 1 << 20:
            parser.feed(b"x" * 1000)
            fed += 1000
    assert caught.value.code == "bad_stream"
    assert fed <= 10_000
    lines, fed = SseParser(most_bytes=10_000), 0
    with pytest.raises(RemoteFailure):  # noqa: PT012
        while fed < 1 << 20:
            lines.feed(b"data: " + b"x" * 1000 + b"\n")
            fed += 1000
    assert fed <= 10_000
    small = SseParser(most_bytes=10_000)
    for _ in range(100):
        assert len(small.feed(b"data: " + b"x" * 5000 + b"\n\n")) == 1
