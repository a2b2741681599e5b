"""What a handler of the broker is given to carry out one operation.

Hides the connection pool, the keys and the operation's limits behind one client that checks
every host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

from lockhouse.core.errors import StorageError
from lockhouse.gate import keys
from lockhouse.gate.broker import network_errors
from lockhouse.gate.broker.guard import Guard
from lockhouse.gate.broker.operation import Limits, Operation
from lockhouse.gate.broker.transport import GuardedTransport, MappingTransport, make_client
from lockhouse.gate.network import HUB_ENDPOINT, hosts_of
from lockhouse.gate.protocol import Record

_session_keys: dict[str, tuple[str, tuple[str, ...]]] = {}  # a key and its hosts


class BrokerContext(Operation):
    """One operation with its client and its keys, used by the thread that carries it out.

    The client checks the host of every request and every redirect, and its connections end at
    once when the operation is cancelled. A thread that a handler starts itself has no operation
    and can reach nothing.
    """

    def __init__(
        self,
        guard: Guard,
        purpose: str,
        record: Callable[[Record], None],
        transport: GuardedTransport,
        fds: tuple[int, ...],
    ) -> None:
        super().__init__(guard, purpose, record)
        self.client = make_client(transport)
        # For huggingface_hub, which must not retry by itself.
        self.make_client = lambda: make_client(MappingTransport(transport))
        self.fds = fds  # files to write; closed by the broker after the operation
        self.endpoint = (guard.state.endpoint or HUB_ENDPOINT).rstrip("/")
        self.locked: StorageError | None = None  # why the keyring gave no key, where it did not

    def key(self, provider: str, host: str) -> str | None:
        """The key that may go to ``host:port``: the one of this session, or of the keyring.

        None where there is none for this host, and while the keyring is locked, because some
        hosts need no key; where one does, :attr:`locked` explains it. The client refuses to
        send a key returned here to any other host. Do not keep it.
        """
        key, hosts = _session_keys.get(provider, ("", ()))
        found: str | None = key if host in hosts else None
        try:
            found = found or keys.read(provider, host)
        except StorageError as error:
            self.locked = error
        if found:
            self.carry(found, host)
        return found

    def token(self) -> str | None:
        """The key of the hub, or of the mirror that stands in its place."""
        return self.key(keys.HUGGINGFACE, hosts_of([self.endpoint])[0])

    def limit(
        self,
        *,
        body_bytes: int | None = None,
        total_s: float | None = None,
        idle_s: float | None = None,
        connect_s: float | None = None,
        head_s: float | None = None,
    ) -> None:
        """Set limits for the requests that follow; None leaves one as it is.

        The defaults are 64 MiB an answer, 120 s a request, 30 s without a byte and 15 s for a
        connection; ``head_s`` is for the status and the headers. ``idle_s`` takes effect at once,
        in the middle of an answer too.
        """
        limits = self.limits
        limits.body_bytes = limits.body_bytes if body_bytes is None else body_bytes
        limits.total_s = limits.total_s if total_s is None else total_s
        limits.idle_s = limits.idle_s if idle_s is None else idle_s
        limits.connect_s = limits.connect_s if connect_s is None else connect_s
        limits.head_s = limits.head_s if head_s is None else head_s

    def limit_to(self, timeout_s: float, *, body_bytes: int) -> None:
        """Allow every request, each of its steps included, so many seconds and bytes."""
        self.limits = Limits(body_bytes, total_s=timeout_s, idle_s=timeout_s, connect_s=timeout_s)

    def require_success(self, response: httpx2.Response) -> httpx2.Response:
        """The same response when its status is below 400; raises RemoteFailure otherwise."""
        if response.status_code < 400:
            return response
        raise network_errors.for_status(response.status_code, response.headers, response.url.host)


# A handler returns its reply, or yields events before it does. What it raises is mapped once, in
# gate.broker.network_errors.
Handler = Callable[[Any, BrokerContext], Any]


def keep_session_key(provider: str, key: str, hosts: tuple[str, ...]) -> None:
    """Keep a key for as long as this broker runs; an empty one removes it."""
    if key:
        bound = tuple(keys.bound_hosts(hosts))
        _session_keys[keys.checked_provider(provider)] = (keys.checked(key), bound)
    else:
        _session_keys.pop(provider, None)
