"""Downloads a byte range of a large file from a hub into an open file.

Hides how bytes get from a socket to a disk quickly: once the answer's head is read, the body is
received into one large buffer straight from the connection and written at its place. Never
retries: whether and from where to continue is for the caller to decide, who knows what is on
the disk.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final

from lockhouse.core.errors import Cancelled, InvalidInput, NoRoom
from lockhouse.gate.broker.context import BrokerContext
from lockhouse.gate.broker.guarded_network import Stream
from lockhouse.gate.broker.hub import file_address, opened_file, require_file
from lockhouse.gate.dialects.provider_errors import retry_after_s
from lockhouse.gate.hub_requests import Fetched, FetchEnd, FetchFile, FetchProgress, LimitSpeed
from lockhouse.gate.protocol import Done

if TYPE_CHECKING:
    import httpx2


_BUFFER_BYTES: Final = 1 << 20
_PROGRESS_S: Final = 0.1
_PROGRESS_BYTES: Final = 16 << 20  # so that hashing is never far behind
_LOOK_S: Final = 0.1  # how often a wish to stop is looked for while it holds back
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_FOREVER_S: Final = 30 * 24 * 3600.0
_Events = Generator[FetchProgress, None, Fetched]


class SpeedLimit:
    """A limit in bytes a second that all downloads of this process share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes_per_s = 0
        self._free_at = 0.0

    def set(self, bytes_per_s: int) -> None:
        """0 is no limit."""
        with self._lock:
            self._bytes_per_s = max(0, bytes_per_s)
            self._free_at = 0.0

    def piece(self, most: int) -> int:
        """How much to read at once, so that a slow download is an even one."""
        limit = self._bytes_per_s
        return most if not limit else max(1024, min(most, limit // 20))

    def wait_s(self, count: int) -> float:
        """Count bytes that came; how long to wait before the next ones."""
        with self._lock:
            if not self._bytes_per_s:
                return 0.0
            now = time.monotonic()
            self._free_at = max(now - 0.1, self._free_at) + count / self._bytes_per_s
            return max(0.0, self._free_at - now)


_LIMIT: Final = SpeedLimit()


def limit_speed(request: LimitSpeed, _: BrokerContext) -> Done:
    """Set another limit, which holds for running downloads as well."""
    _LIMIT.set(request.bytes_per_s)
    return Done()


def fetch(request: FetchFile, context: BrokerContext) -> _Events:
    """Download one range."""
    import httpx2

    count = request.end - request.start
    if not 0 <= request.start < request.end <= request.size_bytes or len(context.fds) != 1:
        raise InvalidInput("This range is not within the file.")
    context.limit(body_bytes=count, total_s=_FOREVER_S, idle_s=request.idle_timeout_s)
    address = file_address(context.endpoint, request.repo, request.revision, request.file)
    is_part = count < request.size_bytes
    part = f"bytes={request.start}-{request.end - 1}" if is_part else ""
    try:
        with opened_file(context, address, part=part) as response:
            refusal = _refusal(response, request)
            if refusal is not None:
                return refusal
            pieces = response.iter_raw()  # held until the response is closed, which ends it
            return (yield from _written(response, pieces, request, context))
    except httpx2.TimeoutException:
        return Fetched("stalled", 0, detail="The hub does not answer.")
    except httpx2.TransportError as error:
        return Fetched("failed", 0, detail=_plain(error))


def _refusal(response: httpx2.Response, request: FetchFile) -> Fetched | None:
    """Why this answer is not the requested range; None when it is."""
    status = response.status_code
    if status in (429, 503) or status >= 500:
        wait_s = retry_after_s(response.headers)
        end: FetchEnd = "busy" if status == 429 else "failed"
        return Fetched(end, 0, detail=f"The hub answered {status}.", retry_after_s=wait_s)
    if status in (412, 416):
        return Fetched("changed", 0, detail="The hub's file is shorter than it was.")
    require_file(response, request.repo, request.file)
    etag = _etag(response)
    if (changed := _changed(response, request, etag)) is not None:
        return Fetched("changed", 0, etag=etag, detail=changed)
    whole = response.headers.get("Content-Length", "")
    if status == 200 and whole.isdecimal() and int(whole) != request.size_bytes:
        return Fetched("changed", 0, detail=f"The hub sends {whole} bytes as the whole file.")
    if status == 200 and request.end - request.start < request.size_bytes:
        return Fetched("no range", 0, etag=etag)
    if status == 206:
        part = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if part is None or int(part[1]) != request.start or int(part[2]) != request.end - 1:
            return Fetched("failed", 0, detail="The hub sent another range than was requested.")
        if part[3] not in ("*", str(request.size_bytes)):
            return Fetched("changed", 0, detail=f"The hub's file has {part[3]} bytes now.")
    elif status != 200:
        return Fetched("failed", 0, detail=f"The hub answered {status}.")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return Fetched("failed", 0, detail="The hub sent the file in another encoding.")
    return None


def _etag(response: httpx2.Response) -> str:
    return response.headers.get("ETag", "").removeprefix("W/").strip('"')


def _changed(response: httpx2.Response, request: FetchFile, etag: str) -> str | None:
    """What shows that this is another file, as a sentence; None for the same one."""
    linked = ""
    for each in (*response.history, response):
        commit = each.headers.get("X-Repo-Commit", request.revision)
        if commit != request.revision:
            return f"The hub answered for another commit, {commit[:12]}."
        linked = each.headers.get("X-Linked-ETag", "").strip('"') or linked
        size = each.headers.get("X-Linked-Size", "")
        if size and size != str(request.size_bytes):
            return f"The hub's file has {size} bytes now."
    if linked and len(linked) == len(request.sha256) and linked != request.sha256:
        return "The hub has another file under this name now."
    if not linked and request.etag and etag and etag != request.etag:
        return "The server has another file under this address now."
    return None


def _written(
    response: httpx2.Response, pieces: Iterator[bytes], request: FetchFile, context: BrokerContext
) -> _Events:
    """Write the body and report progress."""
    import httpx2

    etag, total = _etag(response), request.end - request.start
    written, reported, reported_at, end, detail = 0, 0, time.monotonic(), "complete", ""
    try:
        for count in _bytes_to_disk(_connection(response), pieces, request, context):
            written += count
            now = time.monotonic()
            if now - reported_at >= _PROGRESS_S or written - reported >= _PROGRESS_BYTES:
                reported_at, reported = now, written
                yield FetchProgress(written)
    except (TimeoutError, httpx2.TimeoutException):
        end, detail = "stalled", f"Nothing came for {request.idle_timeout_s:.0f} s."
    except (httpx2.TransportError, OSError) as error:
        end, detail = "cut", _plain(error)
    if end == "complete" and written < total:
        end, detail = "cut", "The connection ended too early."
    yield FetchProgress(written)
    return Fetched(end, written, etag=etag, detail=detail)  # type: ignore[arg-type] # as above


def _bytes_to_disk(
    direct: Stream | None, pieces: Iterator[bytes], request: FetchFile, context: BrokerContext
) -> Iterator[int]:
    """Receive and write pieces; yields the size of each."""
    left, position = request.end - request.start, request.write_at
    descriptor = context.fds[0]
    for piece in pieces:
        taken = memoryview(piece)[:left]
        _write(descriptor, taken, position)
        position, left = position + len(taken), left - len(taken)
        yield len(taken)
        _hold_back(len(taken), context)
        if not left:
            return
        if direct is not None:
            break  # the parser has returned what it had; the rest is in the connection
    if direct is None or not left:
        return
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    while left:
        wanted = _LIMIT.piece(min(left, _BUFFER_BYTES))
        count = direct.receive(buffer[:wanted], idle_s=request.idle_timeout_s)
        if not count:
            return
        _write(descriptor, buffer[:count], position)
        position, left = position + count, left - count
        yield count
        _hold_back(count, context)


def _connection(response: httpx2.Response) -> Stream | None:
    """The connection of the body, where it comes without any encoding of the transfer."""
    headers = response.headers
    if response.http_version != "HTTP/1.1" or "Transfer-Encoding" in headers:
        return None
    stream = response.extensions.get("network_stream")
    return stream if isinstance(stream, Stream) and "Content-Length" in headers else None


def _hold_back(count: int, context: BrokerContext) -> None:
    wait_s = _LIMIT.wait_s(count)
    until = time.monotonic() + wait_s
    while wait_s > 0:
        if context.cancelled:
            raise Cancelled
        time.sleep(min(wait_s, _LOOK_S))
        wait_s = until - time.monotonic()


def _write(descriptor: int, data: memoryview, position: int) -> None:
    try:
        while data:
            count = os.pwrite(descriptor, data, position)
            data, position = data[count:], position + count
    except OSError as error:
        raise NoRoom(
            f"The download could not be written to disk: {error.strerror}.",
            hint="Free some space, then resume it. What was downloaded is kept.",
            code="disk_full",
        ) from error


def _plain(error: Exception) -> str:
    return f"The connection failed ({str(error) or type(error).__name__})."
