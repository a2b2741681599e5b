"""Figures and words of the page, and the arithmetic of its slider."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from lockhouse.gate.hub import HubModel
from lockhouse.library.fit import Machine
from lockhouse.library.model_info import FolderUse, LoadChoice, ModelInfo
from lockhouse.library.transfers import Transfer
from lockhouse.ui.models import model_text
from lockhouse.ui.models.context_slider import (
    length_at,
    position_of,
    short_length,
    stops_up_to,
)
from lockhouse.ui.models.dialogs import shown_value
from lockhouse.ui.models.discover_controller import entry_of, parameters_in, reference_in
from lockhouse.ui.models.disk_use import disk_use
from lockhouse.ui.models.memory import MemoryNeed
from lockhouse.ui.models.memory_panel import MemoryPanel
from lockhouse.ui.models.transfer_controller import amount_text, downloads_summary
from lockhouse.ui.models.transfers_view import sealed_text
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme

GB = 1_000_000_000
MACHINE = Machine(32 * GB, 24 * GB)


@pytest.mark.parametrize("most", [1024, 2048, 4096, 40_960, 131_072, 262_144, 1_000_000])
def test_the_slider_ends_at_the_largest_context_and_never_beyond(most: int) -> None:
    stops = stops_up_to(most)
    assert len(stops) <= 6
    assert stops[-1] == max(most // 256 * 256, 512)
    assert list(stops) == sorted(set(stops))
    for position in range(0, (len(stops) - 1) * 1000 + 1, 37):
        length = length_at(position, stops)
        assert stops[0] <= length <= stops[-1]
        assert length % 256 == 0
    for stop in stops:
        assert length_at(position_of(stop, stops), stops) == stop


def test_no_context_at_all_leaves_no_stops() -> None:
    assert stops_up_to(0) == ()


def test_lengths_are_short() -> None:
    assert [short_length(one) for one in (512, 2048, 40_960, 100_000)] == [
        "512",
        "2k",
        "40k",
        "100k",
    ]


def test_the_bar_follows_the_slider_and_says_what_8_bit_would_save(
    theme: Theme, qtbot: QtBot
) -> None:
    panel = MemoryPanel(theme)
    qtbot.addWidget(panel)
    need = MemoryNeed(
        "m", "/m.gguf", 16_384, "f16", 5 * GB, 2 * GB, GB // 2, 0, 24 * GB, (("other", GB),),
        40_960, GB, exact=True,
    )  # fmt: skip
    panel.show_need(need)
    sentence = panel._bar.accessibleName()
    assert sentence == (
        "Memory: weights 5.0, kv cache 2.0, compute 0.5, other models 1.0, free 15.5 GB"
    )
    assert "8.5 of 24.0" in panel._amount.text()
    assert panel._saving.text() == "8-bit would save 1.0\u00a0GB with little quality loss."
    assert panel._source.text() == "Measured by llama.cpp"
    asked: list[LoadChoice] = []
    panel.asked.connect(asked.append)
    with qtbot.waitSignal(panel.chosen) as kept:
        qtbot.keyClick(panel._slider._slider, Qt.Key.Key_Right)
    assert 16_384 < asked[-1].context_length <= 40_960
    assert kept.args == [asked[-1]]
    panel.show_need(dataclasses.replace(need, weights_bytes=30 * GB, problem="Too much."))
    assert "more than available" in panel._problem.text()


def test_progress_and_speed_are_said_in_the_unit_of_the_whole() -> None:
    assert model_text.progress_text(8_900_000_000, 14_300_000_000) == "8.9 of 14.3\u00a0GB"
    assert model_text.progress_text(40_000_000, 98_000_000) == "40 of 98\u00a0MB"
    assert model_text.rate(38_200_000) == "38.2\u00a0MB/s"
    assert model_text.rate(812_000) == "812\u00a0kB/s"
    assert model_text.time_left(6) == "6\u00a0s left"
    assert model_text.time_left(142) == "2\u00a0min 22\u00a0s left"
    assert model_text.time_left(2430) == "40\u00a0min left"
    assert model_text.time_left(11_100) == "3\u00a0h 5\u00a0min left"


def transfer(**more: object) -> Transfer:
    fields: dict[str, object] = {"state": "downloading", "size_bytes": 10 * GB, **more}
    return Transfer("1", "o/r", "c", "R", "Q4_K_M", (), **fields)  # type: ignore[arg-type]


def test_checking_is_a_phase_of_its_own() -> None:
    checking = transfer(state="checking", done_bytes=10 * GB, checked_bytes=63 * GB // 10)
    assert amount_text(checking) == "Verifying, 63\u00a0%"
    assert downloads_summary((checking,)) == "Verifying, 100\u00a0%"


def test_the_status_bar_says_how_downloads_stand() -> None:
    assert downloads_summary(()) == ""
    moving = transfer(done_bytes=62 * GB // 10, speed_bytes_per_s=38.2e6)
    assert downloads_summary((moving,)) == "38.2\u00a0MB/s, 62\u00a0%"
    assert downloads_summary((transfer(state="paused", done_bytes=62 * GB // 10),)) == (
        "1 download paused, 62\u00a0%"
    )
    assert "failed" in downloads_summary((transfer(state="failed"),))
    assert downloads_summary((transfer(state="done"),)) == ""


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Qwen3-8B-GGUF", 8_000_000_000),
        ("SmolLM2 135M Instruct", 135_000_000),
        ("Mixtral-8x7B", 56_000_000_000),
        ("Phi-4", 0),
        ("Qwen2.5-0.5B", 500_000_000),
        ("model-4bit", 0),
    ],
)
def test_a_count_of_parameters_is_read_from_a_name(name: str, count: int) -> None:
    assert parameters_in(name) == count


def test_a_search_result_says_whether_it_would_fit() -> None:
    small = entry_of(HubModel("o/Tiny-1B-GGUF", license="mit"), MACHINE, {"o/Tiny-1B-GGUF"})
    assert (small.title, small.licence, small.fit, small.here) == ("Tiny 1B", "MIT", "fits", True)
    large = entry_of(HubModel("o/Huge-400B"), MACHINE, ())
    assert large.fit == "won't fit"
    assert entry_of(HubModel("o/Nameless"), MACHINE, ()).fit is None


def test_titles_lose_the_owner_and_the_format() -> None:
    assert model_text.plain_title("Qwen/Qwen3-8B-GGUF") == "Qwen3 8B"
    assert model_text.plain_title("o/GGUF") == "GGUF"


@pytest.mark.parametrize(
    ("text", "repo"),
    [
        ("mistral small", ""),
        ("a/b c", ""),
        ("Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B-GGUF"),
        ("Qwen/Qwen3-8B-GGUF:Q4_K_M@abc123", "Qwen/Qwen3-8B-GGUF"),
        ("https://huggingface.co/Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B-GGUF"),
        ("https://huggingface.co/", ""),
    ],
)
def test_a_pasted_address_is_told_from_words(text: str, repo: str) -> None:
    reference = reference_in(text)
    assert (reference.repo if reference else "") == repo


def test_network_access_is_named_by_its_host() -> None:
    hosts = ("huggingface.co:443", "*.huggingface.co:443", "*.hf.co:443")
    assert NetworkView("open", hosts=hosts).place == "huggingface.co"
    view = NetworkView("open", hosts=("127.0.0.1:8080", "mirror.example:443"))
    assert view.place == "127.0.0.1:8080 and 1 more"
    assert NetworkView().place == ""


def test_values_of_a_header_are_on_one_line() -> None:
    assert shown_value("two\nlines") == "two\\nlines"
    assert shown_value(tuple(range(100))).endswith("… 100 in all]")
    assert shown_value(True) == "yes"  # noqa: FBT003 - a value of a header
    assert len(shown_value("x" * 100_000)) < 3000


def test_use_is_told_by_disk(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    models = (ModelInfo("m", file, size_bytes=5 * GB), ModelInfo("n", file, size_bytes=GB))
    folders = (FolderUse(tmp_path, "lockhouse", "Lockhouse", own=True, model_count=2),)
    (disk,) = disk_use(folders, models)
    assert (disk.model_count, disk.size_bytes) == (2, 6 * GB)
    assert disk.free_bytes > 0
    assert 0 <= disk.used <= 1
    assert disk.folders[0].startswith("Lockhouse: ")


def test_while_sealed_only_what_waits_is_said_to_go_on() -> None:
    waiting, paused = transfer(state="waiting"), transfer(state="paused")
    assert sealed_text((waiting,)) == "They continue when online."
    assert sealed_text((waiting, paused)) == "Those waiting continue when online."
    assert sealed_text((paused,)) == ""
