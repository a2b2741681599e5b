"""Files of a repository as choices, and the one recommended for a machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.gate.broker.hub import quantization_of
from lockhouse.gate.hub import Hub, HubFile, HubRepo, Reference
from lockhouse.library.file_choice import FileChoice, choices, pick, remote_header, smallest
from lockhouse.library.fit import Machine
from lockhouse.library.gguf.header import read_header
from tests.hub.direct import DirectGate
from tests.hub.server import HubServer

GB = 1_000_000_000
EIGHT_B = {
    "Q2_K": 3.2, "Q3_K_M": 3.9, "IQ4_XS": 4.4, "Q4_K_M": 4.9, "Q5_K_M": 5.7, "Q6_K": 6.6,
    "Q8_0": 8.5, "F16": 16.1,
}  # fmt: skip


def repo(sizes: dict[str, float], parameters: int = 8 * GB, *more: HubFile) -> HubRepo:
    files = tuple(
        HubFile(f"model-{form}.gguf", int(size * GB), "f" * 64, form)
        for form, size in sizes.items()
    )
    return HubRepo("org/Model-GGUF", "c" * 40, files=(*files, *more), parameters=parameters,
                   architecture="llama", context_length=32_768)  # fmt: skip


def machine(free_gb: float, total_gb: float = 0.0) -> Machine:
    return Machine(int((total_gb or free_gb * 1.25) * GB), int(free_gb * GB))


def recommended(found: list[FileChoice]) -> FileChoice:
    (one,) = [each for each in found if each.recommended]
    return one


@pytest.mark.parametrize(
    ("free_gb", "form"),
    [(12, "Q4_K_M"), (28, "Q4_K_M"), (120, "Q8_0"), (5.6, "IQ4_XS"), (4, "Q2_K")],
)
def test_the_recommended_one_suits_the_machine(free_gb: float, form: str) -> None:
    best = recommended(choices(repo(EIGHT_B), machine(free_gb, 200)))
    assert best.label == form
    assert best.reason.endswith(".")
    assert best.fit.word == "fits"


def test_where_nothing_fits_freely_the_smallest_that_runs_is_named_with_a_warning() -> None:
    best = recommended(choices(repo(EIGHT_B), machine(2, 16)))
    assert (best.label, best.fit.word) == ("Q2_K", "may be slow")
    assert "slow" in best.reason


def test_where_nothing_can_run_nothing_is_recommended() -> None:
    found = choices(repo(EIGHT_B), machine(1, 2))
    assert not [each for each in found if each.recommended]
    with pytest.raises(InvalidInput) as told:
        pick(found, Reference("org/Model-GGUF"))
    assert "Q4_K_M" in told.value.hint


def test_groups_and_losses_in_plain_words() -> None:
    found = {each.label: each for each in choices(repo(EIGHT_B), machine(30))}
    assert [found[form].quality for form in ("Q2_K", "Q4_K_M", "Q8_0", "F16")] == [
        "Small", "Balanced", "Large", "Original",
    ]  # fmt: skip
    losses = [found[form].loss for form in EIGHT_B]
    assert losses == ["high", "noticeable", "noticeable", "slight", "slight", "very slight",
                      "negligible", "none"]  # fmt: skip
    sizes = [each.size_bytes for each in choices(repo(EIGHT_B), machine(30))]
    assert sizes == sorted(sizes)


def test_shards_are_one_choice_and_incomplete_ones_none() -> None:
    shards = [
        HubFile(f"big-Q8_0-0000{n}-of-00003.gguf", GB, "a" * 64, "Q8_0", n - 1, 3)
        for n in (3, 1, 2)
    ]
    cut = HubFile("big-F16-00001-of-00002.gguf", GB, "b" * 64, "F16", 0, 2)
    found = choices(repo({}, 8 * GB, *shards, cut), machine(30))
    assert [each.label for each in found] == ["Q8_0"]
    assert [file.shard_index for file in found[0].files] == [0, 1, 2]
    assert found[0].size_bytes == 3 * GB


def test_a_projector_comes_with_every_choice() -> None:
    projectors = [
        HubFile(f"mmproj-{form}.gguf", GB, "d" * 64, form, is_projector=True)
        for form in ("F32", "F16")
    ]
    found = choices(repo({"Q4_K_M": 4.9}, 8 * GB, *projectors), machine(30))
    assert [file.name for file in found[0].files] == ["model-Q4_K_M.gguf", "mmproj-F16.gguf"]
    assert found[0].fit.needed.projector_bytes == GB


def test_picking_by_file_by_form_and_by_nothing() -> None:
    found = choices(repo(EIGHT_B), machine(30))
    assert pick(found, Reference("o/r", file="model-Q6_K.gguf")).label == "Q6_K"
    assert pick(found, Reference("o/r", quantization="q5_k_m")).label == "Q5_K_M"
    assert pick(found, Reference("o/r")).recommended
    with pytest.raises(NotFound) as told:
        pick(found, Reference("o/r", quantization="Q1_K"))
    assert "Q8_0" in told.value.hint
    with pytest.raises(NotFound):
        pick([], Reference("o/r"))


def test_what_is_here_is_marked() -> None:
    found = choices(repo({"Q4_K_M": 4.9}), machine(30), here={"f" * 64})
    assert found[0].here
    assert not choices(repo({"Q4_K_M": 4.9}), machine(30), here={"0" * 64})[0].here


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as hub:
        yield hub


def test_the_header_at_the_hub_is_that_of_the_file(server: HubServer, starter: Path) -> None:
    server.add("org/Tiny-GGUF", {"tiny-Q4_1.gguf": starter})
    hub = Hub(DirectGate(server.url))
    found = hub.repo("org/Tiny-GGUF")
    file = smallest(found)
    assert file is not None
    header, local = remote_header(hub, found, file), read_header(starter)
    assert header.parameter_count == local.parameter_count
    assert header.chat_template == local.chat_template
    assert server.sent_bytes < 8 << 20
    exact = choices(found, machine(30), {file.name: header})[0]
    guessed = choices(found, machine(30))[0]
    assert guessed.fit.guessed
    assert not exact.fit.guessed


def test_a_file_that_is_no_model_has_no_header(server: HubServer) -> None:
    server.add("org/Bad-GGUF", {"bad-Q4_1.gguf": b"no model at all" * 1000})
    hub = Hub(DirectGate(server.url))
    found = hub.repo("org/Bad-GGUF")
    with pytest.raises(InvalidInput):
        remote_header(hub, found, found.files[0])


def test_every_usual_name_states_a_form_the_choices_know() -> None:
    for form in EIGHT_B:
        assert quantization_of(f"Model-8B-{form}.gguf") == form
