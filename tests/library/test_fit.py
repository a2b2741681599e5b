"""Whether a model fits: the estimate against llama.cpp's own report, and the words for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.core.errors import InvalidInput
from lockhouse.engine.planning import Planner, PlanRequest
from lockhouse.engine.protocol import LoadSettings
from lockhouse.library.fit import (
    Gpu,
    Machine,
    choose_context,
    fit,
    fit_of,
    machine_now,
    planned_memory,
)
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.memory import LoadShape, estimate_memory, kv_cache_bytes
from lockhouse.library.gguf.shape import Shape
from tests.engine.reported import Question, reported
from tests.library import synthetic
from tests.library.synthetic import SHAPES, write

GIB, MIB = 1 << 30, 1 << 20
BIG = Machine(64 * GIB, 48 * GIB)
QUESTIONS: list[Question] = [
    (length, kv) for kv in ("f16", "q8_0") for length in (512, 2048, 8192, 32768)
]


@pytest.fixture(scope="module")
def planner() -> Iterator[Planner]:
    planner = Planner()
    yield planner
    planner.close()


def error(path: Path, question: Question, real_bytes: float) -> float:
    """How far the estimate is from what was allocated, as a share."""
    context_length, kv_type = question
    estimate = estimate_memory(read_header(path), context_length, LoadShape(kv_type=kv_type))
    return (estimate.total_bytes - estimate.process_bytes) / real_bytes - 1


def test_the_starter_model_is_estimated_within_three_percent(starter: Path) -> None:
    keys = ("weights", "kv", "recurrent", "compute", "output")
    for question, real in zip(QUESTIONS, reported(starter, QUESTIONS), strict=True):
        # What a processor with AMX keeps in a second form is in the plan, not in the estimate.
        assert abs(error(starter, question, sum(real[key] for key in keys) * MIB)) < 0.03


@pytest.mark.parametrize("name", SHAPES)
def test_other_shapes_are_estimated_within_three_percent(
    name: str, tmp_path: Path, planner: Planner
) -> None:
    """Of llama.cpp's plan, which the engine's tests hold against real loads of the same files."""
    path = write(SHAPES[name](), tmp_path / "model.gguf")
    for question in QUESTIONS:
        plan = planner.plan(PlanRequest(str(path), question[0], question[1]))  # type: ignore[arg-type]
        assert abs(error(path, question, plan.total_bytes)) < 0.03
        load = LoadShape(kv_type=question[1])
        estimate = estimate_memory(read_header(path), question[0], load)
        rounding = 0.01 * MIB  # of the log from which the plan has them
        assert estimate.kv_bytes == pytest.approx(plan.kv_bytes, abs=rounding)
        assert estimate.recurrent_bytes == pytest.approx(plan.recurrent_bytes, abs=rounding)


def test_caches_are_exact(tmp_path: Path) -> None:
    """By hand, for layers of every kind."""
    window = read_header(write(SHAPES["sliding window"](), tmp_path / "window.gguf"))
    shape = Shape.of(window)
    assert shape.cache_width == 4 * (256 + 256)  # layers 6, 12, 18, 24
    assert shape.window_width == 22 * (256 + 256)
    # 512 tokens for each of four conversations, and a batch.
    assert kv_cache_bytes(window, 32768) == 2 * (
        32768 * shape.cache_width + 2560 * shape.window_width
    )
    hybrid = Shape.of(read_header(write(SHAPES["hybrid"](), tmp_path / "hybrid.gguf")))
    assert hybrid.cache_width == 5 * 8 * (64 + 64)
    assert hybrid.state_width == 11 * 1024 * 2
    recurrent = read_header(write(SHAPES["recurrent"](), tmp_path / "recurrent.gguf"))
    assert kv_cache_bytes(recurrent, 32768) == 0
    assert estimate_memory(recurrent, 512).recurrent_bytes == (
        estimate_memory(recurrent, 32768).recurrent_bytes
    )


def test_the_pattern_of_windows_is_read_where_the_file_has_one(tmp_path: Path) -> None:
    plan = SHAPES["sliding window"](layers=6)
    plan.numbers["attention.sliding_window_pattern"] = [True, False, True, False, False, False]
    shape = Shape.of(read_header(write(plan, tmp_path / "listed.gguf")))
    assert (shape.window_width, shape.cache_width) == (2 * 512, 4 * 512)
    plan.numbers["attention.sliding_window_pattern"] = 3
    shape = Shape.of(read_header(write(plan, tmp_path / "numbered.gguf")))
    assert (shape.window_width, shape.cache_width) == (4 * 512, 2 * 512)
    del plan.numbers["attention.sliding_window"]
    shape = Shape.of(read_header(write(plan, tmp_path / "without.gguf")))
    assert (shape.window_width, shape.cache_width) == (0, 6 * 512)


def test_three_words_with_the_numbers(starter: Path) -> None:
    header = read_header(starter)
    fits = fit(header, BIG)
    assert fits.word == "fits"
    assert fits.context_length == 8192
    assert "0.4 GB" in fits.reason
    assert "51.3 GB are free" in fits.reason
    loaded = Machine(GIB, 600 * MIB, loaded=(("other", 400 * MIB),))
    slow = fit(header, loaded, context_length=8192)
    assert slow.word == "may be slow"
    assert "0.4 GB that they would have to free" in slow.reason
    assert 512 <= slow.largest_context < 8192
    at_largest = fit(header, loaded, context_length=slow.largest_context)
    assert at_largest.word == "fits"
    tiny = fit(header, Machine(192 * MIB, 100 * MIB))
    assert tiny.word == "won't fit"
    assert "this machine has 0.2 GB" in tiny.reason
    assert tiny.largest_context == 0


def test_memory_of_the_gpu_counts(starter: Path) -> None:
    header = read_header(starter)
    machine = Machine(GIB, 300 * MIB, gpus=(Gpu("a GPU", 2 * GIB, GIB),))
    report = fit(header, machine, context_length=8192)
    assert report.word == "fits"
    assert "on the GPU" in report.reason


def test_a_projector_counts(starter: Path) -> None:
    header = read_header(starter)
    without, with_it = fit(header, BIG), fit(header, BIG, projector_bytes=GIB)
    assert with_it.needed.total_bytes - without.needed.total_bytes == GIB


def long_model(tmp_path: Path) -> Shape:
    """131,072 tokens of 32 KiB each."""
    plan = synthetic.gqa(layers=16, width=2048, heads=32, kv=8)
    plan.context = 131_072
    return Shape.of(read_header(write(plan, tmp_path / "long.gguf")))


def test_the_context_nobody_chose_leaves_others_room(tmp_path: Path) -> None:
    shape = long_model(tmp_path)
    most = choose_context(shape, BIG)
    assert (most.context_length, most.largest_context) == (32_768, 131_072)
    assert "up to 131,072 fit" in most.reason
    some = Machine(4 * GIB, 3 * GIB)
    half = choose_context(shape, some)
    assert 4096 < half.context_length < 32_768
    assert half.context_length % 1024 == 0
    spare = fit(shape, some, context_length=512)
    taken = estimate_memory(shape, half.context_length).total_bytes - spare.needed.total_bytes
    assert taken <= (spare.available_bytes - spare.needed.total_bytes) / 2
    assert "half of the free memory" in half.reason
    little = Machine(2 * GIB, spare.needed.total_bytes + 256 * MIB + 80 * MIB)
    short = choose_context(shape, little)
    assert 512 <= short.context_length == short.largest_context // 1024 * 1024
    assert "all that fits" in short.reason
    assert choose_context(shape, Machine(GIB, 0)).largest_context == 0


def test_a_listing_without_a_header_is_guessed_and_says_so() -> None:
    guessed = Shape.guess(5_000_000_000, parameters=8_000_000_000, context_length=40_960)
    report = fit(guessed, BIG)
    assert report.guessed
    assert report.word == "fits"
    # Qwen3 8B: 36 layers of 8 heads of 128 for keys and for values.
    assert kv_cache_bytes(guessed, 1024) == 1024 * 36 * 8 * 128 * 2 * 2
    assert fit(Shape.guess(400_000_000_000), BIG).word == "won't fit"
    assert fit(Shape.guess(55_000_000_000), BIG).word == "may be slow"


def test_this_machine_is_told() -> None:
    machine = machine_now()
    assert 0 < machine.memory_free_bytes <= machine.memory_total_bytes
    assert machine.loaded == ()
    assert fit_of(1 << 20, machine) == "fits"
    assert fit_of(1 << 50, machine) == "won't fit"


def test_the_exact_figure_and_the_estimate_in_its_stead(
    starter: Path, tmp_path: Path, planner: Planner
) -> None:
    header = read_header(starter)
    exact = planned_memory(planner, header, 2048, LoadSettings())
    assert exact.exact
    assert exact.compute_bytes == pytest.approx(15.51 * MIB, rel=0.001)
    assert fit(header, BIG, context_length=2048, planned=exact).reason.startswith("It takes 0.")
    # What native code must not see is not planned, what it does not take is estimated.
    data = starter.read_bytes().replace(b"general.architecture", b"general.architecturf", 1)
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(data)
    with pytest.raises(InvalidInput, match="architecture"):
        planned_memory(planner, read_header(odd), 2048, LoadSettings())
    lacking = tmp_path / "lacking.gguf"
    lacking.write_bytes(starter.read_bytes().replace(b"blk.0.attn_q.", b"blk.0.attn_x.", 1))
    estimated = planned_memory(planner, read_header(lacking), 2048, LoadSettings())
    assert not estimated.exact
    assert estimated.kv_bytes == exact.kv_bytes
