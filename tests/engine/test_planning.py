"""Plans by llama.cpp itself: equal to what a real load reports, and harmless when they fail."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lockhouse.core.errors import EngineCrashed, InvalidInput, UsageMistake
from lockhouse.engine.planning import Device, MemoryPlan, Planner, PlanRequest
from lockhouse.engine.process.devices import graphics_processors, why_no_gpu
from tests.engine.models import copy_of
from tests.engine.reported import Question, reported
from tests.library.synthetic import SHAPES, write

MIB = 1 << 20
QUESTIONS: list[Question] = [
    (length, kv) for kv in ("f16", "q8_0") for length in (512, 2048, 8192, 32768)
]


@pytest.fixture(scope="module")
def planner() -> Iterator[Planner]:
    planner = Planner()
    yield planner
    planner.close()


def ask(planner: Planner, path: Path, question: Question) -> MemoryPlan:
    context_length, kv_type = question
    return planner.plan(PlanRequest(str(path), context_length, kv_type))  # type: ignore[arg-type]


def planners() -> list[int]:
    """The planning processes that this one has started."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # one that has just ended has no command line
            if "--job" in child.cmdline():
                found.append(child.pid)
    return found


def assert_equal(plan: MemoryPlan, real: dict[str, float]) -> None:
    """The log has two decimals of a MiB, for each of one or two caches."""
    for planned, key in (
        (plan.kv_bytes, "kv"),
        (plan.recurrent_bytes, "recurrent"),
        (plan.compute_bytes, "compute"),
        (plan.output_bytes, "output"),
    ):
        assert planned / MIB == pytest.approx(real[key], abs=0.011), key
    if not real["repacked"]:
        assert plan.weights_bytes / MIB == pytest.approx(real["weights"], abs=0.011)


def test_the_starter_model_takes_what_was_planned(planner: Planner, starter: Path) -> None:
    for question, real in zip(QUESTIONS, reported(starter, QUESTIONS), strict=True):
        assert_equal(ask(planner, starter, question), real)


@pytest.mark.parametrize("name", SHAPES)
def test_other_shapes_take_what_was_planned(planner: Planner, tmp_path: Path, name: str) -> None:
    path = write(SHAPES[name](), tmp_path / "model.gguf")
    for question, real in zip(QUESTIONS, reported(path, QUESTIONS), strict=True):
        assert_equal(ask(planner, path, question), real)


def test_weights_in_two_forms_are_counted_twice(planner: Planner, tmp_path: Path) -> None:
    """Repacked for the processor's own kernels; the word table is also read as it is."""
    import gguf

    plan = SHAPES["sliding window"](layers=2, vocabulary=8192)
    plan.kind = gguf.GGMLQuantizationType.Q4_0
    path = write(plan, tmp_path / "model.gguf")
    real = reported(path, [(512, "f16")])[0]
    if not real["repacked"]:
        pytest.skip("this processor has no kernels for repacked weights")
    packed = planner.plan(PlanRequest(str(path), 512))
    plain = planner.plan(PlanRequest(str(path), 512, extra_buffers=False))
    table_bytes = 8192 * plan.width // 32 * 18
    assert packed.weights_bytes - plain.weights_bytes == table_bytes


def test_a_model_in_parts_is_planned_as_one(planner: Planner, tmp_path: Path) -> None:
    whole = write(SHAPES["gqa"](layers=4, width=256, inner=512), tmp_path / "whole.gguf")
    parts = in_parts(whole, tmp_path / "part")
    assert len(parts) > 1
    planned = ask(planner, parts[0], (1024, "f16"))
    assert planned == ask(planner, whole, (1024, "f16"))
    parts[1].unlink()
    with pytest.raises(InvalidInput):
        ask(planner, parts[0], (1280, "f16"))


def in_parts(whole: Path, stem: Path) -> list[Path]:
    """The same model as several files, by the gguf package."""
    import gguf

    reader = gguf.GGUFReader(whole)
    writer = gguf.GGUFWriter(stem, "llama", split_max_tensors=16)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        sub = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file(stem)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(stem.parent.glob("part-*.gguf"))


def test_one_process_answers_for_one_model(planner: Planner, starter: Path, tmp_path: Path) -> None:
    first = ask(planner, starter, (1024, "f16"))
    before = planners()
    assert len(before) == 1
    second = ask(planner, starter, (1280, "f16"))
    assert planners() == before
    assert second.kv_bytes - first.kv_bytes == 30 * 3 * 64 * 2 * 2 * 256
    other = copy_of(starter, tmp_path / "other.gguf")
    assert ask(planner, other, (1024, "f16")) == first
    assert len(planners()) == 1
    assert planners() != before


def test_it_ends_by_itself_and_starts_again(starter: Path) -> None:
    planner = Planner(kept_s=0.0)
    first = ask(planner, starter, (512, "f16"))
    assert ask(planner, starter, (768, "f16")).kv_bytes > first.kv_bytes
    planner.close()


def test_a_file_that_is_no_model_is_an_ordinary_error(planner: Planner, tmp_path: Path) -> None:
    path = tmp_path / "text.gguf"
    path.write_text("not a model")
    with pytest.raises(InvalidInput, match=r"text\.gguf"):
        ask(planner, path, (512, "f16"))
    with pytest.raises(InvalidInput, match="cannot be opened"):
        ask(planner, tmp_path / "missing.gguf", (512, "f16"))
    with pytest.raises(UsageMistake):
        ask(planner, path, (1 << 31, "f16"))


def test_a_crash_is_an_ordinary_error_and_the_next_question_answers(
    starter: Path, tmp_path: Path
) -> None:
    """llama.cpp ends its process on a model of no layers; the header's gate is not asked here."""
    data = starter.read_bytes()
    key = b"llama.block_count"
    at = data.index(key) + len(key) + 4
    path = tmp_path / "none.gguf"
    path.write_bytes(data[:at] + (1_000_000_000).to_bytes(4, "little") + data[at + 4 :])
    before = set(planners())
    planner = Planner()
    with pytest.raises(EngineCrashed, match="Planning ended early"):
        ask(planner, path, (512, "f16"))
    assert ask(planner, starter, (512, "f16")).kv_bytes == 11_796_480
    (child,) = set(planners()) - before
    os.kill(child, signal.SIGKILL)
    assert ask(planner, starter, (768, "f16")).kv_bytes == 768 * 23_040
    planner.close()


def test_the_planner_sees_its_model_and_nothing_of_the_users(
    planner: Planner, starter: Path, tmp_path: Path
) -> None:
    """A second file is refused by the kernel, so it is another process that reads it."""
    from lockhouse import seal

    if not seal.landlock_version():
        pytest.skip("this kernel has no Landlock")
    ask(planner, starter, (1536, "f16"))
    child = planner._process  # the process behind it, to ask it what it must not answer
    assert child is not None
    other = copy_of(starter, tmp_path / "other.gguf")
    with pytest.raises(InvalidInput, match=r"other\.gguf"):
        child.ask(PlanRequest(str(other), 512), MemoryPlan)


def test_devices_are_told(planner: Planner) -> None:
    report = planner.devices()
    assert report.build
    assert "CPU" in report.backends
    processor = next(device for device in report.devices if device.kind == "CPU")
    assert processor.memory_total_bytes == pytest.approx(psutil.virtual_memory().total, rel=0.05)
    assert processor.description


def made(root: Path, *, vendor: str, kind: str = "0x030000", nodes: tuple[str, ...] = ()) -> Path:
    """A machine with one device on its bus."""
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(vendor + "\n")
    (device / "class").write_text(kind + "\n")
    for node in nodes:
        path = root / "dev" / node
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


CPU = Device("CPU", "a processor", "CPU", 1, 1, "CPU")


def test_a_graphics_processor_that_stays_idle_is_told_with_the_reason(tmp_path: Path) -> None:
    root = made(tmp_path / "a", vendor="0x10de")
    found = graphics_processors(root)
    assert found == ("NVIDIA 0000:01:00.0",)
    assert "GGML_CUDA" in why_no_gpu(found, (CPU,), ("CPU",), root)
    assert "driver is not loaded" in why_no_gpu(found, (CPU,), ("CUDA", "CPU"), root)
    root = made(tmp_path / "b", vendor="0x10de", nodes=("nvidia0",))
    assert "too old" in why_no_gpu(found, (CPU,), ("CUDA", "CPU"), root)
    used = Device("CUDA0", "a GPU", "GPU", 1, 1, "CUDA")
    assert not why_no_gpu(found, (used, CPU), ("CUDA", "CPU"), root)


def test_what_only_draws_a_screen_is_none(tmp_path: Path) -> None:
    assert graphics_processors(made(tmp_path / "a", vendor="0x1af4")) == ()
    assert graphics_processors(made(tmp_path / "b", vendor="0x10de", kind="0x040300")) == ()
    assert graphics_processors(tmp_path / "nothing") == ()
    assert not why_no_gpu((), (CPU,), ("CPU",))


def test_a_card_passed_into_a_container_is_found(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    assert graphics_processors(tmp_path) == ("NVIDIA",)
