"""Server-sent events from a stream of bytes, however it is cut into pieces.

Works on bytes: the data of an event is decoded by its reader, so that a character split
over two pieces needs no care here. Hides line ends (LF, CR, CRLF), comments, and data over
several lines.
"""

from __future__ import annotations

from lockhouse.gate.protocol import RemoteFailure

_MOST_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"


class SseParser:
    """Give it what came; it gives the events that are complete: their name and their data."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        """``most_bytes`` bounds one event."""
        self._most_bytes = most_bytes
        self._rest: list[bytes] = []  # of a line that has not ended
        self._rest_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = ""
        self._is_first = True
        self._ended_with_cr = False  # a LF that follows belongs to it

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        """Raises RemoteFailure for an event that is too large."""
        if self._ended_with_cr and piece:
            self._ended_with_cr = False
            piece = piece.removeprefix(b"\n")
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        if not end:
            self._keep(piece)
            return []
        self._ended_with_cr = piece.endswith(b"\r")
        lines = piece[:end]
        if self._rest:
            lines = b"".join((*self._rest, lines))
            self._rest.clear()
            self._rest_bytes = 0
        self._keep(piece[end:])
        return self._read(lines)

    def end(self) -> list[tuple[str, bytes]]:
        """The stream is over: an event without the blank line that should follow it."""
        return self._read(b"".join(self._rest) + b"\n\n")

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._rest_bytes += len(piece)
            self._refuse_too_large()

    def _read(self, lines: bytes) -> list[tuple[str, bytes]]:
        if self._is_first:
            self._is_first = False
            lines = lines.removeprefix(_BOM)
        events = []
        for line in lines.splitlines():
            if line.startswith(b"data:"):
                data = line[6:] if line.startswith(b"data: ") else line[5:]
                self._data.append(data)
                self._data_bytes += len(data)
                self._refuse_too_large()
            elif not line:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    events.append((self._event, data))
                    self._data.clear()
                    self._data_bytes = 0
                self._event = ""
            elif line.startswith(b"event:"):
                self._event = line[6:].strip().decode(errors="replace")
            elif line == b"data":
                self._data.append(b"")
        return events

    def _refuse_too_large(self) -> None:
        if self._rest_bytes + self._data_bytes > self._most_bytes:
            raise too_large(self._most_bytes)


def too_large(most_bytes: int) -> RemoteFailure:
    """The error for one piece of an answer that is larger than that."""
    return RemoteFailure(
        f"A piece of the answer is larger than {most_bytes >> 20} MiB, so reading was ended.",
        hint="What came before is kept. Check that this is the right server.",
        code="bad_stream",
    )
