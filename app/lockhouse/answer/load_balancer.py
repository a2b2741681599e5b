"""Several equal servers behind one name: which one gets the next request, and failover.

The least busy one, among these the fastest; one that failed rests for a while, longer each
time, and is then tried again. One that drops an answer as soon as the next question comes is
asked one question at a time from then on. Hides what is remembered of each. Counts are those of
this process, so several processes start at random.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, UsageMistake
from lockhouse.core.events import Reasoning, StartOver, Text, TextWasReasoning
from lockhouse.storage.file_lock import file_lock

_FIRST_REST_S = 2.0
_LONGEST_REST_S = 120.0
_LOOK_AGAIN_S = 0.1  # another program may be ready
_SINGLE_S = 3600.0  # it may be started in another way then
_LOCK_HOLDS_S = 3600.0  # likewise
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
    overlaps: int = 0  # how often a request began while another was under way
    gives_no_reason: bool = False  # for the end of an answer, even where nothing disturbed it


class ServerLock:
    """Servers that answer one question at a time, as all programs of a home know them.

    A folder with a file for each such server: questions to it pass one by one, whichever
    program asks. Where the folder cannot be used, nobody waits.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def is_known(self, url: str) -> bool:
        """Whether some program saw it drop an answer, not long ago."""
        if self._folder is None:
            return False
        try:
            return time.time() - self._path(url).stat().st_mtime < _LOCK_HOLDS_S
        except OSError:
            return False

    def note(self, url: str) -> None:
        """It drops an answer when the next question comes."""
        if self._folder is not None:
            with contextlib.suppress(OSError):  # this program knows all the same
                self._folder.mkdir(parents=True, exist_ok=True)
                self._path(url).touch(mode=0o600)

    def take(self, url: str) -> ExitStack | None:
        """Lock it; close this to unlock it. None while another program holds it."""
        held = ExitStack()
        if self._folder is not None:
            try:
                held.enter_context(file_lock(self._path(url), refusal=UsageMistake("It is busy.")))
            except UsageMistake:
                return None
        return held

    def _path(self, url: str) -> Path:
        assert self._folder is not None
        return self._folder / hashlib.sha256(url.encode()).hexdigest()[:16]


class LoadBalancer:
    """What this process knows of every server. Usable from any thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        *,
        server_lock: ServerLock | None = None,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._server_lock = server_lock or ServerLock(None)
        self._lock = threading.Condition()
        self._states: dict[str, _State] = {}

    @contextmanager
    def lease(
        self,
        urls: Sequence[str],
        *,
        without: Collection[str] = (),
        cancel: CancelToken | None = None,
    ) -> Iterator[str]:
        """The best of ``urls``, counted as busy within. One of them has to be left.

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
            state = self._state(url)
            state.overlaps += state.in_flight > 0
            state.in_flight += 1
        try:
            with passage:
                yield url
        finally:
            with self._lock:
                self._state(url).in_flight -= 1
                self._lock.notify_all()

    def note_single(self, url: str) -> None:
        """A server gives an answer up for the next question: ask it one at a time."""
        self._server_lock.note(url)
        with self._lock:
            self._state(url).single_until = self._clock() + _SINGLE_S

    def note_no_reason(self, url: str) -> None:
        """A server ended an answer without a reason though it had one question only."""
        with self._lock:
            state = self._state(url)
            state.gives_no_reason, state.single_until = True, 0.0

    def gives_no_reason(self, url: str) -> bool:
        """Whether that is a server's habit, and so no sign that it dropped an answer."""
        with self._lock:
            return self._state(url).gives_no_reason

    def overlaps(self, url: str) -> int:
        """A number that grows when a request begins while another one is under way."""
        with self._lock:
            return self._state(url).overlaps

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

    def _take(self, urls: Sequence[str]) -> tuple[str, ExitStack] | None:
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

    def _passage(self, url: str, now: float) -> ExitStack | None:
        state = self._state(url)
        if state.single_until <= now and not self._server_lock.is_known(url):
            return ExitStack()
        return None if state.in_flight else self._server_lock.take(url)

    def _rank(self, url: str) -> tuple[int, int, float]:
        state = self._state(url)
        return state.in_flight, _class_of(state.latency_s), self._draw()


def _class_of(latency_s: float | None) -> int:
    """Latencies within a factor of two are equal; one that was never measured is tried."""
    return -99 if latency_s is None else round(math.log2(max(latency_s, 0.001)))


@dataclass(slots=True)
class FailoverStream:
    """What the reader of an answer has, when another server starts the answer again.

    What the next server repeats is dropped; where it differs, the reader has to start over. Pieces
    are kept as they came: joining each to those before it would take as long as the answer is
    long, every time.
    """

    _sent: list[tuple[type[Text | Reasoning], str]] = field(default_factory=list)
    _received: list[tuple[type[Text | Reasoning], str]] = field(default_factory=list)
    _is_repeating: bool = False
    _at: tuple[int, int] = (0, 0)  # how much of what was sent has been repeated

    @property
    def received_bytes(self) -> int:
        """Of text and reasoning, as the reader got them."""
        return sum(len(text.encode()) for _, text in self._sent)

    @property
    def is_empty(self) -> bool:
        """Whether the reader has nothing yet."""
        return not self._sent

    def begin_again(self) -> None:
        """Another server answers from the beginning."""
        self._received, self._at = [], (0, 0)
        self._is_repeating = bool(self._sent)

    def take(self, event: Text | Reasoning) -> list[Text | Reasoning | StartOver]:
        """What goes to the reader now that the server said this."""
        kind, text = type(event), event.text
        if not text:
            return []
        self._received.append((kind, text))
        if self._is_repeating:
            rest = self._without_repeated(kind, text)
            if rest is None:
                return self._start_over()
            text = rest
        if not text:
            return []
        self._sent.append((kind, text))
        return [kind(text)]

    def relabel(self) -> list[Text | Reasoning | StartOver | TextWasReasoning]:
        """All text of this answer was reasoning: what goes to the reader now."""
        self._received = [(Reasoning, text) for _, text in self._received]
        if self._is_repeating:  # what the reader has is told otherwise, or will be compared anew
            return [*self._start_over()]
        self._sent = [(Reasoning, text) for _, text in self._sent]
        return [TextWasReasoning()]

    def end(self) -> list[Text | Reasoning | StartOver]:
        """What goes to the reader now that the server has said everything."""
        if self._is_repeating and self._at[0] < len(self._sent):
            return self._start_over()
        return []

    def _without_repeated(self, kind: type[Text | Reasoning], text: str) -> str | None:
        """What of it is new; None when it differs from what was sent."""
        at = 0
        while at < len(text):
            place, offset = self._at
            if place == len(self._sent):
                self._is_repeating = False
                return text[at:]
            sent_kind, sent = self._sent[place]
            length = min(len(text) - at, len(sent) - offset)
            if sent_kind is not kind or sent[offset : offset + length] != text[at : at + length]:
                return None
            at += length
            offset += length
            self._at = (place + 1, 0) if offset == len(sent) else (place, offset)
        return ""

    def _start_over(self) -> list[Text | Reasoning | StartOver]:
        self._is_repeating = False
        self._sent = [
            (kind, "".join(text for _, text in pieces))
            for kind, pieces in itertools.groupby(self._received, key=lambda piece: piece[0])
        ]
        reason = "Another server answers, and its answer differs."
        return [StartOver(reason), *(kind(text) for kind, text in self._sent)]
