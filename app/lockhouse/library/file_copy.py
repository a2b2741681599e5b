"""Bringing files into Lockhouse's own folder: whole, or not at all.

A copy is written under a temporary name, forced to the disk, read back and compared, and only
then given its name, which never replaces another file. While it is written its lock is held;
what a killed process left is therefore recognised, and swept away, by :func:`sweep`.
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

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, InvalidInput, LockhouseError, NoRoom
from lockhouse.library.gguf.layout import open_regular, shown
from lockhouse.library.inventory import Stamp

if sys.platform != "win32":
    import fcntl

Progress = Callable[[int, int], None]
"""Called about ten times a second with the bytes done and the bytes in all."""

_CHUNK_BYTES: Final = 4 << 20
_HASH_CHUNK_BYTES: Final = 1 << 20  # small enough to be in the processor's cache when hashed
_SPARE_BYTES: Final = 64 << 20  # a disk is never filled to its last byte
_PART_SUFFIX: Final = ".part"
_PROGRESS_INTERVAL_S: Final = 0.1
_STALE_S: Final = 24 * 3600.0


class Meter:
    """Counts bytes towards a total, tells of it now and then, and notices a wish to stop."""

    def __init__(
        self, total_bytes: int, progress: Progress | None, cancel: CancelToken | None
    ) -> None:
        self._total = total_bytes
        self._progress = progress
        self._cancel = cancel
        self._done = 0
        self._told_at = 0.0

    def add(self, count: int) -> None:
        """``count`` more bytes are done. Raises Cancelled when that is wished."""
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
    """The sha256 of a file, with the stamp of the state that it is of."""
    size_bytes = path.stat().st_size if progress is not None and path.is_file() else 0
    return hash_metered(path, Meter(size_bytes, progress, cancel))


def hash_metered(path: Path, meter: Meter) -> tuple[Stamp, str]:
    """The same for one of several files that are counted together."""
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
    """Whether two files hold the same bytes. Where they do not, that shows early as a rule."""
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
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise told(error, folder) from error
    if needed_bytes + _SPARE_BYTES > free:
        raise NoRoom(
            f"{needed_bytes >> 20} MB are needed on the disk of {folder}, and {free >> 20} MB"
            " are free.",
            hint=hint,
            code="disk_full",
        )


def copy_in(source: Path, destination: Path, meter: Meter) -> tuple[Stamp, str]:
    """Copy ``source``; ``destination`` appears whole and verified. Gives its stamp and hash."""
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
                    hint="The disk or memory may be failing. Nothing was kept of the copy.",
                )
            _give_name(part, destination)
        return Stamp.of(destination.stat()), digest.hexdigest()
    except OSError as error:
        raise told(error, destination) from error
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
                    f"{shown(source)} cannot be linked: it lies on another disk, or the disk"
                    " does not know links.",
                    hint="Copy it, or leave it where it is (--in-place).",
                ) from error
            raise told(error, destination) from error


def move_in(source: Path, destination: Path, meter: Meter) -> tuple[Stamp, str] | None:
    """Move ``source``. Gives stamp and hash where it had to be copied to another disk."""
    with _reading(source):
        pass
    try:
        _give_name(source, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise told(error, destination) from error
    else:
        meter.add(destination.stat().st_size)
        return None
    copied = copy_in(source, destination, meter)
    try:
        source.unlink()
    except OSError as error:
        destination.unlink(missing_ok=True)
        raise told(error, source) from error
    return copied


def sweep(folder: Path) -> list[Path]:
    """Delete what killed copies left in ``folder``; never one that is still being written."""
    swept = []
    for part in sorted(folder.glob(f"**/.*{_PART_SUFFIX}")):
        with suppress(OSError):
            descriptor = os.open(part, os.O_RDWR)
            try:
                if _abandoned(descriptor):
                    part.unlink()
                    swept.append(part)
            finally:
                os.close(descriptor)
    return swept


def told(error: OSError, path: Path) -> LockhouseError:
    """What a failed file operation means to the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(
            f"There is no room left on the disk that holds {path}.",
            hint="Free some space and try again. Nothing half-written was kept.",
            code="disk_full",
        )
    if error.errno == errno.EEXIST:
        return InvalidInput(
            f"{path} exists already and was left as it is.", hint="Rename one of the two."
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
    descriptor = os.open(part, flags | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        if sys.platform != "win32":
            with suppress(OSError):  # some network disks have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _abandoned(descriptor: int) -> bool:
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


def _give_name(path: Path, destination: Path) -> None:
    """Rename without ever replacing: a link fails where the name is taken, a rename does not."""
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
