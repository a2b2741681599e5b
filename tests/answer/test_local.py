"""Local models as targets: chosen, checked, fitted to memory, answered."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from lockhouse.answer.local import LoadPlanner
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, NoRoom, from_wire
from lockhouse.core.events import Failed, Finished, Text
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.protocol import EngineSpec, LoadSettings
from lockhouse.library.fit import Machine, machine_now
from lockhouse.library.starter import starter_model
from lockhouse.workspace import Workspace

ASKED = AnswerRequest(
    (Turn("user", "What is the capital of France? Answer in one sentence."),),
    Sampling(temperature=0),
    max_tokens=32,
)


def test_the_starter_model_answers_when_nothing_is_chosen(workspace: Workspace) -> None:
    target = workspace.targets.get("")
    events = list(target.answer(ASKED, CancelToken()))
    assert "Paris" in "".join(event.text for event in events if isinstance(event, Text))
    finished = events[-1]
    assert isinstance(finished, Finished)
    starter = starter_model()
    assert starter is not None
    assert finished.model_sha256 == hashlib.sha256(starter.read_bytes()).hexdigest()
    assert finished.parameters["instructions"]  # what the program added is on record
    assert finished.timing.load_s > 0
    assert finished.timing.total_s >= finished.timing.first_token_s >= finished.timing.load_s
    again = list(target.answer(ASKED, CancelToken()))[-1]
    assert isinstance(again, Finished)
    assert again.timing.load_s < finished.timing.load_s
    assert target.count_tokens(ASKED) == finished.usage.prompt_tokens


def test_a_chosen_model_is_the_default(workspace: Workspace, tmp_path: Path) -> None:
    starter = starter_model()
    assert starter is not None
    copy = tmp_path / "Other-Model-Q4_1.gguf"
    copy.write_bytes(starter.read_bytes() + b"\0")  # one of its own, not the same once more
    outcome = workspace.models.import_files([copy])[0]
    assert outcome.model is not None
    workspace.save_settings(default_target=outcome.model.name)
    assert workspace.targets.default().info.name == outcome.model.name
    assert workspace.targets.list()[0].name == outcome.model.name


def test_a_context_beyond_memory_is_refused_with_the_one_that_fits(workspace: Workspace) -> None:
    asked = AnswerRequest(ASKED.turns, ASKED.sampling, context_length=100_000_000)
    failed = list(workspace.targets.get("").answer(asked, CancelToken()))[-1]
    assert isinstance(failed, Failed)
    assert failed.code == "out_of_memory"
    assert failed.exit_code == 5
    assert "at most" in failed.hint
    assert workspace.engines.list() == []


@pytest.mark.parametrize("kind", ["fifo", "folder", "empty", "text", "missing"])
def test_what_is_no_model_never_reaches_the_engine(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "thing.gguf"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("not a model at all, only words")
    with pytest.raises(LockhouseError) as raised:
        _answer_or_raise(workspace, path)
    assert raised.value.hint
    assert raised.value.exit_code == 3
    assert workspace.engines.list() == []


def _answer_or_raise(workspace: Workspace, path: Path) -> str:
    """An error may come from the look-up or as the last event: both are told alike."""
    last = list(workspace.targets.get(str(path)).answer(ASKED, CancelToken()))[-1]
    if isinstance(last, Failed):
        raise from_wire(last.code, last.exit_code, last.message, last.hint)
    return "answered"


def test_the_planner_chooses_a_context(workspace: Workspace) -> None:
    starter = starter_model()
    assert starter is not None
    plan = LoadPlanner(workspace.checkup, starter)
    spec = plan(EngineSpec(str(starter), "starter", LoadSettings()))
    assert spec.settings.context_length == 8192
    with pytest.raises(NoRoom):
        plan(EngineSpec(str(starter), "starter", LoadSettings(context_length=1 << 30)))


def test_a_small_machine_gets_a_shorter_context(workspace: Workspace) -> None:
    starter = starter_model()
    assert starter is not None
    free_bytes = 600 << 20
    plan = LoadPlanner(workspace.checkup, starter, lambda: Machine(1 << 30, free_bytes))
    asked = EngineSpec(str(starter), "starter", LoadSettings())
    chosen = plan(asked).settings.context_length
    assert 512 <= chosen < 8192
    free_bytes = 100 << 20
    with pytest.raises(NoRoom, match=r"0\.0 GB are free") as raised:
        plan(asked)
    assert "smaller model" in raised.value.hint


def test_memory_that_a_loaded_model_uses_is_not_free(workspace: Workspace) -> None:
    """Mapped weights count as available to the system, though they are read for every word."""
    before = machine_now(workspace.engines)
    list(workspace.targets.get("").answer(ASKED, CancelToken()))
    after = machine_now(workspace.engines)
    assert [name for name, _ in after.loaded] == ["smollm2-135m-instruct"]
    assert after.loaded[0][1] > 96_000_000
    assert before.loaded == ()


def test_safer_settings_answer_too(workspace: Workspace) -> None:
    safer = msgspec.structs.replace(ASKED, safer=True)
    events = list(workspace.targets.get("").answer(safer, CancelToken()))
    assert "Paris" in "".join(event.text for event in events if isinstance(event, Text))
    status = workspace.engines.list()[0]
    assert status.threads == 1
    assert not status.settings.extra_buffers


def test_the_engine_is_tried_once_and_remembered(workspace: Workspace) -> None:
    starter = starter_model()
    assert starter is not None
    first = workspace.checkup.verdict(starter)
    assert first.works
    assert first.build
    kept = workspace.paths.cache / "engine-checkup.json"
    before = kept.stat().st_mtime_ns
    assert workspace.checkup.verdict(starter) == first
    assert kept.stat().st_mtime_ns == before
