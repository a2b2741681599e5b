"""Several equal servers behind one name: which one gets the next request, and taking over.

The least busy one, among these the quickest; one that failed rests for a while, longer each
time, and is then tried again. One that gives an answer up as soon as the next question comes is
asked one at a time from then on. Hides what is remembered of each. Counts are those of this
process, so several processes begin at random.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lockhouse.core.answering import Reasoning, StartOver, Text
from lockhouse.core.cancelling import CancelToken
from lockhouse.core.errors import Cancelled

_FIRST_REST_S = 2.0
_LONGEST_REST_S = 120.0
_LOOK_AGAIN_S = 1.0  # a rest may be over
# How a request fails when its server does: another one may well answer it.
_SERVER_ENDED = frozenset(
    {
        "bad_stream", "connection_lost", "connection_refused", "dns", "host_not_allowed",
        "network_unreachable", "overloaded", "rate_limited", "remote_failed", "stalled",
        "timed_out", "tls",
    }
)  # fmt: skip


def another_may_answer(code: str) -> bool:
    """Whether an error speaks of the server rather than of the request."""
    return code in _SERVER_ENDED


@dataclass(slots=True)
class _State:
    in_flight: int = 0
    latency_s: float | None = None
    failures: int = 0
    rests_until: float = 0.0
    is_single: bool = False


@dataclass(slots=True)
class Lease:
    """One request at one server."""

    url: str
    _sharing: Sharing

    def answered(self, latency_s: float) -> None:
        """It answered, its first byte after that long."""
        self._sharing.note_up(self.url, latency_s)

    def failed(self, *, wait_s: float = 0.0) -> None:
        """It did not. ``wait_s`` is what it asked for itself."""
        self._sharing.note_down(self.url, wait_s=wait_s)

    def given_up(self) -> None:
        """It turned to another question."""
        self._sharing.note_single(self.url)


class Sharing:
    """What this process knows of every server. Usable from any thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._lock = threading.Condition()
        self._states: dict[str, _State] = {}

    @contextmanager
    def lease(
        self,
        urls: Sequence[str],
        *,
        without: Collection[str] = (),
        cancel: CancelToken | None = None,
    ) -> Iterator[Lease]:
        """The best of ``urls`` for as long as a request takes. One of them has to be left.

        Waits where all are asked one at a time and busy; raises Cancelled when it was called off.
        """
        left = [url for url in urls if url not in without]
        cancel = cancel or CancelToken()
        with self._lock, cancel.watched(self._wake):
            while (url := self._best(left)) is None:
                if cancel.cancelled:
                    raise Cancelled
                self._lock.wait(_LOOK_AGAIN_S)
            self._state(url).in_flight += 1
        try:
            yield Lease(url, self)
        finally:
            with self._lock:
                self._state(url).in_flight -= 1
                self._lock.notify_all()

    def note_single(self, url: str) -> None:
        """A server gives an answer up for the next question: ask it one at a time."""
        with self._lock:
            self._state(url).is_single = True

    def note_up(self, url: str, latency_s: float) -> None:
        """A server answered. Latency is smoothed: one slow answer does not banish it."""
        with self._lock:
            state = self._state(url)
            state.failures, state.rests_until = 0, 0.0
            before = state.latency_s
            state.latency_s = latency_s if before is None else 0.7 * before + 0.3 * latency_s

    def note_down(self, url: str, *, wait_s: float = 0.0) -> None:
        """A server failed: leave it out for a while, longer each time."""
        with self._lock:
            state = self._state(url)
            rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2**state.failures)
            state.failures += 1
            state.rests_until = self._clock() + max(rest_s, min(wait_s, _LONGEST_REST_S))

    def in_flight(self, url: str) -> int:
        """How many requests of this process a server has now."""
        with self._lock:
            return self._state(url).in_flight

    def _state(self, url: str) -> _State:
        return self._states.setdefault(url, _State())

    def _wake(self) -> None:
        with self._lock:
            self._lock.notify_all()

    def _best(self, urls: Sequence[str]) -> str | None:
        """None where there is nothing to do but wait."""
        now = self._clock()
        awake = [url for url in urls if self._state(url).rests_until <= now]
        free = [url for url in awake or urls if not self._is_taken(url)]
        if not free:
            return None
        if not awake:  # the one that rests the shortest may be back
            return min(free, key=lambda url: self._state(url).rests_until)
        return min(free, key=self._rank)

    def _is_taken(self, url: str) -> bool:
        state = self._state(url)
        return state.is_single and state.in_flight > 0

    def _rank(self, url: str) -> tuple[int, int, float]:
        state = self._state(url)
        return state.in_flight, _class_of(state.latency_s), self._draw()


def _class_of(latency_s: float | None) -> int:
    """Latencies within a factor of two are equal; one that was never measured is tried."""
    return -99 if latency_s is None else round(math.log2(max(latency_s, 0.001)))


@dataclass(slots=True)
class Telling:
    """What the reader of an answer was told, when another server begins the answer anew.

    What the next server says in the same words is swallowed; where it differs, the reader is
    told to start over.
    """

    _told: list[tuple[type[Text | Reasoning], str]] = field(default_factory=list)
    _heard: list[tuple[type[Text | Reasoning], str]] = field(default_factory=list)
    _is_repeating: bool = False
    _at: tuple[int, int] = (0, 0)  # how much of what was told has been repeated

    @property
    def received_bytes(self) -> int:
        """Of text and reasoning, as told."""
        return sum(len(text.encode()) for _, text in self._told)

    @property
    def is_empty(self) -> bool:
        """Whether the reader was told nothing yet."""
        return not self._told

    def begin_again(self) -> None:
        """Another server answers from the beginning."""
        self._heard, self._at = [], (0, 0)
        self._is_repeating = bool(self._told)

    def take(self, event: Text | Reasoning) -> list[Text | Reasoning | StartOver]:
        """What to tell the reader now that the server said this."""
        kind, text = type(event), event.text
        if not text:
            return []
        _append(self._heard, kind, text)
        if self._is_repeating:
            rest = self._without_repeated(kind, text)
            if rest is None:
                return self._start_over()
            text = rest
        if not text:
            return []
        _append(self._told, kind, text)
        return [kind(text)]

    def end(self) -> list[Text | Reasoning | StartOver]:
        """What to tell the reader now that the server has said everything."""
        if self._is_repeating and self._at[0] < len(self._told):
            return self._start_over()
        return []

    def _without_repeated(self, kind: type[Text | Reasoning], text: str) -> str | None:
        """What of it is new; None when it differs from what was told."""
        while text:
            place, offset = self._at
            if place == len(self._told):
                self._is_repeating = False
                return text
            told_kind, told = self._told[place]
            length = min(len(text), len(told) - offset)
            if told_kind is not kind or told[offset : offset + length] != text[:length]:
                return None
            text = text[length:]
            offset += length
            self._at = (place + 1, 0) if offset == len(told) else (place, offset)
        return ""

    def _start_over(self) -> list[Text | Reasoning | StartOver]:
        self._is_repeating = False
        self._told = list(self._heard)
        reason = "Another server took over, and what it says differs."
        return [StartOver(reason), *(kind(text) for kind, text in self._told)]


def _append(
    pieces: list[tuple[type[Text | Reasoning], str]], kind: type[Text | Reasoning], text: str
) -> None:
    if pieces and pieces[-1][0] is kind:
        pieces[-1] = (kind, pieces[-1][1] + text)
    else:
        pieces.append((kind, text))
