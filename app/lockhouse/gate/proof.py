"""The self-test of the whole program: every way out, tried in every kind of process.

Each attempt is a real one; nothing is sent, because an attempt that is not stopped ends at a
closed port of this machine. What stopped it is told with its level: the kernel, the system's
sandbox, or Python only.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

import msgspec

from lockhouse import seal

ProofLevel = Literal["kernel", "sandbox", "python", "none"]


class Attempt(msgspec.Struct, frozen=True):
    """One way out of one process, and what became of it.

    ``process``: "this window", "this command", "an engine", "the broker". ``error`` is what the
    system said; for an attempt that was not stopped, what was reached. ``level``: what stopped
    it: the kernel for all code, the system's sandbox (Landlock), or Python code only.
    """

    process: str
    attempt: str
    stopped: bool
    error: str
    level: ProofLevel


class Proof(msgspec.Struct, frozen=True):
    """What was tried at ``at`` (ISO 8601), in all processes that were to be had."""

    at: str
    duration_s: float
    rows: tuple[Attempt, ...]
    missing: tuple[str, ...] = ()  # processes that could not be tried, with the reason

    @property
    def holds(self) -> bool:
        """Whether everything was tried and stopped."""
        return bool(self.rows) and not self.missing and all(row.stopped for row in self.rows)


def prove(process: str = "this window") -> Proof:
    """Try every way out of this process, of one confined like an engine and of a broker.

    Takes seconds: call it in the background. Raises nothing that belongs to an attempt.
    """
    began, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    rows = tuple(
        Attempt(process, probe.attempt, probe.stopped, probe.detail, probe.by)
        for probe in seal.self_test()
    )
    return Proof(at, round(time.monotonic() - began, 3), rows)


def report(proof: Proof) -> str:
    """The proof as plain text, for saving."""
    lines = [f"Lockhouse self-test, {proof.at}, {proof.duration_s:.1f} s", ""]
    for row in proof.rows:
        outcome = f"stopped ({row.level})" if row.stopped else "NOT STOPPED"
        lines.append(f"{row.process}: {row.attempt}: {outcome}: {row.error}")
    return "\n".join([*lines, *proof.missing, ""])
