"""Whatever a person types is searched for; nothing a person types is syntax."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Conversations, SearchHit
from lockhouse.storage.database import Database

SAID = (
    "The Rhine flows through Basel and Cologne.",
    "Die Straße nach Zürich ist schön.",
    "東京タワーは高い。",
    "C++ and C# are languages; don't mix them. 50% off_now",
    "Party 🎉 time",
    "FTS5 knows AND, OR, NOT and NEAR.",
)


@pytest.fixture
def filled(conversations: Conversations) -> Conversations:
    for number, text in enumerate(SAID):
        chat = conversations.create(title=f"Title number {number}")
        conversations.add_user(chat.id, text, parent_id=None)
    return conversations


def found(conversations: Conversations, words: str) -> set[int]:
    """The numbers of the texts that were found."""
    hits = conversations.search(words)
    return {
        SAID.index(conversations.message(hit.message_id).content) for hit in hits if hit.message_id
    }


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("rhine", {0}),
        ("RHINE basel", {0}),
        ("rhine zürich", set()),
        ("col", {0}),  # the last word may be unfinished
        ("col ", set()),  # unless it is finished
        ("col rhine", set()),
        ('"flows through"', {0}),
        ('"through flows"', set()),
        ('"flows thr"', set()),
        ('"flows through', {0}),  # the closing quote is not there yet
        ("zurich", {1}),
        ("schon", {1}),
        ("東京", {2}),
        ("タワー", {2}),
        ("c++", {3}),
        ("col*", {0}),
        ("don't", {3}),
        ("50%", {3}),
        ("off_now", {3}),
        ("🎉", {4}),
        ("AND OR NOT", {5}),
        ("near(", {5}),
        ("flows NOT rhine", set()),
        ("", set()),
        ("   ", set()),
        ("*", set()),
        ('"', set()),
        ('""', set()),
        ("content:rhine", set()),
        ("^rhine", {0}),
        ("rhine*", {0}),
        ("-rhine", {0}),
        ("\x00rhine\x00", {0}),
        ("\udc80rhine", {0}),
    ],
)
def test_words_are_found(filled: Conversations, words: str, numbers: set[int]) -> None:
    assert found(filled, words) == numbers


def test_matched_words_are_marked(filled: Conversations) -> None:
    [hit] = filled.search("rhine col")
    assert hit.snippet == "The \x02Rhine\x03 flows through Basel and \x02Cologne\x03."
    assert (hit.title, hit.role) == ("Title number 0", "user")
    [hit] = filled.search("京タ")
    assert hit.snippet == "東\x02京タ\x03ワーは高い。"


def test_titles_are_found_first(filled: Conversations) -> None:
    chat = filled.create(title="Rhine")
    hits = filled.search("rhine")
    assert [hit.role for hit in hits] == ["title", "user"]
    assert (hits[0].conversation_id, hits[0].message_id) == (chat.id, None)
    assert hits[0].snippet == "\x02Rhine\x03"
    filled.rename(chat.id, "Elbe 🎉")
    assert [hit.role for hit in filled.search("rhine")] == ["user"]
    assert [hit.role for hit in filled.search("elb")] == ["title"]
    assert [hit.role for hit in filled.search("🎉")] == ["title", "user"]


def test_a_long_text_is_shown_around_the_words(conversations: Conversations) -> None:
    chat = conversations.create()
    text = "before " * 500 + "needle 針 " + "after " * 500
    conversations.add_user(chat.id, text, parent_id=None)
    for words, marked in (("needle", "\x02needle\x03"), ("針", "\x02針\x03")):
        [hit] = conversations.search(words)
        assert marked in hit.snippet
        assert len(hit.snippet) < 300
        assert hit.snippet.startswith("…")
        assert hit.snippet.endswith("…")


def test_the_limit_holds(conversations: Conversations) -> None:
    chat = conversations.create(title="word")
    parent: str | None = None
    for _ in range(20):
        parent = conversations.add_user(chat.id, "word", parent_id=parent).id
    for words in ("word", "wor"):
        assert len(conversations.search(words)) == 21
        assert len(conversations.search(words, limit=5)) == 5
        assert len(conversations.search(words, limit=1)) == 1
        assert conversations.search(words, limit=0) == []


def test_an_answer_is_found_once_it_has_ended(conversations: Conversations) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "Question", parent_id=None)
    begun = conversations.begin_answer(chat.id, first.id, target=TargetInfo("t", "local"))
    for text in ("alpha", "alpha beta", "alpha beta gamma"):
        conversations.append_answer(begun.id, content=text, reasoning="")
        assert conversations.search("alpha") == []
    conversations.finish_answer(begun.id, content="beta", reasoning="", status="complete")
    assert conversations.search("alpha") == []
    assert len(conversations.search("beta")) == 1
    # An answer that was taken for dead and went on is indexed as it is in the end.
    conversations.append_answer(begun.id, content="delta", reasoning="")
    conversations.finish_answer(begun.id, content="delta", reasoning="", status="complete")
    assert conversations.search("beta") == []
    assert len(conversations.search("delta")) == 1
    check_index(conversations)


def check_index(conversations: Conversations) -> None:
    """SQLite compares the index with the texts and raises when they differ."""
    with conversations.database.write() as database:
        for index in ("message_words", "title_words"):
            database.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversations]:
    """One filled home for all examples of a property."""
    home = tmp_path_factory.mktemp("searched")
    database = Database(home / "lockhouse.db", backups=home / "backups")
    conversations = Conversations(database)
    chat = conversations.create(title="aAND 東")
    conversations.add_user(chat.id, "AND OR NOT a 東京", parent_id=None)
    yield conversations
    database.close()


@settings(max_examples=150)
@given(words=st.text(max_size=40) | st.text(alphabet='"*()^:-+ aANDORT{}\x00\ud800東', max_size=20))
def test_no_words_are_an_error(searched: Conversations, words: str) -> None:
    hits = searched.search(words)
    assert all(isinstance(hit, SearchHit) for hit in hits)
