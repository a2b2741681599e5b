"""One file from a hub: fetched, gone on with, checked, and mended where bytes came wrong.

Works on a part file that holds the bytes from the beginning; its length says how much there is.
Ends with a part file that has the hash which the hub states, or with an error and a part file
from which to go on.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, NoRoom
from lockhouse.gate.hub import Hub, HubFile
from lockhouse.gate.hub_requests import Fetched, FetchFile
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.library.incremental_hash import BLOCK_BYTES, IncrementalHash

if TYPE_CHECKING:
    from hashlib import _Hash

_LOOK_S: Final = 0.1
_WORTH_MENTIONING_BYTES: Final = 1 << 20
_COPIES: Final = 4  # of one block, until two are equal
_LONGEST_WAIT_S: Final = 300.0


class Report(Protocol):
    """Called about ten times a second."""

    def __call__(self, done_bytes: int, checked_bytes: int, *, checking: bool) -> None:
        """So much is there, so much of it hashed; ``checking`` while nothing else happens."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to bear with a hub that does not answer."""

    tries: int = 5  # without progress, one after another
    first_wait_s: float = 1.0
    idle_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file at a commit."""

    repo: str
    revision: str
    file: HubFile


class FileDownload:
    """The download of one file into one part file."""

    def __init__(
        self,
        hub: Hub,
        wanted: Wanted,
        part: Path,
        *,
        report: Report,
        cancel: CancelToken,
        patience: Patience,
    ) -> None:
        self._hub = hub
        self._wanted = wanted
        self._size = wanted.file.size_bytes
        self._part = part
        self._report = report
        self._cancel = cancel
        self._patience = patience
        self._etag = ""
        self._have = 0
        self._seams: list[int] = []  # where one connection ended and the next went on

    def run(self) -> str:
        """Fetch what is missing, and give the sha256 of the whole; the hub's own by then.

        Raises Cancelled, or LockhouseError; what came is kept either way.
        """
        try:
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(self._part, error) from error
        follower = IncrementalHash(descriptor, partial(_fresh, self._wanted.file))
        try:
            return self._run(descriptor, follower)
        except OSError as error:
            raise _unwritable(self._part, error) from error
        finally:
            follower.close()
            os.close(descriptor)

    def _run(self, descriptor: int, follower: IncrementalHash) -> str:
        self._have = os.fstat(descriptor).st_size
        if self._have > self._size:
            os.ftruncate(descriptor, 0)
            self._have = 0
        if self._have:
            self._seams.append(self._have)
            follower.advance(self._have)
            self._catch_up(follower)
        self._fetch_rest(descriptor, follower)
        self._catch_up(follower)
        if not self._is_right(follower):
            self._mend(descriptor, follower)
        os.fsync(descriptor)
        if self._wanted.file.sha256:
            return follower.hexdigest()
        with self._part.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _catch_up(self, follower: IncrementalHash) -> None:
        """Hash what is there; nothing else happens meanwhile."""
        while not follower.wait(_LOOK_S):
            self._look(follower, checking=True)

    def _look(self, follower: IncrementalHash, *, checking: bool = False) -> None:
        self._report(self._have, follower.position, checking=checking)
        if self._cancel.cancelled:
            raise Cancelled

    def _is_right(self, follower: IncrementalHash) -> bool:
        file = self._wanted.file
        return follower.hexdigest() == (file.sha256 or file.blob_id)

    # Fetching

    def _fetch_rest(self, descriptor: int, follower: IncrementalHash) -> None:
        failures = 0
        restarts = False
        while self._have < self._size:
            start = self._have
            ended = self._fetch(descriptor, follower, start)
            self._have = start + ended.written_bytes
            follower.advance(self._have)
            self._etag = ended.etag or self._etag
            if ended.end == "complete":
                continue
            if ended.end == "changed":
                raise _changed(self._wanted, ended.detail)
            if ended.end == "no range":
                restarts = True
                self._start_again(descriptor, follower)
                continue
            if self._have:
                self._seams.append(self._have)
            if restarts or ended.written_bytes < _WORTH_MENTIONING_BYTES:
                failures += 1
            else:
                failures = 0
            self._bear(ended, failures, follower)

    def _start_again(self, descriptor: int, follower: IncrementalHash) -> None:
        """The server gives only whole files."""
        follower.rewind(0)
        os.ftruncate(descriptor, 0)
        self._have, self._seams = 0, []

    def _fetch(self, descriptor: int, follower: IncrementalHash, start: int) -> Fetched:
        def tell(written: int) -> None:
            self._have = start + written
            follower.advance(self._have)
            self._look(follower)

        request = self._request(start, self._size, start)
        return self._hub.fetch(request, descriptor, progress=tell, cancel=self._cancel)

    def _request(self, start: int, end: int, write_at: int) -> FetchFile:
        return FetchFile(
            repo=self._wanted.repo,
            file=self._wanted.file.name,
            revision=self._wanted.revision,
            size_bytes=self._size,
            sha256=self._wanted.file.sha256,
            start=start,
            end=end,
            write_at=write_at,
            etag=self._etag,
            idle_timeout_s=self._patience.idle_timeout_s,
        )

    def _bear(self, ended: Fetched, failures: int, follower: IncrementalHash) -> None:
        """Wait before the next try, or give up."""
        if failures >= self._patience.tries or ended.retry_after_s > _LONGEST_WAIT_S:
            raise _given_up(self._wanted, ended)
        wait_s = ended.retry_after_s or self._patience.first_wait_s * 2 ** max(0, failures - 1)
        until = time.monotonic() + (wait_s if failures or ended.retry_after_s else 0.0)
        while (left := until - time.monotonic()) > 0:
            self._look(follower)
            time.sleep(min(left, _LOOK_S))

    # Mending

    def _mend(self, descriptor: int, follower: IncrementalHash) -> None:
        """Find the blocks that came wrong by fetching them again; raise when that does not help.

        The hub states one hash for the whole file, so a wrong block shows by being different
        the second time. Blocks in which a connection broke off are the likeliest.
        """
        blocks = list(range(0, self._size, BLOCK_BYTES))
        likely = {seam // BLOCK_BYTES * BLOCK_BYTES for seam in self._seams}
        differing = 0
        with tempfile.TemporaryFile(dir=self._part.parent) as spare:
            for block in sorted(blocks, key=lambda start: (start not in likely, start)):
                end = min(block + BLOCK_BYTES, self._size)
                self._look(follower, checking=True)
                first = os.pread(descriptor, end - block, block)
                again = self._again(spare.fileno(), follower, block, end)
                if again is None:
                    self._fetch_anew(descriptor, follower)
                    return
                if again == first:
                    continue
                differing += 1
                right = self._majority([first, again], spare.fileno(), follower, block)
                if right == first:
                    continue
                os.pwrite(descriptor, right, block)
                follower.rewind(block)
                follower.advance(self._size)
                self._catch_up(follower)
                if self._is_right(follower):
                    return
        raise _not_right(self._wanted, differing)

    def _majority(
        self, copies: list[bytes], spare: int, follower: IncrementalHash, block: int
    ) -> bytes:
        """The copy that came twice; the last one when none did."""
        end = block + len(copies[0])
        while len(copies) < _COPIES:
            copy = self._again(spare, follower, block, end)
            if copy is None:
                break
            if copy in copies:
                return copy
            copies.append(copy)
        return copies[-1]

    def _again(self, spare: int, follower: IncrementalHash, start: int, end: int) -> bytes | None:
        """A block, fetched once more; None when the server gives only whole files."""
        position, failures = start, 0
        while position < end:

            def tell(_: int) -> None:
                self._look(follower, checking=True)

            request = self._request(position, end, position - start)
            ended = self._hub.fetch(request, spare, progress=tell, cancel=self._cancel)
            position += ended.written_bytes
            if ended.end == "no range":
                return None
            if ended.end == "changed":
                raise _changed(self._wanted, ended.detail)
            if ended.end != "complete":
                failures += 1
                self._bear(ended, failures, follower)
        return os.pread(spare, end - start, 0)

    def _fetch_anew(self, descriptor: int, follower: IncrementalHash) -> None:
        """Once more from the beginning."""
        self._start_again(descriptor, follower)
        self._fetch_rest(descriptor, follower)
        self._catch_up(follower)
        if not self._is_right(follower):
            raise _not_right(self._wanted, 0)


def _fresh(file: HubFile) -> _Hash:
    """The hash that the hub states: the sha256, or for small files the git object's name."""
    if file.sha256:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {file.size_bytes}\0".encode(), usedforsecurity=False)


def _changed(wanted: Wanted, detail: str) -> InvalidInput:
    return InvalidInput(
        f"{wanted.file.name} is no longer what the hub said it was. {detail}".strip(),
        hint="Nothing was mixed: what came before is kept. Try again later, or cancel it and"
        " get the newest revision.",
        code="changed",
    )


def _given_up(wanted: Wanted, ended: Fetched) -> RemoteFailure:
    when = f" in {ended.retry_after_s:.0f} s" if ended.retry_after_s else ""
    return RemoteFailure(
        f"{wanted.file.name} did not come through. {ended.detail}".strip(),
        hint=f"What came is kept: resume it{when}.",
        code="rate_limited" if ended.end == "busy" else "interrupted",
        retry_after_s=ended.retry_after_s,
    )


def _not_right(wanted: Wanted, differing: int) -> InvalidInput:
    how = (
        f"{differing} pieces of it came differently each time"
        if differing
        else "it came the same a second time"
    )
    return InvalidInput(
        f"{wanted.file.name} does not have the hash that the hub states; {how}.",
        hint="It was not taken into the library. Resume it later to have it checked and mended"
        " again, or cancel it and choose another file.",
        code="hash_mismatch",
    )


def _unwritable(part: Path, error: OSError) -> NoRoom | InvalidInput:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(
            f"There is no room left on the disk of {part.parent}.",
            hint="Free some space, then resume it. What came is kept.",
            code="disk_full",
        )
    return InvalidInput(
        f"{part} cannot be written: {error.strerror or error}.",
        hint="Check who owns the folder and that its disk is there, then resume it.",
    )
