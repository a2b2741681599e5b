"""Writes the events, records and reply of one operation to its client.

The first event after a wait goes out at once. Those that came with it follow in one frame, as
soon as the operation waits again, or after a millisecond if it does not. So text is not delayed,
and many events a second cost few frames.
"""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.core.events import Reasoning, Text
from lockhouse.gate import protocol as wire

_MOST_HELD_S = 0.001
_encoder = msgspec.json.Encoder()


class EventWriter:
    """Used by the thread that carries the operation out. Ignores a client that is gone, which
    the thread that listens to it will notice.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pending: list[msgspec.Struct] = []
        self._has_sent = False  # since the last wait
        self._pending_since = 0.0

    def event(self, event: msgspec.Struct) -> None:
        """Send an event, or hold it back for a moment."""
        if not self._has_sent:
            self._has_sent = True
            self._send(wire.EVENT, _encoder.encode(event))
            return
        now = time.monotonic()
        if not self._pending:
            self._pending_since = now
        _join(self._pending, event)
        if now - self._pending_since >= _MOST_HELD_S:
            self._flush()

    def about_to_wait(self) -> None:
        """The operation is about to wait: send what was held back."""
        self._flush()
        self._has_sent = False

    def record(self, record: wire.Record) -> None:
        """Send something for the client to keep in its records."""
        self._flush()
        self._send(wire.ATTEMPT, _encoder.encode(record))

    def reply(self, reply: object) -> None:
        """The operation is done: send its reply."""
        self._flush()
        self._send(wire.REPLY, _encoder.encode(reply))

    def fail(self, failure: wire.Failure) -> None:
        """The operation has failed."""
        self._flush()
        self._send(wire.FAILURE, _encoder.encode(failure))

    def refuse(self, error: LockhouseError, purpose: str) -> None:
        """The operation was refused before it began."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.record(wire.Record(at, "refused", purpose=purpose, outcome=error.code))
        self.fail(wire.failure_of(error))

    def _flush(self) -> None:
        if self._pending:
            self._send(wire.EVENT, _encoder.encode_lines(self._pending))
            self._pending.clear()

    def _send(self, kind: bytes, body: bytes) -> None:
        with contextlib.suppress(OSError):
            self._connection.send_bytes(kind + body)


def _join(pending: list[msgspec.Struct], event: msgspec.Struct) -> None:
    """Append an event; text joins the text before it."""
    last = pending[-1] if pending else None
    if isinstance(event, Text) and isinstance(last, Text):
        pending[-1] = Text(last.text + event.text)
    elif isinstance(event, Reasoning) and isinstance(last, Reasoning):
        pending[-1] = Reasoning(last.text + event.text)
    else:
        pending.append(event)
