"""A gate without a broker's process: the handlers run in the caller's thread, unguarded.

For tests of what the handlers and the queue do; the real broker has tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import httpx2
import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled
from lockhouse.core.json_decoding import decoded
from lockhouse.gate.broker import hub, range_download
from lockhouse.gate.client import GateClient
from lockhouse.gate.hub_requests import (
    FetchFile,
    LimitSpeed,
    ReadCard,
    ReadRepo,
    ReadStart,
    SearchHub,
)

_Reply = TypeVar("_Reply")
HANDLERS: dict[type[msgspec.Struct], Callable[..., Any]] = {
    SearchHub: hub.search,
    ReadRepo: hub.read_repo,
    ReadCard: hub.read_card,
    ReadStart: hub.read_start,
    FetchFile: range_download.fetch,
    LimitSpeed: range_download.limit_speed,
}


class DirectContext:
    """What a handler is given."""

    def __init__(
        self, endpoint: str, fds: Sequence[int], token: str | None, cancel: CancelToken | None
    ) -> None:
        self.endpoint = endpoint
        self.fds = tuple(fds)
        self.purpose = ""
        self._token = token
        self._cancel = cancel
        self.client = self.make_client()

    @staticmethod
    def make_client() -> httpx2.Client:
        return httpx2.Client(timeout=5, trust_env=False, headers={"User-Agent": "lockhouse"})

    @property
    def cancelled(self) -> bool:
        return self._cancel is not None and self._cancel.cancelled

    def token(self, provider: str = "huggingface") -> str | None:
        return self._token

    def limit(
        self,
        *,
        body_bytes: int | None = None,
        total_s: float | None = None,
        idle_s: float | None = None,
    ) -> None:
        if idle_s is not None:
            self.client.timeout = httpx2.Timeout(idle_s)


class DirectGate(GateClient):
    """Asks the handlers of one hub."""

    def __init__(self, endpoint: str, *, token: str | None = None) -> None:
        self.endpoint = endpoint
        self.token = token
        self.bytes_out = 0

    @property
    def is_open(self) -> bool:
        return True

    def ask(
        self,
        request: msgspec.Struct,
        *,
        reply_type: type[_Reply],
        files: Sequence[int] = (),
        events: Callable[[Any], None] | None = None,
        event_type: Any = None,
        cancel: CancelToken | None = None,
        purpose: str = "",
    ) -> _Reply:
        context = DirectContext(self.endpoint, files, self.token, cancel)
        with context.client:
            reply = HANDLERS[type(request)](request, context)
            while isinstance(reply, Generator):
                try:
                    event = next(reply)
                except StopIteration as ended:
                    reply = ended.value
                else:
                    if context.cancelled:
                        raise Cancelled
                    if events is not None:
                        events(event)
        return decoded(msgspec.json.encode(reply), reply_type)
