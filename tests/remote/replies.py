"""What a server of the tests answers, in no dialect: the text, the counts, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STATUSES = (400, 401, 402, 403, 404, 408, 413, 429, 500, 503, 529)

FAULTS = (
    *(str(status) for status in STATUSES),
    "context",  # 400: the prompt is longer than the model's context
    "quota",  # 429: not too fast, but nothing left to spend
    "refused",  # the answer ends because of what is in it
    "blocked",  # nothing is answered because of what is in the prompt
    "reset-before",
    "reset-middle",
    "stall-before",  # not even a status
    "stall-head",  # a status, then nothing
    "stall-middle",
    "cut",  # the connection ends in the middle, properly closed
    "malformed",  # the second event is no JSON
    "empty",  # a status that promises an answer, then the end
    "not-sse",  # event stream by its type, HTML by its content
    "split-utf8",  # one byte a piece; no fault, but hard to read
    "cr",  # lines end as they may: CR
    "huge-line",
    "wrong-type",
    "redirect",
    "drip",  # a byte now and then, never a whole event
    "error-inside",
    "error-first",  # inside the stream, before any text
    "no-usage",
    "no-end",  # no reason for the end and no mark of it
    "comments",
    "comments-only",
    "raw",  # the bytes of the fault, under its type and status, cut into small pieces
    "endless",  # the same bytes again and again
    "endless-head",  # a status that promises another one, again and again
)
"""A model of the name ``fault-NAME`` behaves so; so does the next request after ``faults`` got
one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with one request."""

    name: str
    retry_after: str = ""  # of a status
    to: str = ""  # of a redirect
    said: str = ""  # the message in the body, instead of the usual one
    body: bytes = b""
    kind: str = "text/event-stream"
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model wants called."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. The counts are the dialect's own, as ``shapes`` writes them."""

    pieces: tuple[str, ...] = ("Grüße", " from", " else", "where 🏔️", ".")
    reasoning: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    prompt_tokens: int = 20
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 9
    reasoning_tokens: int = 0
    finish: str = ""  # the dialect's word; empty for the usual one
    more_usage: dict[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0  # before each event
