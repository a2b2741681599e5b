"""What the broker can be asked, and what a handler is given to answer it with.

Imported at a broker's first request, with everything that speaks HTTP: a broker that is never
asked costs nothing but a waiting process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import httpx2


class BrokerContext:
    """What one operation may use. Belongs to the thread that carries the operation out.

    The client checks every host before every request and every redirect, and its connections
    end at once when the operation is taken back; a thread that a handler starts itself has no
    operation and can reach nothing.
    """

    client: httpx2.Client  # this operation's way out; huggingface_hub is given the same kind
    fds: tuple[int, ...]  # files handed over; closed by the broker after the operation
    endpoint: str  # the hub, or its mirror, without a slash at the end
    purpose: str  # the word in the records

    @property
    def cancelled(self) -> bool:
        """Whether the door took the operation back. The client raises Cancelled by itself."""
        raise NotImplementedError

    def token(self, provider: str = "huggingface") -> str | None:
        """The key from the keyring, or the one given for this session."""
        raise NotImplementedError

    def limit(
        self,
        *,
        body_bytes: int | None = None,
        total_s: float | None = None,
        idle_s: float | None = None,
    ) -> None:
        """Bounds for the requests that follow; None leaves one as it is.

        Before: 64 MiB an answer, 120 s a request, 30 s without a byte.
        """
        raise NotImplementedError

    def check(self, response: httpx2.Response) -> httpx2.Response:
        """The same response when its status is below 400; raises RemoteFailure otherwise."""
        raise NotImplementedError


Handler = Callable[[Any, BrokerContext], Generator[msgspec.Struct, None, msgspec.Struct]]

# A handler yields its events and RETURNS its reply. What it raises is mapped once, in
# gate.broker.failures. The request's class name is its name on the wire.
HANDLERS: dict[type[msgspec.Struct], Handler] = {}
