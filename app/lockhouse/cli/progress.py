"""How far long work has come, on standard error, for a person who waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lockhouse.cli import output


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for bytes done and in all, which shows them on a line that goes at the end."""
    line = output.StatusLine()
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        share = done / total if total else 1.0
        passed_s = time.monotonic() - began
        speed = f", {output.size(int(done / passed_s))}/s" if passed_s > 1 else ""
        line.show(f"{what}: {share:.0%} of {output.size(total)}{speed}".replace("%", " %"))

    try:
        yield tell
    finally:
        line.clear()
