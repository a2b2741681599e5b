"""Sends one request to a provider and reads the stream that answers it.

Hides the time limits: for a connection, for the first token, between tokens, in all, and before
another attempt. Another attempt is made only before any of the answer has come. The body is
sent as it was passed in, and no redirect is followed.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

import httpx2
import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.core.events import Notice, Reasoning, Text
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import ToolCall
from lockhouse.gate.broker import network_errors
from lockhouse.gate.broker.answer_body import AnswerBody
from lockhouse.gate.broker.context import BrokerContext
from lockhouse.gate.dialects import Dialect, dialect
from lockhouse.gate.dialects.provider_errors import (
    PARTLY_CAME,
    UNREADABLE,
    Recipient,
    bad_stream,
    clean,
    endless,
    nothing_came,
    redirected,
    refusal_in,
    waiting_notice,
)
from lockhouse.gate.dialects.stream_reader import StreamReader
from lockhouse.gate.network import host_of
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.remote_requests import (
    Answered,
    Counted,
    CountPrompt,
    ListedModel,
    ListedModels,
    ListModels,
    RemoteEvent,
    SendAnswerRequest,
)

_MOST_OF_AN_ERROR = 64 << 10
_ERROR_S: Final = 10.0  # how long the rest of an error may take
_TAIL_S: Final = 0.05  # for the end of the body, once the answer is complete
_MOST_TAIL_S: Final = 0.5  # the same, where something comes all the time
_REASON_S: Final = 5.0  # for counts and the mark of the end, once the reason for it is there
# A server that sends more pieces than this, each a token or more, or more letters, has no limit.
_TIMES_ASKED: Final = 4
_MORE_PIECES: Final = 1024
_LETTERS_A_TOKEN: Final = 128
_MORE_LETTERS: Final = 1 << 18
# What ends the reading of an answer without a word about it.
_ENDS: Final = ("bad_stream", "endless", "stalled", "timed_out", "too_large")
_NO_ANSWERS: Final = ("text/html", "application/xhtml+xml")
_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_BROKEN_AT_ONCE_S: Final = 2.0
_FIRST_PAUSE_S: Final = 0.5
_MOST_PAUSE_S: Final = 8.0
_MOST_MODELS: Final = 5000
_LONGEST_NAME: Final = 300
_MOST_TOKENS: Final = 1 << 40  # that a model could be said to take
_TOKENS = (Text, Reasoning, ToolCall)
_Events = Generator[RemoteEvent, None, Answered]


def send_answer_request(request: SendAnswerRequest, context: BrokerContext) -> _Events:
    """Send the request, again where that makes sense, until there is an answer or a failure."""
    host = host_of(request.url)
    context.hold_to(request.label, host)
    who, key = _recipient(request, host, context)
    ends_at = time.monotonic() + request.total_s
    attempt = 1
    while True:
        sending = _Attempt(request, context, who, key, ends_at)
        try:
            return (yield from sending.answer())
        except LockhouseError as error:
            shown, wait_s = _without_key(error, key), sending.pause_s(error, attempt)
            if wait_s is None:
                raise shown from error
            yield Notice("waiting", waiting_notice(who, shown, wait_s))
        context.wait(wait_s)
        attempt += 1


@dataclass(eq=False, repr=False)
class _Attempt:
    """One attempt to have a request answered."""

    _request: SendAnswerRequest
    _context: BrokerContext
    _who: Recipient
    _key: str | None
    _ends_at: float
    _began: float = field(default_factory=time.monotonic)
    _first_byte_s: float = 0.0
    _first_token_s: float = 0.0
    _last_token_s: float = 0.0
    _complete_s: float = 0.0
    _tokens: int = 0  # pieces of the answer, each a token or more
    _letters: int = 0
    _may_ask_again: bool = False

    @property
    def _dialect(self) -> Dialect:
        return dialect(self._request.dialect)

    @property
    def _headers(self) -> list[tuple[str, str]]:
        """Complete but for the connection's own."""
        key = [self._dialect.key_header(self._key)] if self._key else []
        return [*self._request.headers, *key]

    def answer(self) -> _Events:
        """Send the request and read the answer. Raises LockhouseError, Cancelled."""
        request = self._request
        self._context.limit(
            body_bytes=request.most_bytes,
            total_s=max(0.0, self._ends_at - time.monotonic()),
            idle_s=request.first_token_s,
            connect_s=request.connect_s,
            head_s=request.first_token_s,
        )
        try:
            with self._context.client.stream(
                "POST",
                request.url,
                headers=self._headers,
                content=request.body,
                follow_redirects=False,
            ) as response:
                self._first_byte_s = self._age_s
                self._require_stream(response)
                return (yield from self._read(response))
        except httpx2.TimeoutException as error:
            raise self._late(error) from error
        except RemoteFailure as error:
            if error.code == "timed_out" and not error.status:
                is_over = time.monotonic() >= self._ends_at
                raise (self._late(error) if is_over else self._stalled()) from error
            raise
        except httpx2.TransportError as error:
            known = network_errors.map_error(error)
            if known is None:
                raise
            # Lost at once: a connection kept too long. Later, an answer may have been computed.
            self._may_ask_again = (
                known.code == "connection_lost"
                and not self._first_byte_s
                and self._age_s < _BROKEN_AT_ONCE_S
            )
            raise self._named(known) from error

    def _read(self, response: httpx2.Response) -> _Events:
        body, reader = AnswerBody(), self._dialect.reader(self._who, self._request.body)
        try:
            piece = b""
            for piece in response.iter_raw():
                for name, data in body.feed(piece):
                    yield from self._noted(reader.feed(name, data))
                if self._is_over(reader):
                    break
                self._patience(reader)
            if not piece:
                raise nothing_came(self._who)
            for name, data in body.end():
                yield from self._noted(reader.feed(name, data))
        except (LockhouseError, httpx2.TransportError) as error:
            yield from reader.rest()
            is_over = isinstance(error, httpx2.TransportError) or error.code in _ENDS
            if not (is_over and (reader.is_done or reader.finish)):  # else nothing is missing
                raise
        yield from reader.rest()
        answered = reader.end()
        return msgspec.structs.replace(
            answered,
            model=_line(answered.model),
            response_id=_line(answered.response_id),
            first_byte_s=round(self._first_byte_s, 6),
            first_token_s=round(self._first_token_s, 6),
            total_s=round(self._age_s, 6),
        )

    @property
    def _age_s(self) -> float:
        return time.monotonic() - self._began

    def _noted(self, events: list[RemoteEvent]) -> list[RemoteEvent]:
        """The same events. Raises RemoteFailure when there is no end of them."""
        if not any(isinstance(event, _TOKENS) for event in events):
            return events
        self._last_token_s = self._age_s
        self._first_token_s = self._first_token_s or self._last_token_s
        self._tokens += 1
        self._letters += sum(len(e.text) for e in events if isinstance(e, Text | Reasoning))
        asked = self._request.max_tokens
        is_endless = (
            self._tokens > _TIMES_ASKED * asked + _MORE_PIECES
            or self._letters > _LETTERS_A_TOKEN * asked + _MORE_LETTERS
        )
        if asked and is_endless:
            raise endless(self._who, asked)
        return events

    def _is_over(self, reader: StreamReader) -> bool:
        """Whether a complete answer has been followed by something else for long enough."""
        if not self._complete_s and (reader.is_done or reader.finish):
            self._complete_s = self._age_s
        most_s = _MOST_TAIL_S if reader.is_done else _REASON_S
        return bool(self._complete_s) and self._age_s - self._complete_s > most_s

    def _patience(self, reader: StreamReader) -> None:
        """Set how long to wait for the next piece. Signs of life, such as empty lines, are not
        a token: with them a server may take as long as for the first one."""
        request = self._request
        if reader.is_done:
            self._context.limit(idle_s=_TAIL_S)
            return
        idle_s = request.idle_s if self._first_token_s else request.first_token_s
        if reader.finish:
            idle_s = min(idle_s, _REASON_S)
        left_s = max(idle_s, request.first_token_s) - (self._age_s - self._last_token_s)
        if left_s <= 0:
            raise self._stalled()
        self._context.limit(idle_s=min(idle_s, left_s))

    # -- errors -----------------------------------------------------------------------------------

    def _require_stream(self, response: httpx2.Response) -> None:
        """Raise RemoteFailure for anything but a stream of events."""
        status = response.status_code
        if 300 <= status < 400:
            raise redirected(self._who, response.headers.get("location", ""), status)
        if status >= 400:
            body = self._error_body(response)
            self._may_ask_again = (
                status in _AGAIN and response.headers.get("x-should-retry") != "false"
            )
            raise refusal_in(body, self._who, status, response.headers)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in _NO_ANSWERS:  # any other may be stated for an answer
            raise bad_stream(self._who, f"it is {clean(kind)}, not a stream of events")

    def _error_body(self, response: httpx2.Response) -> bytes:
        """As much of it as comes; an incomplete error is still an error."""
        self._context.limit(idle_s=min(_ERROR_S, self._request.idle_s))
        body = b""
        try:
            for piece in response.iter_raw():
                body += piece
                if len(body) >= _MOST_OF_AN_ERROR:
                    break
        except httpx2.TransportError:
            pass
        return body[:_MOST_OF_AN_ERROR]

    def _late(self, error: Exception) -> RemoteFailure:
        if isinstance(error, httpx2.ReadTimeout) and time.monotonic() < self._ends_at:
            return self._stalled()
        if isinstance(error, httpx2.ConnectTimeout) and time.monotonic() < self._ends_at:
            what = f"No connection to {self._who.title} in {self._request.connect_s:g} seconds."
        else:
            what = f"{self._who.title} did not finish in {self._request.total_s:g} seconds."
        return RemoteFailure(
            what, hint="The network or the server is slow or down. Try again.", code="timed_out"
        )

    def _stalled(self) -> RemoteFailure:
        title, request = self._who.title, self._request
        if self._first_token_s:
            silent_s = round(self._age_s - self._last_token_s, 1)
            what = f"{title} stopped in the middle of the answer, for {silent_s:g} s."
            hint = PARTLY_CAME
        else:
            what = f"{title} did not begin to answer in {request.first_token_s:g} seconds."
            hint = "It may be overloaded. Try again, or choose another model."
        return RemoteFailure(what, hint=hint, code="stalled")

    def _named(self, known: LockhouseError) -> LockhouseError:
        """Says when the connection was lost, and what to do."""
        if known.code != "connection_lost":
            return known
        if self._first_token_s:
            when, hint = "in the middle of the answer", PARTLY_CAME
        else:
            when, hint = "before it answered", "Try again, or choose another model."
        what = f"{self._who.title} closed the connection {when}."
        return RemoteFailure(what, hint=hint, code="connection_lost")

    # -- attempts ----------------------------------------------------------------------------------

    def pause_s(self, error: LockhouseError, attempt: int) -> float | None:
        """How long to wait before another attempt; None when there must be none."""
        request = self._request
        if not self._may_ask_again or attempt >= request.attempts:
            return None
        if error.code in ("no_credit", "context_too_long", "content_refused", "too_large"):
            return None
        pause_s = min(_MOST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
        wait_s = error.retry_after_s or pause_s
        if wait_s > request.most_wait_s or time.monotonic() + wait_s >= self._ends_at:
            return None
        return wait_s


def list_models(request: ListModels, context: BrokerContext) -> ListedModels:
    """Ask a server for its list of models. Never retries."""
    spoken = dialect(request.dialect)
    who, key = _recipient(request, host_of(request.endpoint), context)
    headers = [("accept", "application/json"), *spoken.list_headers]
    if key:
        headers.append(spoken.key_header(key))
    context.limit_to(request.timeout_s, body_bytes=request.most_bytes)
    began = time.monotonic()
    url = request.endpoint.rstrip("/") + spoken.models_path
    try:
        response = context.client.get(url, headers=headers, follow_redirects=False)
        duration_s = time.monotonic() - began
        if response.status_code in (404, 405):  # not a missing model: none was named
            raise _no_list(who, request.endpoint, response.status_code)
        if response.status_code >= 400:
            raise refusal_in(response.content, who, response.status_code, response.headers)
        if response.status_code >= 300:
            raise redirected(who, response.headers.get("location", ""), response.status_code)
        return ListedModels(_usable(spoken.listed(response.content)), round(duration_s, 6))
    except LockhouseError as error:
        raise _without_key(error, key) from error


def _usable(listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    """The part of a list that can be shown and kept: a server may write anything into it."""
    found = (model for model in listed if 0 < len(model.name) <= _LONGEST_NAME)
    return tuple(
        msgspec.structs.replace(
            model,
            title=_line(model.title),
            context_length=_within(model.context_length),
            max_output_tokens=_within(model.max_output_tokens),
        )
        for model in islice((one for one in found if one.name.isprintable()), _MOST_MODELS)
    )


def _line(name: str) -> str:
    """A name in one line, short and without control characters."""
    return "".join(letter for letter in name[:_LONGEST_NAME] if letter.isprintable())


def _within(tokens: int) -> int:
    return tokens if 0 < tokens < _MOST_TOKENS else 0


def count_prompt(request: CountPrompt, context: BrokerContext) -> Counted:
    """Ask for an answer of one token and read the token count. Never retries."""
    spoken, host = dialect("openai"), host_of(request.url)
    context.hold_to(request.label, host)
    key = context.key(request.key, host) if request.key else None
    headers = [("accept", "application/json"), ("content-type", "application/json")]
    if key:
        headers.append(spoken.key_header(key))
    context.limit_to(request.timeout_s, body_bytes=_MOST_OF_AN_ERROR)
    response = context.client.post(
        request.url, content=request.body, headers=headers, follow_redirects=False
    )
    try:
        usage = decoded(response.content, _WithUsage).usage
    except UNREADABLE:
        return Counted()
    return Counted(usage.prompt_tokens)


class _PromptUsage(msgspec.Struct):
    prompt_tokens: int = 0


class _WithUsage(msgspec.Struct):
    usage: _PromptUsage


def _recipient(
    request: SendAnswerRequest | ListModels, host: str, context: BrokerContext
) -> tuple[Recipient, str | None]:
    """Who is asked, and the key for it. Raises LockhouseError where that is missing."""
    key = context.key(request.key, host) if request.key else None
    who = Recipient(request.provider, request.title or host, has_key=bool(key))
    if request.key and not key:
        raise _no_key(who, host, context)
    return who, key


# --- errors ----------------------------------------------------------------------------------


def _no_list(who: Recipient, endpoint: str, status: int) -> RemoteFailure:
    bare = not urlsplit(endpoint).path.strip("/")
    return RemoteFailure(
        f"{who.title} answers, but it has no list of models at this address.",
        hint=f"Most servers have it under /v1: {endpoint.rstrip('/')}/v1"
        if bare
        else "Check the address of the server.",
        code="not_there",
        status=status,
    )


def _no_key(who: Recipient, host: str, context: BrokerContext) -> LockhouseError:
    if context.locked is not None:
        return context.locked
    return RemoteFailure(
        f"There is no key for {who.title} that may go to {host}.",
        hint=f"Set it, for this address: lockhouse keys set {who.name}",
        code="unauthorized",
        status=401,
    )


def _without_key(error: LockhouseError, key: str | None) -> LockhouseError:
    """Remove the key from what a server quotes."""
    if key and (key in error.message or key in error.hint):
        error.message = error.message.replace(key, "…")
        error.hint = error.hint.replace(key, "…")
        error.args = (error.message,)
    return error
