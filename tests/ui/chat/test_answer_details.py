"""What the transcript and the details say of an answer from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.chat.values import Provenance
from lockhouse.core.events import Cost, Failed, Finished, Timing, Usage
from lockhouse.core.messages import File
from lockhouse.ui.chat.details import DetailsPanel, Fact, facts_of
from lockhouse.ui.chat.parameters import PARAMETERS
from lockhouse.ui.chat.prompt_panel import ParameterField
from lockhouse.ui.chat.transcript_model import to_transcript
from lockhouse.ui.formatting import NBSP
from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript.values import AttachedFile

API = TargetInfo(
    "mistral/large",
    "api",
    "Mistral Large",
    provider="mistral",
    provider_title="Mistral",
    leaves_machine=True,
    host="api.mistral.ai:443",
)
LOCAL = TargetInfo("smol", "local", "SmolLM2")


def answer(
    target: TargetInfo, finished: Finished | None = None, error: Failed | None = None
) -> Message:
    return Message(
        "a",
        "c",
        "q",
        "assistant",
        "So it is.",
        "",
        datetime(2026, 11, 22, tzinfo=UTC),
        status="failed" if error else "complete",
        provenance=Provenance(target, finished) if finished else None,
        error=error,
        target=target,
    )


def facts(message: Message) -> dict[str, Fact]:
    return {fact.key: fact for group in facts_of(message) for fact in group.facts}


FINISHED = Finished(
    "stop",
    usage=Usage(118, 20, 96, 40),
    timing=Timing(first_token_s=0.5),
    cost=Cost(Decimal("0.000239"), is_estimate=True),
    host="api.mistral.ai:443",
    model="mistral-large-2411",
    sent_sha256="ab" * 32,
)


def test_who_gave_it_what_they_got_and_what_it_cost() -> None:
    shown = to_transcript(answer(API, FINISHED))
    assert shown.badge == "API · api.mistral.ai"
    assert shown.leaves
    assert shown.stats[-1] == "about $0.00024"
    told = facts(answer(API, FINISHED))
    assert told["Host"].value == "api.mistral.ai"
    assert told["Model reported"].value == "mistral-large-2411"
    assert told["Sent hash"].exact == "ab" * 32
    assert told["Cost"].value == "about $0.00024 (estimated)"
    assert told["Cost"].exact == "0.000239 USD"
    assert (told["Cached"].value, told["Reasoning"].value) == ("20", "40")
    assert told["Left this machine"].value == "Yes"
    assert any(group.has_sent for group in facts_of(answer(API, FINISHED)))


def test_an_answer_of_this_machine_tells_its_energy() -> None:
    message = answer(LOCAL, Finished("stop", energy_j=12.4))
    assert to_transcript(message).badge == "Local"
    assert not to_transcript(message).leaves
    assert to_transcript(message).stats[-1].replace("\u00a0", " ") == "about 12 J"
    assert facts(message)["Cost"].value == "No cost"
    assert facts(message)["Energy"].value.replace("\u00a0", " ").startswith("about 12 J")
    assert not any(group.has_sent for group in facts_of(message))


@pytest.mark.parametrize(
    ("code", "way"),
    [
        ("key_missing", "key"),
        ("unauthorized", "key"),
        ("sealed", "network"),
        ("cut_off", "network"),
        ("host_not_allowed", "network"),
        ("consent_needed", "regenerate"),
        ("budget", "limits"),
        ("context_too_long", "ask_alone"),
        ("model_not_found", "choose_target"),
        ("content_refused", "regenerate"),
        ("connection_lost", "continue"),
        ("a_code_of_tomorrow", "continue"),
    ],
)
def test_every_failure_elsewhere_has_its_way_on_and_a_local_model(code: str, way: str) -> None:
    kinds = [kind for kind, _ in to_transcript(answer(API, error=Failed(code, "No."))).ways]
    assert kinds[0] == way
    assert kinds[-1] == "ask_local"


def test_what_was_never_sent_is_not_marked_as_sent() -> None:
    for code in ("key_missing", "sealed", "consent_needed", "budget"):
        shown = to_transcript(answer(API, error=Failed(code, "No.")))
        assert (shown.badge, shown.leaves) == ("Nothing sent", False)
    for code in ("overloaded", "cut_off"):
        shown = to_transcript(answer(API, error=Failed(code, "No.")))
        assert (shown.badge, shown.leaves) == ("API · api.mistral.ai", True)


def test_an_answer_edited_by_hand_keeps_the_mark_of_where_it_came_from() -> None:
    shown = to_transcript(answer(API))
    assert (shown.badge, shown.leaves) == ("API · api.mistral.ai · edited by you", True)
    assert not any(group.has_sent for group in facts_of(answer(API)))
    on = to_transcript(answer(LOCAL, finished=Finished("stop", begins_edited=True)))
    assert on.badge == "Local · edited by you"


def test_parameters_have_the_names_that_people_read() -> None:
    raw: dict[str, object] = {
        "seed": 7,
        "top_k": 40,
        "typical_p": 1.0,
        "dry_penalty_last_n": -1,
        "xtc_threshold": 0.1,
        "kv_type": "f16",
        "flash_attention": True,
        "when_full": "stop",
        "grammar": None,
    }
    told = facts(answer(LOCAL, Finished("stop", parameters=raw)))
    shown = {key: told[key].value for key in told}
    assert shown["Top-k"] == "40"
    assert shown["Typical-p"] == "1"
    assert shown["DRY penalty last n"] == "-1"
    assert shown["XTC threshold"] == "0.1"
    assert shown["KV cache type"] == "f16"
    assert shown["Flash attention"] == "on"
    assert shown["When full"] == "stops"
    assert "Grammar" not in shown


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> DetailsPanel:
    made = DetailsPanel(theme)
    qtbot.addWidget(made)
    made.resize(336, 800)
    raw: dict[str, object] = {"seed": 4272792605, "frequency_penalty": 0.0, "extra_buffers": True}
    made.show_facts(facts_of(answer(LOCAL, Finished("stop", parameters=raw))))
    made.show()
    qtbot.waitUntil(lambda: made.findChild(QWidget, "copy_seed") is not None)
    return made


def test_the_values_of_all_groups_stand_in_one_line(panel: DetailsPanel) -> None:
    named = [one for one in panel.findChildren(QLabel) if ": " in one.accessibleName()]
    assert len(named) > 5
    assert len({one.mapTo(panel, QPoint(0, 0)).x() for one in named}) == 1


def test_the_copy_button_is_level_with_its_line(panel: DetailsPanel) -> None:
    button = panel.findChild(QWidget, "copy_seed")
    seed = next(one for one in panel.findChildren(QLabel) if one.text() == "4272792605")
    assert button is not None
    middle = seed.mapTo(panel, seed.contentsRect().topLeft()).y() + seed.fontMetrics().height() / 2
    other = button.mapTo(panel, button.rect().center()).y()
    assert abs(middle - other) <= 1


def test_an_imported_answer_from_elsewhere_was_not_edited_here() -> None:
    imported = answer(TargetInfo("gpt-4o", "cloud", leaves_machine=True))
    assert "edited" not in to_transcript(imported).badge
    assert to_transcript(imported).leaves
    assert not any(group.has_sent for group in facts_of(imported))


def test_an_imported_answer_is_called_imported_and_not_api() -> None:
    """Whoever gave it, nothing of ours went to an API."""
    of_chatgpt = answer(TargetInfo("gpt-5", "api", provider="openai", leaves_machine=True))
    unknown = answer(TargetInfo("qwen", "api"))
    for imported, has_left in ((of_chatgpt, True), (unknown, False)):
        shown = to_transcript(imported)
        assert (shown.badge, shown.leaves) == ("Imported", has_left)
        assert not any(group.has_sent for group in facts_of(imported))


def test_files_of_an_imported_answer_are_shown() -> None:
    message = msgspec.structs.replace(answer(LOCAL), parts=(File("python output", "é"),))
    assert to_transcript(message).files == (AttachedFile("python output", f"2{NBSP}B", "é"),)


def test_failures_on_this_machine_keep_their_own_ways() -> None:
    assert to_transcript(answer(LOCAL, error=Failed("engine_crashed", "Gone."))).ways == ()


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Keep one: lockhouse keys set mistral", ""),
        ("Wait a moment. Or raise it: lockhouse settings set x 3", "Wait a moment."),
        ("Unlock it, then try again.", "Unlock it, then try again."),
    ],
)
def test_buttons_stand_in_for_commands(hint: str, shown: str) -> None:
    assert to_transcript(answer(API, error=Failed("x", "No.", hint))).error_hint == shown


def test_a_length_without_a_limit_is_said_in_words(theme: Theme, qtbot: QtBot) -> None:
    length = next(one for one in PARAMETERS if one.name == "answer_max_tokens")
    field = ParameterField(theme, length)
    qtbot.addWidget(field)
    field.show_value(None, 0)
    assert field.edit.placeholderText() == "no limit"
    field.show_value(None, 512)
    assert field.edit.placeholderText() == "512"
