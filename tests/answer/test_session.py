"""One question to one target or several: fallback, all at once, cancelled as one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

from lockhouse.answer.permission import Permissions
from lockhouse.answer.request import Question
from lockhouse.answer.session import AnsweredBy, Answers, Session
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.turns import Turns
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event, Failed, Finished, Notice, Text
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms
from lockhouse.storage.database import Database
from tests.chat.targets import Directory, Scripted, saying

ASKED = AnswerRequest((Turn("user", "Hello"),))
CRASH = Failed("engine_crashed", "The engine ended.", exit_code=6)


def session(
    *targets: Scripted, fallback: tuple[Scripted, ...] = (), cancel: CancelToken | None = None
) -> Session:
    unused = SimpleNamespace()
    permissions = Permissions(unused, lambda: unused, lambda: unused)  # type: ignore[arg-type]
    return Answers(Directory(*targets), permissions, AnswerForms()).open(
        Question("Hello"),
        targets,
        lambda _: ASKED,
        cancel=cancel or CancelToken(),
        fallback=fallback,
    )


def test_another_target_answers_where_the_first_fails_without_a_word() -> None:
    broken = Scripted("first", saying(CRASH))
    second = Scripted("second", saying(Text("Hi."), Finished("stop")))
    events = [*session(broken, fallback=(second,)).answer(message_id="m1")]
    assert [type(event) for event in events] == [Notice, AnsweredBy, Text, Finished]
    assert isinstance(events[1], AnsweredBy)
    assert events[1].target.name == "second"
    assert second.asked[0].message_id == "m1"


def test_half_an_answer_is_not_replaced_by_another_one() -> None:
    broken = Scripted("first", saying(Text("Half"), CRASH))
    second = Scripted("second", saying(Text("Hi."), Finished("stop")))
    events = [*session(broken, fallback=(second,)).answer()]
    assert events == [Text("Half"), CRASH]
    assert not second.asked


def test_the_last_failure_is_told() -> None:
    first, second = Scripted("first", saying(CRASH)), Scripted("second", saying(CRASH))
    assert [*session(first, fallback=(second,)).answer()][-1] == CRASH


def test_who_answered_instead_is_kept_with_the_answer(database: Database) -> None:
    conversations = Conversations(database)
    broken = Scripted("first", saying(CRASH))
    second = Scripted("second", saying(Text("Hi."), Finished("stop")))

    class WithFallback:
        def open(self, *_: object, cancel: CancelToken, **__: object) -> Session:
            return session(broken, fallback=(second,), cancel=cancel)

    from lockhouse.storage.settings import Settings

    turns = Turns(conversations, WithFallback(), Settings)  # type: ignore[arg-type]
    chat = conversations.create()
    assert [*turns.ask(chat.id, Question("Hello"), target=broken, cancel=CancelToken())]
    answer = conversations.path(chat.id)[-1]
    assert (answer.status, answer.content) == ("complete", "Hi.")
    assert answer.provenance is not None
    assert answer.provenance.target.name == "second"


def test_several_answer_at_the_same_time() -> None:
    """Each waits for the other's first word: one after the other they would never end."""
    both = threading.Barrier(2)

    def meeting(_request: AnswerRequest, _cancel: CancelToken) -> Iterator[Event]:
        both.wait(30)
        yield Text("Hi.")
        yield Finished("stop")

    asked = session(Scripted("first", meeting), Scripted("second", meeting))
    ends = [place for place, event in asked.answers() if isinstance(event, Finished)]
    assert sorted(ends) == [0, 1]


def test_all_are_cancelled_as_one() -> None:
    def endless(_request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        while not cancel.cancelled:
            yield Text("on ")
        yield Finished("cancelled")

    cancel = CancelToken()
    asked = session(Scripted("first", endless), Scripted("second", endless), cancel=cancel)
    ends = []
    for place, event in asked.answers():
        if isinstance(event, Text):
            cancel.cancel()
        elif isinstance(event, Finished):
            ends.append((place, event.finish_reason))
    assert sorted(ends) == [(0, "cancelled"), (1, "cancelled")]


def test_leaving_a_comparison_cancels_it() -> None:
    def endless(_request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        while not cancel.cancelled:
            yield Text("on ")

    cancel = CancelToken()
    answers = session(Scripted("first", endless), Scripted("second", endless), cancel=cancel)
    reading = answers.answers()
    next(reading)
    reading.close()  # type: ignore[attr-defined] # it is a generator
    assert cancel.cancelled
