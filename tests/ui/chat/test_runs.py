"""Events of a running answer, folded into what the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytestqt.qtbot import QtBot

from lockhouse.chat.conversations import Conversation, Message
from lockhouse.chat.turns import TurnEvent, TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Finished, Notice, Reasoning, StartOver, Text
from lockhouse.ui.chat.runs import Runs
from lockhouse.ui.chat.values import AnswerGrew, Note, RunState
from lockhouse.ui.jobs import Jobs

MOMENT = datetime(2026, 11, 22, tzinfo=UTC)
CHAT = Conversation("c", "Chat", MOMENT, MOMENT)
ANSWER = Message("a", "c", "q", "assistant", "", "", MOMENT)


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


def run(qtbot: QtBot, jobs: Jobs, *events: TurnEvent) -> tuple[Runs, list[object]]:
    """All that was told of an answer with these events."""
    runs, told = Runs(jobs), list[object]()
    for signal in (runs.grew, runs.progressed):
        signal.connect(told.append)
    runs.noticed.connect(lambda _, note: told.append(note))

    def turn(_cancel: CancelToken) -> Iterator[TurnEvent]:
        yield TurnStarted(CHAT, None, ANSWER)
        yield from events
        yield Finished("stop")

    with qtbot.waitSignal(runs.ended):
        runs.start("c", turn)
    return runs, told


def text_of(told: list[object]) -> str:
    """What stands on the page after all of it."""
    text = ""
    for grew in told:
        if isinstance(grew, AnswerGrew):
            text = grew.text if grew.from_start else text + grew.text
    return text


def test_an_answer_that_starts_over_leaves_nothing_of_the_first_try(
    qtbot: QtBot, jobs: Jobs
) -> None:
    events = (Reasoning("Hm."), Text("The first"), StartOver("another server"), Text("So it is."))
    _, told = run(qtbot, jobs, *events)
    assert text_of(told) == "So it is."
    anew = next(one for one in told if isinstance(one, AnswerGrew) and one.from_start)
    assert (anew.text, anew.reasoning) == ("", "")
    assert anew.remark == "Started over on another server"


def test_waiting_is_told_where_the_answer_will_stand_and_not_in_a_banner(
    qtbot: QtBot, jobs: Jobs
) -> None:
    _, told = run(qtbot, jobs, Notice("waiting", "Mistral asks to wait 5 seconds."), Text("So."))
    states = [one for one in told if isinstance(one, RunState)]
    assert not any(isinstance(one, Note) for one in told)
    assert states[-1].told == ""  # words have come


def test_a_change_of_servers_in_mid_answer_is_told_in_passing(qtbot: QtBot, jobs: Jobs) -> None:
    _, told = run(qtbot, jobs, Text("So"), Notice("server_changed", "Another is asked."))
    assert [one for one in told if isinstance(one, Note)] == [Note("Another is asked.")]


def test_other_notices_stay_warnings(qtbot: QtBot, jobs: Jobs) -> None:
    _, told = run(qtbot, jobs, Notice("turns_cut", "The oldest messages were left out."))
    assert [one for one in told if isinstance(one, Note)] == [
        Note("The oldest messages were left out.", "warning")
    ]
