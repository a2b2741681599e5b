"""A turn keeps what was asked and what came, however it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lockhouse.answer.request import Question
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.titles import title_from
from lockhouse.chat.turns import TurnStarted
from lockhouse.chat.values import Message
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import EngineCrashed, NotFound, StorageError, UsageMistake
from lockhouse.core.events import Event, Failed, Finished, Notice, PromptProgress, Reasoning, Text
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from tests.chat.targets import Scripted, saying, turns_with

PARIS: tuple[Event, ...] = (
    PromptProgress(5, 5),
    Reasoning("The user asks "),
    Reasoning("about France."),
    Text("Pa"),
    Text("ris."),
    Finished("stop", parameters={"seed": 7}, model_sha256="ab" * 32, threads=2),
)


def test_a_question_is_answered_and_kept(conversations: Conversations) -> None:
    target = Scripted("tiny", saying(*PARIS))
    chat = conversations.create(system="Be brief.")
    turns = turns_with(conversations, target)
    events = list(
        turns.ask(
            chat.id,
            Question("What is the capital of France?"),
            cancel=CancelToken(),
        )
    )
    started = events[0]
    assert isinstance(started, TurnStarted)
    assert started.user is not None
    assert started.answer.status == "streaming"
    assert tuple(events[1:]) == PARIS
    assert target.asked[0].turns == (
        Turn("system", "Be brief."),
        Turn("user", "What is the capital of France?"),
    )
    question, answer = conversations.path(chat.id)
    assert question.id == started.user.id
    assert (answer.id, answer.content) == (started.answer.id, "Paris.")
    assert answer.reasoning == "The user asks about France."
    assert answer.status == "complete"
    assert answer.provenance is not None
    assert answer.provenance.finished == PARIS[-1]
    assert answer.provenance.target == target.info
    assert conversations.get(chat.id).title == "What is the capital of France?"


def test_nothing_is_written_before_the_first_event_is_taken(conversations: Conversations) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    turns.ask(chat.id, Question("Hello"), cancel=CancelToken())
    assert conversations.messages(chat.id) == []


def test_earlier_turns_are_sent_without_their_reasoning(conversations: Conversations) -> None:
    target = Scripted("tiny", saying(*PARIS))
    turns = turns_with(conversations, target)
    chat = conversations.create()
    for text in ("First", "Second"):
        list(turns.ask(chat.id, Question(text), cancel=CancelToken()))
    assert target.asked[1].turns == (
        Turn("user", "First"),
        Turn("assistant", "Paris."),
        Turn("user", "Second"),
    )


def test_a_reader_that_leaves_cancels_and_keeps_what_came(conversations: Conversations) -> None:
    closed = threading.Event()

    def script(_request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        try:
            yield Text("One ")
            yield Text("two ")
            assert cancel.cancelled
            yield Text("three")
            yield Finished("cancelled", parameters={"seed": 3})
        finally:
            closed.set()

    turns = turns_with(conversations, Scripted("tiny", script))
    chat = conversations.create()
    cancel = CancelToken()
    events = turns.ask(chat.id, Question("Count"), cancel=cancel)
    for _ in range(3):
        next(events)
    events.close()  # type: ignore[attr-defined] # it is a generator
    assert cancel.cancelled
    assert closed.is_set()
    answer = conversations.path(chat.id)[-1]
    assert (answer.content, answer.status) == ("One two three", "cancelled")
    assert answer.provenance is not None
    assert answer.provenance.finished.parameters == {"seed": 3}


def test_a_reader_that_leaves_at_once_leaves_a_cancelled_answer(
    conversations: Conversations,
) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    events = turns.ask(chat.id, Question("Count"), cancel=CancelToken())
    next(events)
    del events
    assert [m.status for m in conversations.path(chat.id)] == ["complete", "cancelled"]


def test_cancelling_keeps_what_came(conversations: Conversations) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    cancel = CancelToken()
    events = []
    for event in turns.ask(chat.id, Question("Go"), cancel=cancel):
        events.append(event)
        if event == Text("Pa"):
            cancel.cancel()
    assert isinstance(events[-1], Finished)
    answer = conversations.path(chat.id)[-1]
    assert (answer.content, answer.status) == ("Pa", "cancelled")


def test_a_failure_keeps_what_came_and_why_it_ended(conversations: Conversations) -> None:
    failed = Failed("engine_crashed", "The engine ended.", "Try again.", 6, "last line")
    turns = turns_with(conversations, Scripted("tiny", saying(Text("Half an "), failed)))
    chat = conversations.create()
    events = list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    assert events[-1] == failed
    answer = conversations.path(chat.id)[-1]
    assert (answer.content, answer.status, answer.error) == ("Half an ", "failed", failed)
    assert answer.target is not None


def test_an_error_that_is_raised_becomes_a_failure(conversations: Conversations) -> None:
    def script(_request: AnswerRequest, _cancel: CancelToken) -> Iterator[Event]:
        yield Text("Half")
        raise EngineCrashed("The engine was killed.", hint="Try again.")

    turns = turns_with(conversations, Scripted("tiny", script))
    chat = conversations.create()
    events = list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    assert events[-1] == Failed("engine_crashed", "The engine was killed.", "Try again.", 6)
    assert conversations.path(chat.id)[-1].status == "failed"


def test_a_bug_in_a_target_is_not_hidden_and_loses_nothing(conversations: Conversations) -> None:
    def script(_request: AnswerRequest, _cancel: CancelToken) -> Iterator[Event]:
        yield Text("Half")
        raise ZeroDivisionError

    turns = turns_with(conversations, Scripted("tiny", script))
    chat = conversations.create()
    with pytest.raises(ZeroDivisionError):
        list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    answer = conversations.path(chat.id)[-1]
    assert (answer.content, answer.status) == ("Half", "cut")


def test_a_target_that_just_ends_leaves_a_cut_answer(conversations: Conversations) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(Text("Half"))))
    chat = conversations.create()
    list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    assert conversations.path(chat.id)[-1].status == "cut"


class Watched(Conversations):
    """Tells when text was kept."""

    def __init__(self, conversations: Conversations) -> None:
        super().__init__(conversations.database)
        self.kept: list[str] = []
        self.was_kept = threading.Event()

    def append_answer(self, message_id: str, *, content: str, reasoning: str) -> None:
        super().append_answer(message_id, content=content, reasoning=reasoning)
        self.kept.append(content)
        self.was_kept.set()


def test_text_is_kept_while_the_target_stalls(conversations: Conversations) -> None:
    watched = Watched(conversations)

    def script(_request: AnswerRequest, _cancel: CancelToken) -> Iterator[Event]:
        yield Text("Already ")
        yield Text("said")
        while conversations.path(chat.id)[-1].content != "Already said":
            assert watched.was_kept.wait(60)
            watched.was_kept.clear()
        yield Finished("stop")

    turns = turns_with(watched, Scripted("tiny", script))
    chat = conversations.create()
    list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    assert conversations.path(chat.id)[-1].status == "complete"


def test_text_is_kept_while_the_reader_is_slow(conversations: Conversations) -> None:
    watched = Watched(conversations)
    turns = turns_with(watched, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    for event in turns.ask(chat.id, Question("Go"), cancel=CancelToken()):
        if event == Text("ris."):
            while conversations.path(chat.id)[-1].content != "Paris.":
                assert watched.was_kept.wait(60)
                watched.was_kept.clear()
    assert conversations.path(chat.id)[-1].status == "complete"


def test_many_pieces_are_few_writes(conversations: Conversations) -> None:
    watched = Watched(conversations)
    pieces = [Text(f"{number} ") for number in range(2000)]
    target = Scripted("tiny", saying(*pieces, Finished("stop")))
    turns = turns_with(watched, target, interval_s=3600)
    chat = conversations.create()
    list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    assert len(watched.kept) <= 1
    assert conversations.path(chat.id)[-1].content == "".join(piece.text for piece in pieces)


def test_a_full_disk_ends_the_answer_and_is_told(conversations: Conversations) -> None:
    watched = Watched(conversations)

    def script(_request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        yield Text("x")
        assert watched.was_kept.wait(60)
        with conversations.database.write() as database:
            pages = database.execute("PRAGMA page_count").fetchone()[0]
            database.execute(f"PRAGMA max_page_count = {pages}")
        while not cancel.cancelled:
            yield Text("many more words " * 1000)

    turns = turns_with(watched, Scripted("tiny", script))
    chat = conversations.create()
    with pytest.raises(StorageError) as told:
        list(turns.ask(chat.id, Question("Go"), cancel=CancelToken()))
    assert told.value.code == "disk_full"
    assert conversations.path(chat.id)[-1].content.startswith("x")
    assert conversations.database.problems() == []


def test_regenerating_is_another_version(conversations: Conversations) -> None:
    first = Scripted("first", saying(Text("One"), Finished("stop")))
    second = Scripted(
        "second", saying(Text("Two"), Notice("turns_cut", "Cut."), Finished("length"))
    )
    turns = turns_with(conversations, first, second)
    chat = conversations.create(target="first")
    list(turns.ask(chat.id, Question("Say"), cancel=CancelToken()))
    old = conversations.path(chat.id)[-1]
    events = list(turns.ask(chat.id, Question(again=old.id), target="second", cancel=CancelToken()))
    assert isinstance(events[0], TurnStarted)
    assert events[0].user is None
    new = conversations.path(chat.id)[-1]
    assert (new.content, new.version_index, new.version_count) == ("Two", 1, 2)
    assert second.asked[0].turns == (Turn("user", "Say"),)
    assert conversations.select_version(new.id, -1).content == "One"


def test_a_question_can_be_answered_again(conversations: Conversations) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    question = conversations.add_user(chat.id, "Say", parent_id=None)
    list(turns.ask(chat.id, Question(again=question.id), target="", cancel=CancelToken()))
    assert [m.content for m in conversations.path(chat.id)] == ["Say", "Paris."]


def test_continuing_goes_on_from_the_words_that_are_there(conversations: Conversations) -> None:
    target = Scripted("tiny", saying(Reasoning("Hm."), Text("One, two"), Finished("length")))
    turns = turns_with(conversations, target)
    chat = conversations.create()
    list(turns.ask(chat.id, Question("Count"), cancel=CancelToken()))
    old = conversations.path(chat.id)[-1]
    more = Scripted("more", saying(Text(", three"), Finished("stop")))
    events = list(turns.ask(chat.id, Question(continues=old.id), target=more, cancel=CancelToken()))
    assert more.asked[0].prefill == "One, two"
    assert isinstance(events[0], TurnStarted)
    assert events[0].answer.content == "One, two"
    new = conversations.path(chat.id)[-1]
    assert (new.content, new.reasoning, new.version_count) == ("One, two, three", "Hm.", 2)
    assert conversations.message(old.id).content == "One, two"


def test_an_answer_that_goes_on_from_an_edited_one_stays_marked_as_edited(
    conversations: Conversations,
) -> None:
    target = Scripted("tiny", saying(Text(" so on."), Finished("stop")))
    turns = turns_with(conversations, target)
    chat = conversations.create()

    def asked(question: Question) -> Message:
        list(turns.ask(chat.id, question, cancel=CancelToken()))
        return conversations.path(chat.id)[-1]

    edited = conversations.edit(asked(Question("Hi")).id, "No, and")
    assert edited.is_edited
    on = asked(Question(continues=edited.id))
    assert (on.content, on.begins_edited, on.is_edited) == ("No, and so on.", True, False)
    assert asked(Question(continues=on.id)).begins_edited  # once more
    assert not asked(Question(again=on.id)).begins_edited  # all its own


def test_a_failed_answer_leaves_no_gap_in_the_prompt(conversations: Conversations) -> None:
    target = Scripted("tiny", saying(Failed("no_room", "No room.")))
    turns = turns_with(conversations, target)
    chat = conversations.create()
    for text in ("First", "Second"):
        list(turns.ask(chat.id, Question(text), cancel=CancelToken()))
    assert target.asked[1].turns == (Turn("user", "First\n\nSecond"),)


def test_a_first_message_can_have_versions(conversations: Conversations) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    for text in ("One", "Other"):
        list(turns.ask(chat.id, Question(text, parent_id=None), cancel=CancelToken()))
    assert [m.content for m in conversations.path(chat.id)] == ["Other", "Paris."]
    assert conversations.path(chat.id)[0].version_count == 2


def test_an_unknown_target_or_an_empty_question_writes_nothing(
    conversations: Conversations,
) -> None:
    turns = turns_with(conversations, Scripted("tiny", saying(*PARIS)))
    chat = conversations.create()
    with pytest.raises(NotFound):
        list(turns.ask(chat.id, Question("Hi"), target="none", cancel=CancelToken()))
    with pytest.raises(UsageMistake):
        list(turns.ask(chat.id, Question(" \n"), cancel=CancelToken()))
    assert conversations.messages(chat.id) == []


def test_halves_of_characters_are_joined(conversations: Conversations) -> None:
    turns = turns_with(
        conversations,
        Scripted("tiny", saying(Text("\ud83d"), Text("\ude00\udc80"), Finished("stop"))),
    )
    chat = conversations.create()
    list(turns.ask(chat.id, Question("Smile \udcff"), cancel=CancelToken()))
    assert [m.content for m in conversations.path(chat.id)] == ["Smile \ufffd", "😀\ufffd"]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What is it?", "What is it?"),
        ("\n\n  ## A **bold**   heading\nmore", "A bold heading"),
        ("- [ ] 1. buy milk", "[ ] 1. buy milk"),
        ("-5 + 3?", "-5 + 3?"),
        ("def __init__(self)?", "def __init__(self)?"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("word " * 40, "word " * 10 + "word…"),
        ("x" * 100, "x" * 59 + "…"),
        ("東京" * 60, "東京" * 29 + "東…"),
        ("???", "???"),
    ],
)
def test_titles_are_short_and_plain(question: str, title: str) -> None:
    assert title_from(question) == title
