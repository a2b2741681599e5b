"""The table of models: what is said of each, filtered, sorted, with its selection kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from lockhouse.library.model_info import ModelInfo, Place
from lockhouse.ui.models.controller import Freeing, InstalledModels
from lockhouse.ui.models.installed_view import InstalledView
from lockhouse.ui.models.model_table import (
    FIT,
    FOLDER,
    NAME,
    SIZE,
    USED,
    VERIFIED,
    Filter,
    ModelTable,
    make_rows,
)
from lockhouse.ui.theme import Theme

LEFT = Qt.MouseButton.LeftButton
NOW = dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)


def model(name: str, **more: object) -> ModelInfo:
    fields: dict[str, object] = {
        "title": name.title(),
        "size_bytes": 5_000_000_000,
        "family": "Qwen",
        "quantization": "Q4_K_M",
        "bits_per_weight": 4.8,
        "fit": "fits",
        **more,
    }
    return ModelInfo(name, Path("/models") / f"{name}.gguf", **fields)  # type: ignore[arg-type]


MODELS = (
    model("alpha", size_bytes=4_000_000_000, last_used_at="2026-11-19T09:00:00+00:00"),
    model("beta", size_bytes=98_000_000, family="Llama", owner="Ollama", fit="may be slow"),
    model("gamma", fit="won't fit", owner="LM Studio", verified_at="2026-11-12T09:00:00+00:00"),
    model("delta", last_used_at="2026-11-20T09:02:00+00:00", state="changed"),
)


@pytest.fixture
def table(qapp: QApplication) -> ModelTable:
    made = ModelTable()
    made.set_rows(make_rows(MODELS, NOW))
    return made


def names(table: ModelTable) -> list[str]:
    return [table.row(number).model.name for number in range(table.rowCount())]


def cell(table: ModelTable, name: str, column: int) -> str:
    return str(table.index(table.number_of(name), column).data())


def test_the_last_used_stands_first_and_the_loaded_one_above_all(table: ModelTable) -> None:
    assert names(table)[:2] == ["delta", "alpha"]
    table.set_loaded(frozenset({"beta"}))
    assert names(table)[0] == "beta"
    assert cell(table, "beta", USED) == "Loaded"


def test_times_and_states_are_said_in_words(table: ModelTable) -> None:
    assert cell(table, "alpha", USED) == "Yesterday"
    assert cell(table, "beta", USED) == "Never"
    assert cell(table, "beta", VERIFIED) == "Not yet"
    assert cell(table, "gamma", VERIFIED) == "12\u00a0Nov"
    assert cell(table, "delta", VERIFIED) == "Changed"
    assert cell(table, "gamma", FIT) == "Won’t fit"
    assert cell(table, "beta", FOLDER) == "Ollama"


def test_a_running_check_shows_how_far_it_is(table: ModelTable) -> None:
    table.set_checking("alpha", 0.634)
    assert cell(table, "alpha", VERIFIED) == "63\u00a0%"
    table.set_checking("alpha", None)
    assert cell(table, "alpha", VERIFIED) == "Not yet"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(("qwen",)), {"alpha", "gamma", "delta"}),
        (Filter(("qwen", "studio")), {"gamma"}),
        (Filter(fit="may be slow"), {"beta"}),
        (Filter(owner="Lockhouse"), {"alpha", "delta"}),
        (Filter(("q4_k",), fit="fits", owner="Lockhouse"), {"alpha", "delta"}),
        (Filter(("nothing of the kind",)), set()),
    ],
)
def test_the_filter_takes_words_fit_and_folder(
    table: ModelTable, wanted: Filter, found: set[str]
) -> None:
    table.set_filter(wanted)
    assert set(names(table)) == found
    table.set_filter(Filter())
    assert len(names(table)) == len(MODELS)


def test_sizes_are_sorted_as_numbers_not_as_words(table: ModelTable) -> None:
    table.sort(SIZE, Qt.SortOrder.AscendingOrder)
    assert names(table)[0] == "beta"
    table.sort(SIZE, Qt.SortOrder.DescendingOrder)
    assert names(table)[-1] == "beta"
    table.sort(FIT, Qt.SortOrder.AscendingOrder)
    assert names(table)[-2:] == ["beta", "gamma"]


def test_qt_finds_no_fault_with_the_model(table: ModelTable) -> None:
    tester = QAbstractItemModelTester(table, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.set_filter(Filter(("alpha",)))
    table.set_filter(Filter())
    table.sort(NAME, Qt.SortOrder.AscendingOrder)
    assert tester.model() is table


def shown(theme: Theme, qtbot: QtBot, models: tuple[ModelInfo, ...] = MODELS) -> InstalledView:
    view = InstalledView(theme)
    qtbot.addWidget(view)
    view.resize(900, 500)
    view.show_installed(InstalledModels(models, (), make_rows(models, NOW)))
    view.show()
    return view


def test_what_is_chosen_stays_chosen_when_rows_move(theme: Theme, qtbot: QtBot) -> None:
    view = shown(theme, qtbot)
    view.choose("gamma")
    view.table.sort(NAME, Qt.SortOrder.AscendingOrder)
    assert view.names == ("gamma",)
    view.table.set_filter(Filter(("gamma",)))
    assert view.names == ("gamma",)
    view.table.set_filter(Filter(("alpha",)))
    assert view.names == ()


def test_several_chosen_ones_offer_to_be_removed_together(theme: Theme, qtbot: QtBot) -> None:
    view = shown(theme, qtbot)
    chooser, kind = view.view.selectionModel(), QItemSelectionModel.SelectionFlag
    for name in ("alpha", "beta"):
        index = view.table.index(view.table.number_of(name), NAME)
        chooser.select(index, kind.Select | kind.Rows)
    assert view.selection_bar.isVisible()
    assert not view.disks.isVisible()
    view.show_freeing(Freeing(view.names, 4_000_000_000, kept=1))
    assert (
        "frees 4.0\u00a0GB; 1 file is not Lockhouse’s and stays"
        in view.selection_bar._freeing.text()
    )
    with qtbot.waitSignal(view.remove_wanted) as told:
        qtbot.keyClick(view.view, Qt.Key.Key_Delete)
    assert set(told.args[0]) == {"alpha", "beta"}
    view.view.clearSelection()
    assert not view.selection_bar.isVisible()


def test_an_empty_library_and_an_empty_filter_say_what_to_do(theme: Theme, qtbot: QtBot) -> None:
    view = shown(theme, qtbot, ())
    assert view._stack.currentWidget() is view._nothing
    assert not view.filter_bar.isVisible()
    view.show_installed(InstalledModels(MODELS, (), make_rows(MODELS, NOW)))
    view.filter_bar.edit.setText("no such model")
    qtbot.waitUntil(lambda: view._stack.currentWidget() is view._no_match)
    qtbot.mouseClick(view._no_match.findChild(QPushButton, "empty_clear"), LEFT)
    assert view.table.rowCount() == len(MODELS)


def test_columns_are_dropped_where_there_is_no_room(theme: Theme, qtbot: QtBot) -> None:
    view = shown(theme, qtbot)
    view.resize(1000, 500)
    assert not view.view.isColumnHidden(VERIFIED)
    view.resize(800, 500)
    assert view.view.isColumnHidden(VERIFIED)
    assert not view.view.isColumnHidden(USED)
    view.resize(620, 500)
    assert view.view.isColumnHidden(USED)


def test_equal_copies_are_one_row_that_names_the_places(theme: Theme, qtbot: QtBot) -> None:
    places = (Place(Path("/a/x.gguf")), Place(Path("/b/x.gguf"), "LM Studio"))
    view = shown(theme, qtbot, (model("twice", places=places),))
    tip = str(view.table.index(0, FOLDER).data(Qt.ItemDataRole.ToolTipRole))
    assert "/a/x.gguf" in tip
    assert "/b/x.gguf" in tip


def test_every_cell_is_painted_in_both_schemes(theme: Theme, qtbot: QtBot) -> None:
    view = shown(theme, qtbot)
    view.table.set_loaded(frozenset({"alpha"}))
    light = view.grab().toImage()
    theme.set_choice("dark")
    dark = view.grab().toImage()
    assert light.size() == dark.size()
    place = view.view.viewport().mapTo(view, view.view.viewport().rect().center())
    assert light.pixelColor(place).lightness() > 128 > dark.pixelColor(place).lightness()
