"""Copies, links and moves files into Lockhouse's own folder: whole, or not at all.

A copy is written under a temporary name, flushed to the disk, read back and compared, and only
then given its name, which never replaces another file. It is locked while it is written, so that
:func:`delete_abandoned_copies` recognises what a killed process left.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lockhouse import processes
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, LockhouseError, NoRoom
from lockhouse.library.gguf.layout import open_regular, shown
from lockhouse.library.inventory import Stamp

if sys.platform != "win32":
    import fcntl

Progress = Callable[[int, int], None]
"""Called about ten times a second with the bytes done and the total."""

_CHUNK_BYTES: Final = 4 << 20
_HASH_CHUNK_BYTES: Final = 1 << 20  # small enough to be in the processor's cache when hashed
_SPARE_BYTES: Final = 64 << 20  # a disk is never filled to its last byte
_PART_SUFFIX: Final = ".part"
PARTS_FOLDER: Final = ".downloads"  # of transfers, which delete their own
_PROGRESS_INTERVAL_S: Final = 0.1
_STALE_S: Final = 24 * 3600.0


class Meter:
    """Counts bytes towards a total, reports progress now and then, and notices a cancellation."""

    def __init__(
        self, total_bytes: int, progress: Progress | None, cancel: CancelToken | None
    ) -> None:
        self._total = total_bytes
        self._progress = progress
        self._cancel = cancel
        self._done = 0
        self._told_at = 0.0

    def add(self, count: int) -> None:
        """``count`` more bytes are done. Raises Cancelled when the work was cancelled."""
        if self._cancel is not None and self._cancel.cancelled:
            raise Cancelled
        self._done += count
        if self._progress is None:
            return
        now = time.monotonic()
        if now - self._told_at >= _PROGRESS_INTERVAL_S or self._done >= self._total:
            self._told_at = now
            self._progress(min(self._done, self._total), self._total)


def hash_file(
    path: Path, *, progress: Progress | None = None, cancel: CancelToken | None = None
) -> tuple[Stamp, str]:
    """The sha256 of a file, with the stamp of the state that was hashed."""
    size_bytes = path.stat().st_size if progress is not None and path.is_file() else 0
    return hash_metered(path, Meter(size_bytes, progress, cancel))


def hash_metered(path: Path, meter: Meter) -> tuple[Stamp, str]:
    """The same for one of several files whose progress is counted together."""
    buffer = memoryview(bytearray(_HASH_CHUNK_BYTES))
    with _reading(path) as descriptor, open(descriptor, "rb", buffering=0, closefd=False) as file:
        before = Stamp.of(os.fstat(descriptor))
        if sys.platform == "linux":
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        digest = hashlib.sha256()
        meter.add(0)
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            meter.add(count)
        _require_same(path, before, Stamp.of(os.fstat(descriptor)))
    return before, digest.hexdigest()


def same_content(one: Path, other: Path, *, cancel: CancelToken | None = None) -> bool:
    """Whether two files hold the same bytes. A difference usually shows early."""
    with _reading(one) as first, _reading(other) as second:
        statuses = os.fstat(first), os.fstat(second)
        if statuses[0].st_size != statuses[1].st_size:
            return False
        if os.path.samestat(*statuses):
            return True
        while chunk := os.read(first, _CHUNK_BYTES):
            if cancel is not None and cancel.cancelled:
                raise Cancelled
            if chunk != os.read(second, _CHUNK_BYTES):
                return False
        return True


def check_room(
    folder: Path,
    needed_bytes: int,
    *,
    hint: str = "Free some space, or leave the file where it is (--in-place).",
) -> None:
    """Raise NoRoom unless the disk of ``folder`` can take that much and stay usable."""
    try:
        left = max(0, shutil.disk_usage(folder).free - _SPARE_BYTES)
    except OSError as error:
        raise map_os_error(error, folder) from error
    if needed_bytes > left:
        raise NoRoom(
            f"{size_in_words(needed_bytes)} are needed and {size_in_words(_SPARE_BYTES)} are kept"
            f" free; {size_in_words(left)} are left for it on the disk of {folder}.",
            hint=hint,
            code="disk_full",
        )


def nearest_existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists, on the same disk."""
    return next((each for each in (path, *path.parents) if each.exists()), path)


def size_in_words(size_bytes: int) -> str:
    """A size as text, in MB below one GB."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes >> 20} MB"


def copy_in(source: Path, destination: Path, meter: Meter) -> tuple[Stamp, str]:
    """Copy ``source``; ``destination`` appears whole and verified. Returns its stamp and hash."""
    part = destination.with_name(f".{destination.name}.{os.getpid()}{_PART_SUFFIX}")
    try:
        with _reading(source) as reader, _writing(part) as writer:
            before = Stamp.of(os.fstat(reader))
            digest = hashlib.sha256()
            while chunk := os.read(reader, _CHUNK_BYTES):
                meter.add(len(chunk))
                digest.update(chunk)
                _write_all(writer, chunk)
            _require_same(source, before, Stamp.of(os.fstat(reader)))
            os.utime(part, ns=(before.mtime_ns, before.mtime_ns))
            os.fsync(writer)
            if sys.platform == "linux":  # read back from the disk, not from memory
                os.posix_fadvise(writer, 0, 0, os.POSIX_FADV_DONTNEED)
            _, written = hash_file(part)
            if written != digest.hexdigest():
                raise InvalidInput(
                    f"The copy of {shown(source)} is not the same as the original.",
                    hint="The disk or the memory may be failing. The copy was deleted.",
                )
            give_name(part, destination)
        return Stamp.of(destination.stat()), digest.hexdigest()
    except OSError as error:
        raise map_os_error(error, destination) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def link_in(source: Path, destination: Path) -> None:
    """Give the same file a second name."""
    with _reading(source):
        try:
            os.link(source, destination)
            _sync_folder(destination.parent)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                raise InvalidInput(
                    f"{shown(source)} cannot be linked: it is on another disk, or the disk"
                    " does not support links.",
                    hint="Copy it, or leave it where it is (--in-place).",
                ) from error
            raise map_os_error(error, destination) from error


def move_in(source: Path, destination: Path, meter: Meter) -> tuple[Stamp, str] | None:
    """Move ``source``. Returns stamp and hash where it had to be copied to another disk."""
    with _reading(source):
        pass
    try:
        give_name(source, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise map_os_error(error, destination) from error
    else:
        meter.add(destination.stat().st_size)
        return None
    copied = copy_in(source, destination, meter)
    try:
        source.unlink()
    except OSError as error:
        destination.unlink(missing_ok=True)
        raise map_os_error(error, source) from error
    return copied


def delete_abandoned_copies(folder: Path) -> list[Path]:
    """Delete what killed processes left in ``folder``, never a copy that is still being written."""
    deleted = []
    for part in sorted(folder.glob(f"**/.*{_PART_SUFFIX}")):
        if PARTS_FOLDER in part.parts:
            continue
        with suppress(OSError):
            descriptor = os.open(part, os.O_RDWR)
            try:
                if _is_abandoned(descriptor):
                    part.unlink()
                    deleted.append(part)
            finally:
                os.close(descriptor)
    return deleted


def map_os_error(
    error: OSError, path: Path, then: str = "try again. Nothing half-written was kept."
) -> LockhouseError:
    """A failed file operation as an error for the user; ``then`` ends the hint of a full disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(
            f"There is no room left on the disk that holds {path}.",
            hint=f"Free some space, {then}",
            code="disk_full",
        )
    if error.errno == errno.EEXIST:
        return InvalidInput(
            f"{path} already exists and was not changed.", hint="Rename one of the two."
        )
    return InvalidInput(
        f"{path} cannot be written: {error.strerror}.",
        hint="Check who owns the folder and that its disk is there.",
    )


@contextmanager
def _reading(path: Path) -> Iterator[int]:
    descriptor = open_regular(path)
    try:
        yield descriptor
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise InvalidInput(
            f"{shown(path)} cannot be read: {error.strerror}.", hint="Check its disk."
        ) from error
    finally:
        os.close(descriptor)


@contextmanager
def _writing(part: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        descriptor = os.open(part, flags | getattr(os, "O_CLOEXEC", 0), 0o644)
        processes.give_to_user(descriptor)
        try:
            if sys.platform != "win32":
                with suppress(OSError):  # some network disks have no locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not os.fstat(descriptor).st_nlink:
                    continue  # deleted by another process before it was locked
            yield descriptor
            return
        finally:
            os.close(descriptor)


def _is_abandoned(descriptor: int) -> bool:
    if sys.platform == "win32":
        return time.time() - os.fstat(descriptor).st_mtime > _STALE_S
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def give_name(path: Path, destination: Path) -> None:
    """Rename without replacing: a link fails where the name is taken, a rename does not."""
    try:
        os.link(path, destination)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        if destination.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(destination)) from error
        path.rename(destination)
    else:
        path.unlink()
    _sync_folder(destination.parent)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system can open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _require_same(path: Path, before: Stamp, after: Stamp) -> None:
    if before != after:
        raise InvalidInput(
            f"{shown(path)} changed while it was read.",
            hint="Another program is writing to it. Try again when that is done.",
        )
