"""The self-test of the whole program: every way to connect, tried in every kind of process.

Each attempt is a real one; nothing is sent, because an attempt that is not stopped ends at a
closed port of this machine. The level says what stopped it: the kernel, the system's sandbox, or
Python only. Hides how each process is made to try.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lockhouse import seal
from lockhouse.core.errors import LockhouseError, StorageError
from lockhouse.engine import jobs, protocol
from lockhouse.engine.jobs import JobSpec, Limits
from lockhouse.processes import own_command
from lockhouse.seal import Probe, ProbeLevel

if TYPE_CHECKING:
    from lockhouse.engine.pool import EnginePool
    from lockhouse.gate.client import GateClient


THIS_WINDOW, THIS_COMMAND = "this window", "this command"
ENGINE_LIKE = "a process confined like an engine"
BROKER = "the broker"
_LEVEL_WORDS: dict[ProbeLevel, str] = {
    "kernel": "by the kernel",
    "sandbox": "by the sandbox (Landlock)",
    "python": "by Python only",
    "none": "by nothing",
}
_NO_BROKER = "There is no network process: nothing in this program could connect."
_IDLE = "There is a broker, which refuses every request as long as the network is sealed."
_LIMIT_S = 60.0
_ENGINE_LIKE_JOB = JobSpec("prove", "The self-test", limits=Limits(time_s=_LIMIT_S))


class Attempt(msgspec.Struct, frozen=True):
    """One attempt of one process to connect, and its result.

    ``process``: "this window", "this command", "a window", "a command", "the engine of MODEL",
    "a process confined like an engine", "the broker". ``error`` is the system's message; for an
    attempt that was not stopped, what was reached. ``level`` is what stopped it: the kernel for
    all code, the system's sandbox (Landlock), or Python code only.
    """

    process: str
    attempt: str
    stopped: bool
    error: str
    level: ProbeLevel


class Proof(msgspec.Struct, frozen=True):
    """What was tried at ``at`` (ISO 8601), in all processes.

    ``missing``: processes that could not be tried, with the reason. ``notes``: processes that
    do not exist, such as the broker while sealed.
    """

    at: str
    duration_s: float
    rows: tuple[Attempt, ...]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything was tried and stopped."""
        return bool(self.rows) and not self.missing and all(row.stopped for row in self.rows)


def prove(
    gate: GateClient | None = None,
    engines: EnginePool | None = None,
    *,
    process: str = THIS_WINDOW,
) -> Proof:
    """Try every way to connect from this process, one of each other kind, the running engines
    and this program's broker.

    Takes seconds: call it in the background. Errors of the attempts are results, not raised.
    """
    began, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    rows = list(_rows(process, seal.self_test()))
    missing: list[str] = []
    notes: list[str] = []
    other, kind = ("a command", "command") if process == THIS_WINDOW else ("a window", "window")
    loaded = engines.prove() if engines is not None else {}
    for name, probes in loaded.items():
        rows += _rows(f"the engine of {name}", probes)
        if not probes:
            missing.append(f"The engine of {name} did not answer the check.")
    tries = {other: _tried_elsewhere(kind)}
    if not loaded:
        tries[ENGINE_LIKE] = _tried_like_an_engine()
    for name, tried in tries.items():
        rows += _rows(name, tried)
        if not tried:
            missing.append(f"The check did not run in {name}.")
    _prove_broker(gate, rows, missing, notes)
    duration_s = round(time.monotonic() - began, 3)
    proof = Proof(at, duration_s, tuple(rows), tuple(missing), tuple(notes))
    if gate is not None:
        _note(gate, proof, process)
    return proof


def summary(proof: Proof) -> str:
    """The result in a sentence."""
    stopped = sum(row.stopped for row in proof.rows)
    if proof.holds:
        return f"All {stopped} attempts were stopped."
    words = f"{len(proof.rows) - stopped} of {len(proof.rows)} attempts were NOT stopped."
    return " ".join([words, *proof.missing])


def level_words(row: Attempt) -> str:
    """What stopped it."""
    return _LEVEL_WORDS[row.level]


def report(proof: Proof) -> str:
    """The proof as plain text, for saving."""
    import platform

    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    lines = [
        "Lockhouse self-test",
        f"{proof.at}, {proof.duration_s:.1f} s",
        f"{system}; Landlock {seal.landlock_version() or 'not available'}",
        "",
        summary(proof),
    ]
    for process in dict.fromkeys(row.process for row in proof.rows):
        lines += ["", f"From {process}:"]
        for row in (row for row in proof.rows if row.process == process):
            outcome = f"stopped {level_words(row)}" if row.stopped else "NOT STOPPED"
            lines.append(f"  {row.attempt}: {outcome} ({row.error})")
    lines += ["", *proof.notes] if proof.notes else []
    return "\n".join([*lines, ""])


def _rows(process: str, probes: Iterable[Probe]) -> list[Attempt]:
    return [
        Attempt(process, probe.attempt, probe.stopped, probe.detail, probe.by) for probe in probes
    ]


def _tried_elsewhere(kind: str) -> list[Probe]:
    """The self-test in a process started for it; empty when that fails."""
    try:
        run = subprocess.run(
            [*own_command(), "--prove", kind],
            capture_output=True,
            timeout=_LIMIT_S,
            check=True,
            env=dict(os.environ),
        )
        return [Probe(**probe) for probe in json.loads(run.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _tried_like_an_engine() -> list[Probe]:
    try:
        return list(jobs.run(_ENGINE_LIKE_JOB, protocol.Prove(), protocol.Proved).probes)
    except LockhouseError:
        return []


def _prove_broker(
    gate: GateClient | None, rows: list[Attempt], missing: list[str], notes: list[str]
) -> None:
    if gate is None or not gate.is_open:
        notes.append(_IDLE if gate is not None and gate.has_broker else _NO_BROKER)
        return
    try:
        rows += _rows(BROKER, gate.prove_broker())
    except LockhouseError as error:
        missing.append(f"The broker did not answer the check: {error.message}")


def _note(gate: GateClient, proof: Proof, process: str) -> None:
    try:
        gate.note("proved", purpose=process, outcome=summary(proof))
    except StorageError:  # the result is shown all the same
        return
