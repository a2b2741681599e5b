"""A lock that processes of one home hold on a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lockhouse.core.errors import LockhouseError

if sys.platform != "win32":
    import fcntl


@contextmanager
def file_lock(
    path: Path, *, shared: bool = False, refusal: LockhouseError | None = None
) -> Iterator[None]:
    """Hold the lock within; wait until it is free, or raise ``refusal`` at once.

    Nothing is held on Windows, on disks without such locks, and where the file cannot be opened:
    then writing what the lock is for fails as well, with a better message.
    """
    with ExitStack() as opened:
        if sys.platform != "win32":
            try:
                file = opened.enter_context(path.open("ab"))
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(file, kind | (fcntl.LOCK_NB if refusal is not None else 0))
            except BlockingIOError as error:
                if refusal is not None:
                    raise refusal from error
            except OSError:
                pass
        yield
