"""The body of an answer as events, whatever form the server chose for it.

A stream of events is what was asked for. Some servers send JSON instead: one value, a list of
them, or one a line. The first byte tells which, because the type that is stated often does not.
"""

from __future__ import annotations

import json

from lockhouse.gate.broker.sse import SseParser, too_large

_MOST_BYTES = 8 << 20
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
Events = list[tuple[str, bytes]]


class AnswerBody:
    """Give it what came; it gives the events that are complete: their name and their data."""

    def __init__(self) -> None:
        self._begun = b""  # white space, before anything can be told
        self._parser: SseParser | JsonParser | None = None

    def feed(self, piece: bytes) -> Events:
        """Raises RemoteFailure for an event that is too large."""
        if self._parser is None:
            self._begun += piece
            first = self._begun.removeprefix(_BOM).lstrip(_SPACE)[:1]
            if not first and len(self._begun) < _MOST_BYTES:
                return []
            self._parser = JsonParser() if first in (b"{", b"[") else SseParser()
            piece, self._begun = self._begun, b""
        return self._parser.feed(piece)

    def end(self) -> Events:
        """The body is over."""
        return [] if self._parser is None else self._parser.end()


class JsonParser:
    """JSON instead of events: each object is one."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._has_lines = True  # until one is no object

    def feed(self, piece: bytes) -> Events:
        """Raises RemoteFailure for a value that is too large."""
        self._rest.append(piece)
        self._rest_bytes += len(piece)
        if self._rest_bytes > _MOST_BYTES:
            raise too_large(_MOST_BYTES)
        if not self._has_lines or b"\n" not in piece:
            return []
        lines, newline, rest = b"".join(self._rest).rpartition(b"\n")
        events = [("", line) for line in map(bytes.strip, lines.split(b"\n")) if line]
        if events and not _is_object(events[0][1]):  # one value over several lines
            self._has_lines = False
            rest, events = lines + newline + rest, []
        self._rest, self._rest_bytes = [rest], len(rest)
        return events

    def end(self) -> Events:
        """The body is over: the value that it is, or each of a list of them."""
        data = b"".join(self._rest).removeprefix(_BOM).strip(_SPACE)
        if not data.startswith(b"["):
            return [("", data)] if data else []
        try:
            values = json.loads(data.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            return [("", data)]  # its reader says what is wrong with it
        return [("", json.dumps(value).encode()) for value in values]


def _is_object(line: bytes) -> bool:
    return line.removeprefix(_BOM).startswith(b"{") and _is_json(line)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.removeprefix(_BOM).decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return False
    return True
