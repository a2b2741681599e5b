"""Several equal servers behind one name: which one gets the next request, and taking over.

The least busy one, among these the quickest; one that failed rests for a while, longer each
time, and is then tried again. One that gives an answer up as soon as the next question comes is
asked one at a time from then on. Hides what is remembered of each. Counts are those of this
process, so several processes begin at random.
"""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lockhouse.answer.server_lock import ServerLock
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled
from lockhouse.core.events import Reasoning, StartOver, Text

_FIRST_REST_S = 2.0
_LONGEST_REST_S = 120.0
_LOOK_AGAIN_S = 0.1  # another program may be ready
_SINGLE_S = 3600.0  # it may be started in another way then
_FREE = -1
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
    single_until: float = 0.0


@dataclass(slots=True)
class Lease:
    """One request at one server."""

    url: str
    _sharing: LoadBalancer

    def answered(self, latency_s: float) -> None:
        """It answered, its first byte after that long."""
        self._sharing.note_up(self.url, latency_s)

    def failed(self, *, wait_s: float = 0.0) -> None:
        """It did not. ``wait_s`` is what it asked for itself."""
        self._sharing.note_down(self.url, wait_s=wait_s)

    def given_up(self) -> None:
        """It turned to another question."""
        self._sharing.note_single(self.url)


class LoadBalancer:
    """What this process knows of every server. Usable from any thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        *,
        turnstile: ServerLock | None = None,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._turnstile = turnstile or ServerLock(None)
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
            while (taken := self._take(left)) is None:
                if cancel.cancelled:
                    raise Cancelled
                self._lock.wait(_LOOK_AGAIN_S)
            url, passage = taken
            self._state(url).in_flight += 1
        try:
            yield Lease(url, self)
        finally:
            self._turnstile.give(passage)
            with self._lock:
                self._state(url).in_flight -= 1
                self._lock.notify_all()

    def note_single(self, url: str) -> None:
        """A server gives an answer up for the next question: ask it one at a time."""
        self._turnstile.note(url)
        with self._lock:
            self._state(url).single_until = self._clock() + _SINGLE_S

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

    def _take(self, urls: Sequence[str]) -> tuple[str, int] | None:
        """The best one and the passage to it; None where there is nothing to do but wait."""
        now = self._clock()
        awake = [url for url in urls if self._state(url).rests_until <= now]
        if awake:
            wanted = sorted(awake, key=self._rank)
        else:  # the one that rests the shortest may be back
            wanted = sorted(urls, key=lambda url: self._state(url).rests_until)
        for url in wanted:
            passage = self._passage(url, now)
            if passage is not None:
                return url, passage
        return None

    def _passage(self, url: str, now: float) -> int | None:
        state = self._state(url)
        if state.single_until <= now and not self._turnstile.is_known(url):
            return _FREE
        return None if state.in_flight else self._turnstile.take(url)

    def _rank(self, url: str) -> tuple[int, int, float]:
        state = self._state(url)
        return state.in_flight, _class_of(state.latency_s), self._draw()


def _class_of(latency_s: float | None) -> int:
    """Latencies within a factor of two are equal; one that was never measured is tried."""
    return -99 if latency_s is None else round(math.log2(max(latency_s, 0.001)))


@dataclass(slots=True)
class FailoverStream:
    """What the reader of an answer was told, when another server begins the answer anew.

    What the next server says in the same words is swallowed; where it differs, the reader is
    told to start over. Pieces are kept as they came: joining each to those before it would take
    as long as the answer is long, every time.
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
        self._heard.append((kind, text))
        if self._is_repeating:
            rest = self._without_repeated(kind, text)
            if rest is None:
                return self._start_over()
            text = rest
        if not text:
            return []
        self._told.append((kind, text))
        return [kind(text)]

    def end(self) -> list[Text | Reasoning | StartOver]:
        """What to tell the reader now that the server has said everything."""
        if self._is_repeating and self._at[0] < len(self._told):
            return self._start_over()
        return []

    def _without_repeated(self, kind: type[Text | Reasoning], text: str) -> str | None:
        """What of it is new; None when it differs from what was told."""
        at = 0
        while at < len(text):
            place, offset = self._at
            if place == len(self._told):
                self._is_repeating = False
                return text[at:]
            told_kind, told = self._told[place]
            length = min(len(text) - at, len(told) - offset)
            if told_kind is not kind or told[offset : offset + length] != text[at : at + length]:
                return None
            at += length
            offset += length
            self._at = (place + 1, 0) if offset == len(told) else (place, offset)
        return ""

    def _start_over(self) -> list[Text | Reasoning | StartOver]:
        self._is_repeating = False
        self._told = [
            (kind, "".join(text for _, text in pieces))
            for kind, pieces in itertools.groupby(self._heard, key=lambda piece: piece[0])
        ]
        reason = "The servers were asked anew, and what comes now differs."
        return [StartOver(reason), *(kind(text) for kind, text in self._told)]
