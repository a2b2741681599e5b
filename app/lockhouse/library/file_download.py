"""Downloads one file from a hub: resumes it, verifies its hash, and repairs damaged blocks.

Works on a part file that holds the bytes from the beginning; its length says how much there is.
Ends with a part file that has the hash which the hub states, or with an error and a part file
from which to resume.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput
from lockhouse.gate.hub import Hub, HubFile
from lockhouse.gate.hub_requests import Fetched, FetchFile
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.library.incremental_hash import BLOCK_BYTES, IncrementalHash

if TYPE_CHECKING:
    from hashlib import _Hash

_POLL_S: Final = 0.1
_PROGRESS_BYTES: Final = 1 << 20  # a connection that received less counts as failed
_MAX_COPIES: Final = 4  # of one block, until two are equal
_LONGEST_WAIT_S: Final = 300.0


class Report(Protocol):
    """Called about ten times a second."""

    def __call__(self, done_bytes: int, checked_bytes: int, *, checking: bool) -> None:
        """How much is there and how much of it is hashed; ``checking`` while nothing is fetched."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to retry when the hub does not answer."""

    attempts: int = 5  # without progress, one after another
    first_wait_s: float = 1.0
    idle_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository at one commit."""

    repo: str
    revision: str
    file: HubFile


class FileDownload:
    """The download of one file into one part file."""

    def __init__(
        self,
        hub: Hub,
        remote: RemoteFile,
        part: Path,
        *,
        report: Report,
        cancel: CancelToken,
        retry: RetryPolicy,
    ) -> None:
        self._hub = hub
        self._remote = remote
        self._file = remote.file
        self._size = remote.file.size_bytes
        self._part = part
        self._report = report
        self._cancel = cancel
        self._retry = retry
        self._etag = ""
        self._have = 0
        self._failures = 0  # connections in a row that received next to nothing
        self._only_whole = False  # the server does not send parts of files
        self._breaks: list[int] = []  # where one connection ended and the next began

    def run(self) -> str:
        """Fetch what is missing and return the sha256 of the whole file.

        Raises Cancelled, LockhouseError or OSError; what came is kept either way.
        """
        descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        processes.give_to_user(descriptor)
        digest = IncrementalHash(descriptor, partial(_stated_hash, self._file))
        try:
            return self._run(descriptor, digest)
        finally:
            digest.close()
            os.close(descriptor)

    def _run(self, descriptor: int, digest: IncrementalHash) -> str:
        self._have = os.fstat(descriptor).st_size
        if self._have > self._size:
            os.ftruncate(descriptor, 0)
            self._have = 0
        if self._have:
            self._breaks.append(self._have)
            digest.advance(self._have)
            self._wait_for_hash(digest)
        self._fetch_rest(descriptor, digest)
        if not self._is_right(digest):
            self._repair(descriptor, digest)
        os.fsync(descriptor)
        if self._file.sha256:
            return digest.hexdigest()
        with self._part.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _wait_for_hash(self, digest: IncrementalHash) -> None:
        while not digest.wait(_POLL_S):
            self._report_progress(digest, checking=True)

    def _report_progress(self, digest: IncrementalHash, *, checking: bool = False) -> None:
        self._report(self._have, digest.position, checking=checking)
        if self._cancel.cancelled:
            raise Cancelled

    def _is_right(self, digest: IncrementalHash) -> bool:
        return digest.hexdigest() == (self._file.sha256 or self._file.blob_id)

    # Fetching

    def _fetch_rest(self, descriptor: int, digest: IncrementalHash) -> None:
        """Fetch everything that is missing at the end, and hash it."""

        def progress(start: int, written: int) -> None:
            self._have = start + written
            digest.advance(self._have)
            self._report_progress(digest)

        while not self._fetch(descriptor, digest, self._have, self._size, self._have, progress):
            self._only_whole = True
            self._start_over(descriptor, digest)
        self._wait_for_hash(digest)

    def _start_over(self, descriptor: int, digest: IncrementalHash) -> None:
        digest.rewind(0)
        os.ftruncate(descriptor, 0)
        self._have = 0
        self._breaks.clear()

    def _fetch(
        self,
        descriptor: int,
        digest: IncrementalHash,
        start: int,
        end: int,
        write_at: int,
        progress: Callable[[int, int], None],
    ) -> bool:
        """Fetch a range, one connection after another. False: the server sends only whole files.

        ``progress`` gets where a connection began and how much it has received.
        """
        position = start
        while position < end:
            request = FetchFile(
                repo=self._remote.repo,
                file=self._file.name,
                revision=self._remote.revision,
                size_bytes=self._size,
                sha256=self._file.sha256,
                start=position,
                end=end,
                write_at=write_at + position - start,
                etag=self._etag,
                idle_timeout_s=self._retry.idle_timeout_s,
            )
            on_bytes = partial(progress, position)
            ended = self._hub.fetch(request, descriptor, progress=on_bytes, cancel=self._cancel)
            on_bytes(ended.written_bytes)
            position += ended.written_bytes
            self._etag = ended.etag or self._etag
            if ended.end == "changed":
                raise _changed(self._file, ended.detail)
            if ended.end == "no range":
                return False
            if ended.end == "complete":
                self._failures = 0
                continue
            self._breaks.append(position)
            has_progress = ended.written_bytes >= _PROGRESS_BYTES and not self._only_whole
            self._failures = 0 if has_progress else self._failures + 1
            self._wait_to_retry(ended, digest)
        return True

    def _wait_to_retry(self, ended: Fetched, digest: IncrementalHash) -> None:
        """Wait before the next attempt, or give up."""
        if self._failures >= self._retry.attempts or ended.retry_after_s > _LONGEST_WAIT_S:
            raise _given_up(self._file, ended)
        if not self._failures and not ended.retry_after_s:
            return
        backoff_s = self._retry.first_wait_s * 2 ** max(0, self._failures - 1)
        until = time.monotonic() + (ended.retry_after_s or backoff_s)
        while (left := until - time.monotonic()) > 0:
            self._report_progress(digest)
            time.sleep(min(left, _POLL_S))

    # Repair

    def _repair(self, descriptor: int, digest: IncrementalHash) -> None:
        """Find damaged blocks by fetching them again; raise when that does not help.

        The hub states one hash for the whole file, so a damaged block shows by being different
        the second time. Blocks in which a connection broke are the likeliest.
        """
        likely = {position // BLOCK_BYTES * BLOCK_BYTES for position in self._breaks}
        blocks = sorted(range(0, self._size, BLOCK_BYTES), key=lambda at: (at not in likely, at))
        differing = 0
        with tempfile.TemporaryFile(dir=self._part.parent) as spare:
            for block in blocks:
                copies = [os.pread(descriptor, min(BLOCK_BYTES, self._size - block), block)]
                while len(copies) < _MAX_COPIES and copies[-1] not in copies[:-1]:
                    copy = self._fetch_again(spare.fileno(), digest, block, len(copies[0]))
                    if copy is None:
                        return self._fetch_whole_again(descriptor, digest)
                    copies.append(copy)
                differing += len(copies) > 2
                if copies[-1] == copies[0]:
                    continue
                os.pwrite(descriptor, copies[-1], block)
                digest.rewind(block)
                digest.advance(self._size)
                self._wait_for_hash(digest)
                if self._is_right(digest):
                    return None
        raise _wrong_hash(self._file, differing)

    def _fetch_again(
        self, spare: int, digest: IncrementalHash, start: int, count: int
    ) -> bytes | None:
        """A block, fetched once more; None when the server sends only whole files."""
        self._failures = 0

        def progress(_start: int, _written: int) -> None:
            self._report_progress(digest, checking=True)

        is_there = self._fetch(spare, digest, start, start + count, 0, progress)
        return os.pread(spare, count, 0) if is_there else None

    def _fetch_whole_again(self, descriptor: int, digest: IncrementalHash) -> None:
        self._start_over(descriptor, digest)
        self._fetch_rest(descriptor, digest)
        if not self._is_right(digest):
            raise _wrong_hash(self._file, 0)


def _stated_hash(file: HubFile) -> _Hash:
    """The kind of hash that the hub states: sha256, or for small files the name of the git blob."""
    if file.sha256:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {file.size_bytes}\0".encode(), usedforsecurity=False)


def _changed(file: HubFile, detail: str) -> InvalidInput:
    return InvalidInput(
        f"{file.name} has changed on the hub. {detail}".strip(),
        hint="What was downloaded before is kept and not mixed with it. Try again later, or"
        " cancel the download and get the newest revision.",
        code="changed",
    )


def _given_up(file: HubFile, ended: Fetched) -> RemoteFailure:
    when = f" in {ended.retry_after_s:.0f} s" if ended.retry_after_s else ""
    return RemoteFailure(
        f"The download of {file.name} was interrupted. {ended.detail}".strip(),
        hint=f"What was downloaded is kept: resume it{when}.",
        code="rate_limited" if ended.end == "busy" else "interrupted",
        retry_after_s=ended.retry_after_s,
    )


def _wrong_hash(file: HubFile, differing: int) -> InvalidInput:
    how = (
        f"{differing} pieces of it were different each time they were fetched"
        if differing
        else "it was the same when it was fetched again"
    )
    return InvalidInput(
        f"{file.name} does not have the hash that the hub states; {how}.",
        hint="It was not added to the library. Resume it later to have it checked and repaired"
        " again, or cancel it and choose another file.",
        code="hash_mismatch",
    )
