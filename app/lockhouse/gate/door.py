"""The gate as the rest of the program sees it: is it open, ask the broker, what has left.

Hides the broker's process, its channel and the records. A program that started sealed has no
broker and can never get one: opening the network is a new start, and :meth:`Gate.why_closed`
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from lockhouse.core.cancelling import CancelToken
from lockhouse.core.errors import LockhouseError, NetworkRefused
from lockhouse.gate.channel import Channel
from lockhouse.gate.network import Network, NetworkState
from lockhouse.gate.protocol import Record
from lockhouse.storage.database import Database

ReplyT = TypeVar("ReplyT", bound=msgspec.Struct)


class Gate:
    """The way out of one program. Usable from any thread."""

    def __init__(self, network: Network, database: Database, channel: Channel | None) -> None:
        self._network = network
        self._database = database
        self._channel = channel
        self.bytes_out = 0  # of this session

    @property
    def state(self) -> NetworkState:
        """What network.json says now, for programs that start now."""
        return self._network.state()

    @property
    def is_open(self) -> bool:
        """Whether this program can reach a listed host, now."""
        raise NotImplementedError

    def why_closed(self) -> LockhouseError:
        """What to tell someone who asked for something from the network."""
        return NetworkRefused("The network is sealed.", hint="Open it: lockhouse unseal")

    def ask(
        self,
        request: msgspec.Struct,
        *,
        reply_type: type[ReplyT],
        files: Sequence[int] = (),
        events: Callable[[Any], None] | None = None,
        event_type: Any = None,
        cancel: CancelToken | None = None,
        purpose: str = "",
    ) -> ReplyT:
        """Have the broker carry out a request and wait for its reply.

        The request's type must stand in the broker's table of handlers. ``files`` are
        descriptors that the broker may write; they stay the caller's. What the handler yields is
        decoded as ``event_type`` (a type or a union) and given to ``events`` in this thread.
        ``purpose`` is the word in the records. Raises Cancelled when ``cancel`` was called, and
        LockhouseError: sealed, a host that is not allowed, what the network or the host said.
        """
        raise NotImplementedError

    def records(self, *, limit: int = 1000) -> list[Record]:
        """Every attempt to leave, newest first."""
        raise NotImplementedError
