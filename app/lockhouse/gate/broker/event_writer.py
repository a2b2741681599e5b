"""The way back from an operation to its door.

The first event after a wait goes out at once. Those that came with it follow in one frame, no
later than the operation waits again, or a millisecond on where it never has to. So text is not
held back, and many events a second cost few frames.
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
    """Used by the thread that carries the operation out. Notices nothing of a door that is gone:

    that is for whoever listens to it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pending: list[msgspec.Struct] = []
        self._has_sent = False  # since the last wait
        self._pending_since = 0.0

    def event(self, event: msgspec.Struct) -> None:
        """Something happened in the operation."""
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
        """Nothing more is known until something comes."""
        self._flush()
        self._has_sent = False

    def record(self, record: wire.Record) -> None:
        """Something for the door's records."""
        self._flush()
        self._send(wire.ATTEMPT, _encoder.encode(record))

    def reply(self, reply: msgspec.Struct) -> None:
        """The operation is done."""
        self._flush()
        self._send(wire.REPLY, _encoder.encode(reply))

    def fail(self, failure: wire.Failure) -> None:
        """It has failed."""
        self._flush()
        self._send(wire.FAILURE, _encoder.encode(failure))

    def refuse(self, error: LockhouseError, purpose: str) -> None:
        """It is not even begun."""
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
    """Text that came together with the text before it is one piece."""
    last = pending[-1] if pending else None
    if isinstance(event, Text) and isinstance(last, Text):
        pending[-1] = Text(last.text + event.text)
    elif isinstance(event, Reasoning) and isinstance(last, Reasoning):
        pending[-1] = Reasoning(last.text + event.text)
    else:
        pending.append(event)
