"""The self-test of the whole program: what it tries where, and that it can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lockhouse import seal
from lockhouse.gate.network import Network
from lockhouse.gate.proof import Attempt, Proof, prove, report, summary
from lockhouse.gate.protocol import LimitsProved, ProveLimits
from tests.remote.open_home import OpenHome

Run = Callable[..., subprocess.CompletedProcess[str]]
STOPPED = Attempt(
    "this window", "UDP packet", stopped=True, error="Operation not permitted", level="kernel"
)
OUT = Attempt(
    "this window", "io_uring", stopped=False, error="an io_uring was set up", level="none"
)


def test_a_proof_holds_only_when_everything_was_tried_and_stopped() -> None:
    assert Proof("2026-01-01T00:00:00+00:00", 1.0, (STOPPED,)).holds
    assert not Proof("", 1.0, (STOPPED, OUT)).holds
    assert not Proof("", 1.0, ()).holds
    assert not Proof("", 1.0, (STOPPED,), missing=("The check did not run.",)).holds


def test_a_report_says_what_got_out() -> None:
    text = report(Proof("2026-01-01T00:00:00+00:00", 1.25, (STOPPED, OUT), notes=("No broker.",)))
    assert "2026-01-01T00:00:00+00:00" in text
    assert "UDP packet: stopped by the kernel (Operation not permitted)" in text
    assert "io_uring: NOT STOPPED (an io_uring was set up)" in text
    assert "1 of 2 attempts were NOT stopped." in text
    assert "No broker." in text
    assert summary(Proof("", 1.0, (STOPPED,))) == "All 1 attempts were stopped."


def test_a_loaded_engine_is_tried_itself(home: Path, lockhouse: Run) -> None:
    Network(home / "network.json").seal()
    try:
        asked = lockhouse("ask", "Say hello.", "--max-tokens", "2", LOCKHOUSE_ENGINE_IDLE_S="300")
        assert asked.returncode == 0, asked.stderr
        proved = lockhouse("status", "--prove", "--json")
        assert proved.returncode == 0, proved.stdout
        told = json.loads(proved.stdout)
        (engine,) = told["engines"]
        tried = [row for row in told["proof"]["rows"] if row["process"].startswith("the engine of")]
        assert engine["model_name"] in tried[0]["process"]
        assert len(tried) == 11
        assert all(row["stopped"] for row in tried)
        assert told["proof"]["notes"] == [
            "There is no network process: nothing in this program could connect."
        ]
    finally:
        lockhouse("engines", "stop")


def test_a_broker_that_may_not_be_asked_is_told(tmp_path: Path) -> None:
    with OpenHome(tmp_path / "home", ["127.0.0.1:9"]) as home:
        assert prove(home.gate).notes == ()
        (tmp_path / "home" / "network.json").unlink()  # which is sealed, and ends nobody
        (note,) = prove(home.gate).notes
    assert note.startswith("There is a broker, which refuses")


@pytest.mark.skipif(not os.access("/run", os.W_OK), reason="only root may write there")
@pytest.mark.skipif(not seal.landlock_version(), reason="this kernel has no Landlock")
def test_the_broker_reads_no_drive(tmp_path: Path) -> None:
    """Many systems mount what is plugged in beneath /run."""
    with (
        TemporaryDirectory(dir="/run") as drive,
        OpenHome(tmp_path / "home", ["127.0.0.1:9"]) as home,
    ):
        file = Path(drive) / "letter.txt"
        file.touch()
        proved = home.gate.ask(ProveLimits(str(file)), reply_type=LimitsProved)
    tried = {row.attempt: row.stopped for row in proved.rows}
    assert tried["Reading your files"]
    assert tried["Writing a file"]


@pytest.mark.parametrize("kind", ["window", "command"])
def test_each_kind_of_process_tries_the_same_ways(kind: str, environment: dict[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lockhouse", "--prove", kind],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    probes = json.loads(run.stdout)
    assert len(probes) == 10
    assert all(probe["stopped"] for probe in probes), probes
