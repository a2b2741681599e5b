"""The one HTTP client: every request and every redirect is checked against the list of hosts.

Hides httpcore's pool. The environment's proxies, netrc, certificates and cookies are ignored;
what is sent beside the request itself is the same for everyone. What the list forbids is raised
as LockhouseError, cancelling as Cancelled, and what the network does as httpx's own errors, which
``network_errors`` maps once. For huggingface_hub they are mapped here: after httpx's own errors
it would retry by itself for half a minute.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import httpcore2
import httpx2

from lockhouse.core.errors import Cancelled, LockhouseError, NetworkRefused, UsageMistake
from lockhouse.gate.broker import network_errors
from lockhouse.gate.broker import operation as operations
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.broker.guarded_network import Network
from lockhouse.gate.broker.operation import Exchange, Operation
from lockhouse.gate.network import host_pattern
from lockhouse.gate.protocol import RemoteFailure

USER_AGENT = "lockhouse"
_NOT_SENT = ("cookie", "x-amzn-trace-id", "x-hf-download-counter")
_KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
_MOST_CONNECTIONS = 32
_MOST_REDIRECTS = 8
_KEPT_S = 60.0  # a connection that is not used: the next question often comes soon
_HTTPCORE_ERRORS = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)

Translate = Callable[[BaseException, httpx2.Request], BaseException]


class GuardedTransport(httpx2.BaseTransport):
    """One pool of connections, for all operations that may reach the same hosts."""

    def __init__(self, guard: Guard, trusted: ssl.SSLContext | None = None) -> None:
        """``trusted`` replaces the certificates of the system in tests."""
        proxy = guard.state.proxy
        pool = partial(httpcore2.HTTPProxy, proxy) if proxy else httpcore2.ConnectionPool
        self._pool: httpcore2.ConnectionPool = pool(
            ssl_context=trusted or _system_certificates(),
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_KEPT_S,
            network_backend=Network(),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request, no redirect: the client comes here again for each."""
        return self.answer(request, _same)

    def answer(self, request: httpx2.Request, translate: Translate) -> httpx2.Response:
        """The same, with httpcore's errors translated."""
        operation = operations.current()
        operation.check()
        # In ASCII, as it is looked up, and not as it is shown.
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or (80 if request.url.scheme == "http" else 443)
        name = _as_listed(host, port)
        bound = operation.hosts_of_keys_in((*request.headers.values(), str(request.url)))
        has_key = bool(bound) or any(header in request.headers for header in _KEY_HEADERS)
        try:
            operation.guard.check(request.url.scheme, host, port, has_key=has_key)
            if any(name not in hosts for hosts in bound):
                raise _key_elsewhere(name)
        except LockhouseError as error:
            operation.add_record("refused", name, outcome=error.code)
            raise
        exchange = operation.begin(name)
        try:
            answer = self._pool.handle_request(_prepared(request, operation))
        except BaseException as error:
            same = translate(error, request)
            operation.end(exchange, _outcome(same))
            if same is error:
                raise
            raise same from error
        operation.head_came(exchange)
        headers = httpx2.Headers(answer.headers)
        if headers.get("content-encoding", "identity").lower() != "identity":
            answer.close()
            operation.end(exchange, "remote_failed")
            raise RemoteFailure(f"{name} answered in an encoding that was not requested.")
        headers.pop("set-cookie", None)
        if 300 <= answer.status < 400 and not _is_address(headers.get("location", "")):
            answer.close()
            operation.end(exchange, "redirected")
            raise RemoteFailure(
                f"{name} redirects to an invalid address, which was not followed.",
                hint="Check the address of the server, or ask whoever runs it.",
                code="redirected",
                status=answer.status,
            )
        return httpx2.Response(
            status_code=answer.status,
            headers=headers,
            stream=_Body(answer, operation, exchange, request, translate),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Called for every client; the pool outlives them."""

    def end(self) -> None:
        """Close every connection."""
        self._pool.close()


class MappingTransport(httpx2.BaseTransport):
    """The same transport with its errors mapped to ours, after which no library retries."""

    def __init__(self, guarded: GuardedTransport) -> None:
        self._guarded = guarded

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request, no redirect."""
        return self._guarded.answer(request, _mapped)


@dataclass(eq=False, repr=False)
class _Body(httpx2.SyncByteStream):
    """The answer's bytes, counted and limited."""

    _answer: httpcore2.Response
    _operation: Operation
    _exchange: Exchange
    _request: httpx2.Request
    _translate: Translate

    def __iter__(self) -> Iterator[bytes]:
        came = 0
        try:
            for chunk in self._answer.iter_stream():
                came += len(chunk)
                self._refuse_more_than_asked(came)
                yield chunk
        except BaseException as error:
            same = self._translate(error, self._request)
            self._operation.end(self._exchange, _outcome(same))
            if same is error:
                raise
            raise same from error

    def _refuse_more_than_asked(self, came_bytes: int) -> None:
        if came_bytes > self._operation.limits.body_bytes:
            raise RemoteFailure(
                f"{self._exchange.host} sends more than was requested.",
                hint="Nothing more was read from it.",
                code="too_large",
            )

    def close(self) -> None:
        self._answer.close()
        self._operation.end(self._exchange, str(self._answer.status))


@cache
def _system_certificates() -> ssl.SSLContext:
    return httpcore2.default_ssl_context(_trust_env=False)


def make_client(transport: GuardedTransport | MappingTransport) -> httpx2.Client:
    """A client over the one transport."""
    return httpx2.Client(
        transport=transport,
        trust_env=False,
        follow_redirects=True,
        max_redirects=_MOST_REDIRECTS,
        headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
    )


def _prepared(request: httpx2.Request, operation: Operation) -> httpcore2.Request:
    for header in _NOT_SENT:
        request.headers.pop(header, None)
    request.headers["user-agent"] = USER_AGENT
    request.headers["accept-encoding"] = "identity"
    limits = operation.limits
    timeout = {
        "connect": limits.connect_s,
        "read": limits.idle_s,
        "write": limits.idle_s,
        "pool": limits.idle_s,
    }
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions={"timeout": timeout},
    )


def _is_address(location: str) -> bool:
    """Whether what a server wrote into a header can be read as an address, whole or relative."""
    try:
        port = httpx2.URL(location).port
    except (httpx2.InvalidURL, ValueError):
        return False
    return port is None or 0 < port < 1 << 16


def _same(error: BaseException, request: httpx2.Request) -> BaseException:
    """httpx's error for httpcore's, which has the same name; any other as it is."""
    ours = getattr(httpx2, type(error).__name__, None)
    if ours is None or not isinstance(error, _HTTPCORE_ERRORS):
        return error
    same: BaseException = ours(str(error), request=request)
    same.__cause__ = error
    return same


def _mapped(error: BaseException, request: httpx2.Request) -> BaseException:
    same = _same(error, request)
    return (network_errors.map_error(same) if same is not error else None) or same


def _as_listed(host: str, port: int) -> str:
    """``host:port`` as lists of hosts have it; an invalid one stays as it is."""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return host_pattern(name)
    except UsageMistake:
        return name


def _key_elsewhere(name: str) -> NetworkRefused:
    return NetworkRefused(
        f"The key would have been sent to {name}, which it was not set for, so nothing was sent.",
        hint="If this is the provider's new address, set its key again for it.",
        code="key_elsewhere",
    )


def _outcome(error: BaseException) -> str:
    if isinstance(error, Cancelled | GeneratorExit):
        return "cancelled"
    known = network_errors.map_error(error)
    return known.code if known is not None else "bug"
