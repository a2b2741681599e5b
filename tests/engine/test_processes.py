"""What happens around an engine's process: it is shared, killed, restarted, replaced, ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import threading
from pathlib import Path

import msgspec
import psutil
import pytest

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, NoRoom
from lockhouse.core.events import Failed, Text
from lockhouse.core.request import Sampling
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import EngineRecord, EngineSpec, LoadSettings
from tests.library.synthetic import SHAPES, write
from tests.planting import planted_python

from .conftest import Answered, ask, request
from .models import copy_of, with_template

CAPITAL = "What is the capital of France? Answer in one sentence."
LONG = Sampling(temperature=0, logit_bias={"0": -100.0, "2": -100.0})
KILLS = int(os.environ.get("LOCKHOUSE_KILLS", "4"))
LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def gone(pid: int) -> bool:
    """Wait for a process to end."""
    try:
        psutil.Process(pid).wait(timeout=30)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_two_programs_share_one_engine(pool: EnginePool, spec: EngineSpec, tmp_path: Path) -> None:
    other = EnginePool(tmp_path / "run", tmp_path / "logs")
    asked = request(CAPITAL)
    results: list[Answered] = []
    threads = [
        threading.Thread(target=lambda each=each: results.append(ask(each, spec, asked)))
        for each in (pool, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("Paris" in result.text for result in results)
    assert len(pool.list()) == 1
    assert pool.list() != []
    assert pool.list()[0].pid == other.list()[0].pid


def test_of_two_engines_of_one_name_both_are_proved(
    pool: EnginePool, starter: Path, tmp_path: Path
) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        twin = copy_of(starter, tmp_path / folder / "twin.gguf")
        asked = EngineSpec(str(twin), "twin", LoadSettings(context_length=512))
        ask(pool, asked, request(CAPITAL, max_tokens=1))
    found = pool.prove()
    later = next(name for name in found if name != "twin")
    assert later in {f"twin ({status.id})" for status in pool.list()}
    assert all(found.values())
    assert len(found) == 2


def test_stop_gives_the_memory_back(pool: EnginePool, spec: EngineSpec) -> None:
    ask(pool, spec, request(CAPITAL))
    pid = pool.list()[0].pid
    assert pool.stop("starter") == 1
    assert gone(pid)
    assert pool.list() == []


def test_ends_after_its_idle_time(tmp_path: Path, spec: EngineSpec) -> None:
    brief = EnginePool(tmp_path / "run", tmp_path / "logs", idle_s=0)
    pids: list[int] = []
    for event in brief.answer(spec, request(CAPITAL), CancelToken()):
        if isinstance(event, Text) and not pids:
            pids = [status.pid for status in brief.list()]
            # Who watches over it clears up after it.
            pids += [psutil.Process(pid).ppid() for pid in pids]
    assert pids
    assert os.getpid() not in pids
    assert all(gone(pid) for pid in pids)
    assert list((tmp_path / "run").glob("*.sock")) == []
    assert list((tmp_path / "run").glob("*.exit")) == []


def test_a_window_keeps_what_answered_last(tmp_path: Path, spec: EngineSpec) -> None:
    window = EnginePool(tmp_path / "run", tmp_path / "logs", idle_s=0)
    window.keep_loaded = True
    ask(window, spec, request(CAPITAL, max_tokens=2))
    status = window.list()[0]
    ask(window, spec, request(CAPITAL, max_tokens=2))
    assert [other.pid for other in window.list()] == [status.pid]
    window.close()
    assert gone(status.pid)


def test_idle_models_make_room(tmp_path: Path, spec: EngineSpec, starter: Path) -> None:
    room = {"free": True}

    def plan(wanted: EngineSpec) -> EngineSpec:
        if not room["free"] and pool.list():
            raise NoRoom("full", hint="x")
        return wanted

    pool = EnginePool(tmp_path / "run", tmp_path / "logs", idle_s=60, plan=plan)
    pool.keep_loaded = True
    ask(pool, spec, request(CAPITAL, max_tokens=2))
    first = pool.list()[0].pid
    room["free"] = False
    other = EngineSpec(str(copy_of(starter, tmp_path / "b.gguf")), "b", spec.settings)
    assert ask(pool, other, request(CAPITAL, max_tokens=2)).finished
    assert gone(first)
    pool.stop()


def test_a_killed_engine_is_told_and_started_again(pool: EnginePool, spec: EngineSpec) -> None:
    events = []
    for event in pool.answer(spec, request("Tell a story.", sampling=LONG, max_tokens=800), _no()):
        events.append(event)
        if isinstance(event, Text) and len(events) > 4:
            os.kill(pool.list()[0].pid, signal.SIGKILL)
            break
    rest = ask(pool, spec, request(CAPITAL))
    assert "Paris" in rest.text


def test_killed_in_mid_answer_keeps_the_text(pool: EnginePool, spec: EngineSpec) -> None:
    events = []
    killed = False
    for event in pool.answer(spec, request("Tell a story.", sampling=LONG, max_tokens=800), _no()):
        events.append(event)
        if isinstance(event, Text) and not killed:
            os.kill(pool.list()[0].pid, signal.SIGKILL)
            killed = True
    answered = Answered(events)
    assert answered.text
    assert isinstance(answered.last, Failed)
    assert answered.last.code == "engine_killed"
    assert answered.last.exit_code == 6
    assert answered.last.hint


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (signal.SIGSEGV, "engine_bad_access"),
        (signal.SIGABRT, "engine_aborted"),
        (signal.SIGILL, "engine_illegal_instruction"),
        (signal.SIGFPE, "engine_arithmetic"),
    ],
)
def test_causes_of_death_are_named(
    pool: EnginePool, spec: EngineSpec, number: signal.Signals, cause: str
) -> None:
    failed = None
    killed = False
    for event in pool.answer(spec, request("Tell a story.", sampling=LONG, max_tokens=800), _no()):
        if isinstance(event, Text) and not killed:
            os.kill(pool.list()[0].pid, number)
            killed = True
        failed = event
    assert isinstance(failed, Failed)
    assert failed.code == cause


def test_a_supervisor_that_dies_takes_the_engine_along(pool: EnginePool, spec: EngineSpec) -> None:
    ask(pool, spec, request(CAPITAL))
    status = pool.list()[0]
    parent = psutil.Process(status.pid).ppid()
    os.kill(parent, signal.SIGKILL)
    assert gone(status.pid)
    assert "Paris" in ask(pool, spec, request(CAPITAL)).text


@pytest.mark.timeout(120 + 20 * KILLS)
def test_random_kills_lose_nothing_and_hang_nobody(
    pool: EnginePool, spec: EngineSpec, tmp_path: Path
) -> None:
    chance = random.Random(3)
    for _ in range(KILLS):
        timer = threading.Timer(chance.uniform(0.0, 1.2), _kill_one, [pool])
        timer.start()
        asked = request("Tell a story.", sampling=LONG, max_tokens=chance.randrange(10, 120))
        answered = ask(pool, spec, asked)
        timer.join()
        assert answered.last.__class__.__name__ in ("Finished", "Failed")
        for path in (tmp_path / "run").glob("*.exit"):
            path.unlink()  # killing on purpose is no crash loop
    assert "Paris" in ask(pool, spec, request(CAPITAL)).text
    assert len(pool.list()) == 1


def _kill_one(pool: EnginePool) -> None:
    for status in pool.list():
        with contextlib.suppress(ProcessLookupError):
            os.kill(status.pid, signal.SIGKILL)


def test_a_crash_loop_is_stopped_and_safer_settings_get_through(
    pool: EnginePool, spec: EngineSpec
) -> None:
    last = None
    for _ in range(4):
        killed = False
        for event in pool.answer(
            spec, request("Tell a story.", sampling=LONG, max_tokens=800), _no()
        ):
            last = event
            if isinstance(event, Text) and not killed:
                os.kill(pool.list()[0].pid, signal.SIGSEGV)
                killed = True
    assert isinstance(last, Failed)
    assert last.code == "crash_loop"
    safer = EngineSpec(spec.model_path, spec.model_name, spec.settings.safer())
    assert "Paris" in ask(pool, safer, request(CAPITAL)).text


def test_a_model_whose_shapes_fast_buffers_do_not_take_answers_without_them(
    pool: EnginePool, tmp_path: Path
) -> None:
    """On processors with AMX llama.cpp ends itself over compressed keys; it is not asked twice."""
    path = write(SHAPES["compressed"](), tmp_path / "compressed.gguf")
    spec = EngineSpec(str(path), "compressed", LoadSettings(context_length=512))
    assert ask(pool, spec, request("Hello", max_tokens=4)).finished
    pool.stop()
    again = ask(pool, spec, request("Hello", max_tokens=4))
    assert again.finished
    assert "engine_restarted" not in again.notices()


def test_a_model_cut_while_in_use_is_named(pool: EnginePool, starter: Path, tmp_path: Path) -> None:
    path = copy_of(starter, tmp_path / "mine.gguf")
    mine = EngineSpec(str(path), "mine", LoadSettings(context_length=512, extra_buffers=False))
    assert "Paris" in ask(pool, mine, request(CAPITAL)).text
    os.truncate(path, 2_000_000)
    last = ask(pool, mine, request("Count to ten in words.", max_tokens=60)).last
    assert isinstance(last, Failed)  # never an answer from the cut file
    assert last.code in ("engine_model_file_changed", "model_rejected")


def test_a_model_deleted_is_refused_with_its_path(pool: EnginePool, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        pool.count_tokens(EngineSpec(str(tmp_path / "none.gguf"), "none"), request("x"))
    assert "none.gguf" in raised.value.hint


def test_a_replaced_file_is_loaded_anew(pool: EnginePool, starter: Path, tmp_path: Path) -> None:
    path = copy_of(starter, tmp_path / "mine.gguf")
    mine = EngineSpec(str(path), "mine", LoadSettings(context_length=512))
    ask(pool, mine, request(CAPITAL, max_tokens=4))
    first = pool.list()[0].pid
    copy_of(starter, tmp_path / "new.gguf").replace(path)
    ask(pool, mine, request(CAPITAL, max_tokens=4))
    assert [status.pid for status in pool.list()] != [first]


def test_a_larger_context_replaces_the_engine(pool: EnginePool, starter: Path) -> None:
    small = EngineSpec(str(starter), "starter", LoadSettings(context_length=512))
    large = EngineSpec(str(starter), "starter", LoadSettings(context_length=1024))
    ask(pool, small, request(CAPITAL, max_tokens=4))
    assert ask(pool, large, request(CAPITAL, max_tokens=4)).finished.context_length == 1024
    assert ask(pool, small, request(CAPITAL, max_tokens=4)).finished.context_length == 1024
    assert len(pool.list()) == 1


@pytest.mark.parametrize(
    "template",
    [
        "{% for %}",
        "{{ messages.__class__.__mro__ }}{{ undefined_function() }}",
        "{{ 'a' * 3000000000 }}",
        LOOP,
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ raise_exception('never') }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
    ],
    ids=["syntax", "undefined", "explodes", "loops", "recursion", "raises", "escapes"],
)
def test_a_broken_template_gives_way_to_a_plain_one(
    pool: EnginePool, starter: Path, tmp_path: Path, template: str
) -> None:
    path = with_template(starter, tmp_path / "bad.gguf", template)
    bad = EngineSpec(str(path), "bad", LoadSettings(context_length=512))
    answered = ask(pool, bad, request(CAPITAL))
    assert "template_fallback" in answered.notices()
    assert "Paris" in answered.text


THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n<think>\n' }}"
)


def test_a_trace_has_a_budget_and_ends_on_demand(
    pool: EnginePool, starter: Path, tmp_path: Path
) -> None:
    path = with_template(starter, tmp_path / "thinks.gguf", THINKING)
    thinks = EngineSpec(str(path), "thinks", LoadSettings(context_length=1024))
    answered = ask(pool, thinks, request(CAPITAL, reasoning_budget=6, max_tokens=60))
    assert answered.reasoning
    assert answered.text
    assert "think>" not in answered.text + answered.reasoning
    assert "reasoning_ended" in answered.notices()
    assert 6 <= answered.finished.usage.reasoning_tokens < 20

    schema = '{"enum": ["Paris </think>", "Lyon"]}'  # the trace is free, the answer is not
    formed = ask(pool, thinks, request(CAPITAL, reasoning_budget=6, json_schema=schema))
    assert formed.reasoning
    assert formed.text in ('"Paris </think>"', '"Lyon"')

    cancel = CancelToken()
    cancel.answer_now()
    asked = request(CAPITAL, sampling=LONG, max_tokens=100)
    answered = ask(pool, thinks, asked, cancel)
    assert answered.text
    assert "reasoning_ended" in answered.notices()


def test_an_engine_that_hangs_does_not_hang_its_client(pool: EnginePool, spec: EngineSpec) -> None:
    cancel = CancelToken()
    pid = 0
    last = None
    for event in pool.answer(spec, request("Story.", sampling=LONG, max_tokens=900), cancel):
        last = event
        if isinstance(event, Text) and not pid:
            pid = pool.list()[0].pid
            os.kill(pid, signal.SIGSTOP)
            cancel.cancel()
    os.kill(pid, signal.SIGCONT)
    assert last.__class__.__name__ == "Finished"


def test_a_stranger_without_the_key_gets_nothing(
    pool: EnginePool, spec: EngineSpec, tmp_path: Path
) -> None:
    ask(pool, spec, request(CAPITAL, max_tokens=2))
    engine_id = pool.list()[0].id
    key = tmp_path / "run" / f"{engine_id}.key"
    assert key.stat().st_mode & 0o077 == 0
    assert (tmp_path / "run").stat().st_mode & 0o077 == 0
    right = key.read_bytes()
    key.write_bytes(b"wrong" * 6)
    assert [status.state for status in pool.list()] == ["not responding"]
    assert list(pool.prove().values()) == [()]
    key.write_bytes(right)
    assert "Paris" in ask(pool, spec, request(CAPITAL)).text


def test_clients_that_say_nothing_hold_nobody_up(
    pool: EnginePool, spec: EngineSpec, tmp_path: Path
) -> None:
    ask(pool, spec, request(CAPITAL, max_tokens=2))
    path = tmp_path / "run" / f"{pool.list()[0].id}.sock"
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(str(path))
        assert "Paris" in ask(pool, spec, request(CAPITAL)).text
        assert len(pool.list()) == 1


def test_a_start_that_hangs_is_ended(
    tmp_path: Path, spec: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = "import sys, time\nif '--engine' in sys.orig_argv: time.sleep(600)\n"
    python = planted_python(tmp_path / "plant", sitecustomize=hang)
    monkeypatch.setattr(sys, "executable", python)
    others = _engines_of_this_process()
    pool = EnginePool(tmp_path / "run", tmp_path / "logs", start_limit_s=0.5)
    failed = ask(pool, spec, request(CAPITAL)).last
    assert isinstance(failed, Failed)
    assert failed.code == "engine_start_slow"
    assert _engines_of_this_process() <= others


def test_stopping_an_answer_whose_engine_is_starting_ends_the_start(
    tmp_path: Path, spec: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = (
        "import pathlib, sys, time\nif '--engine' in sys.orig_argv:\n"
        f"    pathlib.Path({str(tmp_path / 'begun')!r}).write_text('x'); time.sleep(600)\n"
    )
    python = planted_python(tmp_path / "plant", sitecustomize=hang)
    monkeypatch.setattr(sys, "executable", python)
    os.mkfifo(tmp_path / "begun")
    pool = EnginePool(tmp_path / "run", tmp_path / "logs", start_limit_s=120)
    others, cancel = _engines_of_this_process(), CancelToken()

    def stop_it_then() -> None:
        (tmp_path / "begun").read_text()
        cancel.cancel()

    threading.Thread(target=stop_it_then).start()
    assert ask(pool, spec, request(CAPITAL), cancel).finished.finish_reason == "cancelled"
    assert _engines_of_this_process() <= others


def _engines_of_this_process() -> set[int]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # what has ended and waits to be noticed
            found |= {child.pid} if "--engine" in child.cmdline() else set()
    return found


def test_a_record_left_by_a_power_cut_is_cleared(
    pool: EnginePool, spec: EngineSpec, tmp_path: Path
) -> None:
    ask(pool, spec, request(CAPITAL, max_tokens=2))
    record = next((tmp_path / "run").glob("*.json"))
    left = record.read_bytes()
    pool.stop()
    forged = msgspec.json.decode(left, type=EngineRecord)
    forged = msgspec.structs.replace(forged, pid=os.getpid(), supervisor_pid=os.getpid())
    record.write_bytes(msgspec.json.encode(forged))  # its number now belongs to someone else
    record.with_suffix(".sock").touch()
    assert "Paris" in ask(pool, spec, request(CAPITAL)).text
    assert len(pool.list()) == 1


def _no() -> CancelToken:
    return CancelToken()
