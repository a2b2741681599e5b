"""Work in a process of its own: how it ends, whatever it does, and that nothing stays behind."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lockhouse import processes, seal
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, EngineCrashed, InvalidInput, NoRoom, NotFound
from lockhouse.engine import jobs
from lockhouse.engine.jobs import JobProcess, JobSpec, Limits, Progress
from lockhouse.engine.process.jobs import KINDS
from lockhouse.engine.protocol import Prove, Proved
from tests.engine.job_program import Words

COMMAND = [sys.executable, str(Path(__file__).with_name("job_program.py"))]


@pytest.fixture(autouse=True)
def _nothing_stays_behind() -> Iterator[None]:
    """No process, no open file."""
    here = psutil.Process()
    files, children = here.num_fds(), here.children(recursive=True)
    yield
    left = set(here.children(recursive=True)) - set(children)
    assert not left, [child.cmdline() for child in left]
    assert here.num_fds() == files


def run(kind: str, text: str = "", **options) -> str:
    """One job of the bad program; what it said."""
    limits = options.pop("limits", Limits())
    spec = JobSpec(kind, "This work", read=options.pop("read", ()), limits=limits)
    return jobs.run(spec, Words(text), Words, command=COMMAND, **options).text


def test_it_finishes_and_tells_how_far_it_is() -> None:
    told: list[Progress] = []
    assert run("count", "well done", progress=told.append) == "WELL DONE"
    assert told[0] == Progress(0.0, "step 0")
    assert len(told) < 300, "progress is told some ten times a second, not at every step"
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)


def test_one_process_answers_several_requests_until_nobody_asks() -> None:
    process = JobProcess(JobSpec("count", "Counting", kept_s=60), command=COMMAND)
    assert process.ask(Words("one"), Words).text == "ONE"
    assert process.ask(Words("two"), Words).text == "TWO"
    assert process.is_alive()
    process.end()
    assert not process.is_alive()


def test_what_it_made_stays_only_if_it_finished(tmp_path: Path) -> None:
    path = tmp_path / "output.gguf"
    assert run("write", str(path), outputs=[path]) == "done"
    assert path.read_text() == "made by a job"
    with pytest.raises(InvalidInput, match="cannot be written"):
        run("write", str(path), outputs=[path])
    assert path.read_text() == "made by a job", "what was there is not touched"
    path.unlink()
    with pytest.raises(NotFound, match="no such thing") as caught:
        run("write_and_fail", str(path), outputs=[path])
    assert caught.value.hint == "Look elsewhere."
    with pytest.raises(EngineCrashed):
        run("write_and_crash", str(path), outputs=[path])
    assert not list(tmp_path.iterdir())


def test_it_is_cancelled_in_the_middle_of_native_code(tmp_path: Path) -> None:
    path, cancel, told = tmp_path / "output.gguf", CancelToken(), []

    def cancel_from_elsewhere(progress: Progress) -> None:
        told.append(path.read_text())
        threading.Thread(target=cancel.cancel).start()

    with pytest.raises(Cancelled):
        run(
            "write_and_wait",
            str(path),
            outputs=[path],
            progress=cancel_from_elsewhere,
            cancel=cancel,
        )
    assert told == ["made by a job"]
    assert not path.exists()


def test_what_was_cancelled_before_never_starts() -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        run("wait", cancel=cancel)


def test_its_own_processes_end_with_it() -> None:
    cancel, children = CancelToken(), []

    def cancel_now(progress: Progress) -> None:
        children.append(psutil.Process(int(progress.detail)))
        cancel.cancel()

    with pytest.raises(Cancelled):
        run("wait_with_a_child", progress=cancel_now, cancel=cancel)
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    ("kind", "limits", "said", "code"),
    [
        ("write_and_crash", Limits(), "used memory that is not its own", "job_crashed"),
        ("wait", Limits(time_s=3), "did not end within 3 seconds", "job_too_slow"),
        ("wait", Limits(silence_s=3), "no sign of life for 3 seconds", "job_too_slow"),
        ("shout", Limits(log_bytes=1 << 20), "wrote without end", "job_output"),
        ("reply_without_end", Limits(), "wrote without end", "job_output"),
    ],
)
def test_a_bad_end_is_told_with_its_cause(
    tmp_path: Path, kind: str, limits: Limits, said: str, code: str
) -> None:
    path = tmp_path / "output"
    with pytest.raises(EngineCrashed, match=said) as caught:
        run(kind, str(path), limits=limits, outputs=[path])
    assert caught.value.message.startswith("This work ")
    assert caught.value.code == code
    assert not path.exists()


def test_a_kill_from_outside_is_told() -> None:
    process = JobProcess(JobSpec("wait_with_a_child", "This work"), command=COMMAND)

    def kill(progress: Progress) -> None:
        child = psutil.Process(int(progress.detail))
        parent = child.parent()
        assert parent is not None
        child.kill()
        parent.kill()

    with pytest.raises(EngineCrashed, match=r"ended its process.*memory ran out"):
        process.ask(Words(), Words, progress=kill)
    process.end()


def test_memory_is_bounded_and_mapped_files_do_not_count(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=1 << 29)
    with pytest.raises(NoRoom, match="more memory than it may have") as caught:
        run("grow", limits=limits)
    assert caught.value.code == "job_memory"
    model = tmp_path / "model.gguf"
    with model.open("wb") as file:
        file.truncate(1 << 34)
    assert run("map_a_file", str(model), limits=limits, read=(str(model),)) == str(1 << 34)


def test_it_reaches_neither_the_network_nor_files_it_was_not_given(tmp_path: Path) -> None:
    if not seal.landlock_version():
        pytest.skip("this kernel has no Landlock")
    path = tmp_path / "letter.txt"
    path.write_text("private")
    assert run("reach_out", str(path)) == " ".join(["PermissionError"] * 4)
    assert run("reach_out", str(path), read=(str(path),)) == (
        "PermissionError done PermissionError PermissionError"
    )
    assert path.read_text() == "private"


def test_the_programs_own_jobs_are_sealed() -> None:
    told = jobs.run(JobSpec("prove", "The self-test"), Prove(), Proved)
    assert "Another program of this machine" in {probe.attempt for probe in told.probes}
    assert all(probe.stopped for probe in told.probes), told.probes


def test_it_ends_with_the_program_that_asked() -> None:
    """A window that is killed leaves no work behind, though the work listens to nobody."""
    program = (
        "from lockhouse.engine.jobs import *; from tests.engine.job_program import Words\n"
        f"process = JobProcess(JobSpec('wait_with_a_child', 'This work'), command={COMMAND!r})\n"
        "process.ask(Words(), Words, progress=lambda told: print(told.detail, flush=True))"
    )
    root = Path(__file__).parents[2]
    asker = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root / 'app'}:{root}"},
    )
    assert asker.stdout is not None
    child = psutil.Process(int(asker.stdout.readline()))
    worker = child.parent()
    assert worker is not None
    asker.kill()
    asker.wait()
    asker.stdout.close()
    psutil.wait_procs([worker], timeout=30)
    assert not worker.is_running()
    child.kill()


def test_every_kind_is_there() -> None:
    for path in KINDS.values():
        module, _, name = path.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
    assert processes.own_command()
