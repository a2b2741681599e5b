"""The tree of messages, its versions and branches, and everything kept about a conversation."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from lockhouse.answer.target import TargetInfo
from lockhouse.chat import import_export
from lockhouse.chat.conversations import Conversations, Message, Provenance
from lockhouse.chat.outbox import Unsent
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.core.events import EngineBuild, Failed, Finished, Timing, Usage
from lockhouse.core.messages import Image
from lockhouse.storage.database import Database

TINY = TargetInfo("tiny", "local", title="Tiny", sha256="ab" * 32, context_length=2048)


def answer(conversations: Conversations, parent: Message, text: str) -> Message:
    begun = conversations.begin_answer(parent.conversation_id, parent.id, target=TINY)
    return conversations.finish_answer(begun.id, content=text, reasoning="", status="complete")


def texts(conversations: Conversations, conversation_id: str) -> list[str]:
    return [message.content for message in conversations.path(conversation_id)]


def test_what_is_kept_about_a_conversation(conversations: Conversations) -> None:
    chat = conversations.create(title="One", target="tiny", system="Be brief.")
    assert conversations.get(chat.id) == chat
    assert (chat.title, chat.target, chat.system, chat.message_count) == (
        "One",
        "tiny",
        "Be brief.",
        0,
    )
    conversations.rename(chat.id, "  Two\n words ")
    conversations.set_pinned(chat.id, pinned=True)
    conversations.set_target(chat.id, "other")
    conversations.set_system(chat.id, "Be long.")
    conversations.set_label(chat.id, "internal")
    conversations.set_parameters(chat.id, {"temperature": 0.5, "stop": ["a"]})
    conversations.save_draft(chat.id, "not yet\n")
    kept = conversations.get(chat.id)
    assert (kept.title, kept.pinned, kept.target, kept.system) == (
        "Two words",
        True,
        "other",
        "Be long.",
    )
    assert (kept.label, kept.parameters, kept.draft) == (
        "internal",
        {"temperature": 0.5, "stop": ["a"]},
        "not yet\n",
    )
    assert kept.updated_at == chat.updated_at


def test_a_conversation_is_found_by_the_beginning_of_its_id(conversations: Conversations) -> None:
    one, two = conversations.create(), conversations.create()
    unique = next(n for n in range(1, 19) if one.id[:n] != two.id[:n])
    assert conversations.get(one.id[:unique]).id == one.id
    with pytest.raises(NotFound, match="Several"):
        conversations.get(one.id[: unique - 1])
    for nothing in ("zzz", "", "%", "0' OR 1=1", "\udc80"):
        with pytest.raises(NotFound):
            conversations.get(nothing)


def test_the_list_has_pinned_ones_first_and_the_newest_first(conversations: Conversations) -> None:
    a, b, c = (conversations.create(title=title) for title in "abc")
    conversations.set_pinned(a.id, pinned=True)
    conversations.add_user(b.id, "Hello", parent_id=None)
    assert [chat.title for chat in conversations.list()] == ["a", "b", "c"]
    conversations.set_pinned(a.id, pinned=False)
    assert [chat.title for chat in conversations.list()] == ["b", "c", "a"]
    assert c.id == conversations.list()[1].id


def test_folders_hold_conversations_but_do_not_own_them(conversations: Conversations) -> None:
    work, art = conversations.create_folder(" Work "), conversations.create_folder("art")
    assert [folder.name for folder in conversations.folders()] == ["art", "Work"]
    chat = conversations.create(folder_id=work.id)
    loose = conversations.create()
    assert [c.id for c in conversations.list(folder_id=work.id)] == [chat.id]
    assert [c.id for c in conversations.list(folder_id=None)] == [loose.id]
    conversations.set_folder(chat.id, art.id)
    assert conversations.list(folder_id=work.id) == []
    conversations.rename_folder(art.id, "Arts")
    conversations.delete_folder(art.id)
    assert conversations.get(chat.id).folder_id is None
    with pytest.raises(NotFound):
        conversations.set_folder(chat.id, art.id)
    with pytest.raises(NotFound):
        conversations.create(folder_id=art.id)
    with pytest.raises(UsageMistake):
        conversations.create_folder(" ")


def test_an_edit_is_a_version_and_the_original_stays(conversations: Conversations) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "First", parent_id=None)
    reply = answer(conversations, first, "Reply")
    more = conversations.add_user(chat.id, "More", parent_id=reply.id)
    edited = conversations.edit(first.id, "Edited")
    assert (edited.version_index, edited.version_count) == (1, 2)
    assert texts(conversations, chat.id) == ["Edited"]
    back = conversations.select_version(edited.id, -1)
    assert (back.id, back.version_index) == (first.id, 0)
    assert texts(conversations, chat.id) == ["First", "Reply", "More"]
    better = conversations.edit(reply.id, "Better reply")
    assert better.role == "assistant"
    assert texts(conversations, chat.id) == ["First", "Better reply"]
    conversations.select_version(better.id, -5)
    assert conversations.get(chat.id).active_leaf_id == more.id
    conversations.select_version(reply.id, 99)
    assert conversations.get(chat.id).active_leaf_id == better.id
    assert conversations.get(chat.id).message_count == 5
    assert conversations.path(chat.id, reply.id)[-1].content == "Reply"


def test_an_edited_answer_keeps_the_mark_of_the_very_server_and_words_of_ones_own_have_none(
    conversations: Conversations,
) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "First", parent_id=None)
    office = TargetInfo("office/big", "lan", provider="office", host="a.lan:80")
    begun = conversations.begin_answer(chat.id, first.id, target=office)
    made = Provenance(office, Finished("stop", host="b.lan:80"))  # one of two equal servers
    conversations.finish_answer(
        begun.id, content="Hello", reasoning="", status="complete", provenance=made
    )
    edited = conversations.edit(begun.id, "Hello!")
    assert edited.target is not None
    assert (edited.target.kind, edited.target.host) == ("lan", "b.lan:80")
    assert conversations.edit(edited.id, "Hello there!").target == edited.target
    mark = "*From another machine: office/big at b.lan:80*"
    assert mark in import_export.export(conversations, chat.id, "md")
    silent = conversations.begin_answer(chat.id, first.id, target=office)
    conversations.finish_answer(silent.id, content="", reasoning="", status="failed")
    assert conversations.edit(silent.id, "All by hand").target is None


def test_turning_a_version_leaves_the_chat_where_it_is_in_the_list(
    conversations: Conversations,
) -> None:
    older = conversations.create(title="Older").id
    first = conversations.add_user(older, "One", parent_id=None)
    conversations.edit(first.id, "Two")
    newer = conversations.create(title="Newer").id
    before = conversations.get(older)
    conversations.select_version(first.id, 0)
    after = conversations.get(older)
    assert (after.active_leaf_id, after.updated_at) == (first.id, before.updated_at)
    assert [chat.id for chat in conversations.list()] == [newer, older]


def test_a_branch_is_a_conversation_of_its_own(conversations: Conversations) -> None:
    folder = conversations.create_folder("F")
    chat = conversations.create(title="T", target="tiny", system="S", folder_id=folder.id)
    first = conversations.add_user(chat.id, "First", parent_id=None)
    reply = answer(conversations, first, "Reply")
    conversations.add_user(chat.id, "More", parent_id=reply.id)
    branch = conversations.branch(reply.id)
    assert texts(conversations, branch.id) == ["First", "Reply"]
    assert (branch.title, branch.target, branch.system, branch.folder_id) == (
        "T (2)",
        "tiny",
        "S",
        folder.id,
    )
    copied = conversations.path(branch.id)[-1]
    assert conversations.branch(copied.id).title == "T (3)"
    assert conversations.branch(reply.id).title == "T (4)"
    conversations.delete([chat.id])
    assert conversations.branch(reply.id).title == "T", "nothing else is called so any more"
    conversations.restore([chat.id])
    assert copied.target == TINY
    conversations.add_user(branch.id, "Other", parent_id=copied.id)
    assert texts(conversations, chat.id) == ["First", "Reply", "More"]


def test_deleting_can_be_undone_until_it_is_purged(conversations: Conversations) -> None:
    one, two = conversations.create(title="One"), conversations.create(title="Two")
    first = conversations.add_user(one.id, "secret words", parent_id=None)
    token = conversations.delete([one.id, two.id])
    assert conversations.list() == []
    assert [c.deleted for c in conversations.list(include_deleted=True)] == [True, True]
    assert conversations.search("secret") == []
    for call in (
        lambda: conversations.get(one.id),
        lambda: conversations.rename(one.id, "x"),
        lambda: conversations.add_user(one.id, "x", parent_id=first.id),
        lambda: conversations.delete([one.id]),
    ):
        with pytest.raises(NotFound):
            call()
    conversations.restore(token)
    assert {c.title for c in conversations.list()} == {"One", "Two"}
    assert conversations.search("secret")
    conversations.delete([one.id])
    assert conversations.purge_deleted(timedelta(days=1)) == 0
    assert conversations.purge_deleted(timedelta(0)) == 1
    with pytest.raises(NotFound):
        conversations.restore([one.id])
    with pytest.raises(NotFound):
        conversations.message(first.id)
    assert conversations.database.problems() == []


def test_purged_words_do_not_stay_in_the_file(conversations: Conversations, tmp_path: Path) -> None:
    def somewhere(word: bytes) -> bool:
        return any(word in path.read_bytes() for path in tmp_path.glob("lockhouse.db*"))

    kept = conversations.create(title="Kept")
    conversations.add_user(kept.id, "ordinary words", parent_id=None)
    secret = conversations.create(title="Zqtitle")
    question = conversations.add_user(secret.id, "Zqquestion " * 2000, parent_id=None)
    begun = conversations.begin_answer(secret.id, question.id, target=TINY)
    for length in (1, 800, 3000):
        conversations.append_answer(begun.id, content="Zqpartial " * length, reasoning="Zqthought")
    conversations.finish_answer(begun.id, content="Zqanswer", reasoning="", status="complete")
    words = (b"qtitle", b"qquestion", b"qpartial", b"qthought", b"qanswer")
    assert somewhere(b"qtitle")
    assert somewhere(b"qquestion")
    conversations.delete([secret.id])
    conversations.purge_deleted(timedelta(0))
    assert [word for word in words if somewhere(word)] == []
    assert conversations.search("ordinary")
    assert conversations.database.problems() == []


def test_deleting_several_is_all_or_nothing(conversations: Conversations) -> None:
    chat = conversations.create()
    with pytest.raises(NotFound):
        conversations.delete([chat.id, "nothing"])
    assert conversations.list() != []


def test_a_conversation_of_thousands_can_be_purged(conversations: Conversations) -> None:
    chat = conversations.create()
    parent: str | None = None
    with conversations.database.write():
        for number in range(2500):
            parent = conversations.add_user(chat.id, f"{number}", parent_id=parent).id
    assert len(conversations.path(chat.id)) == 2500
    conversations.delete([chat.id])
    assert conversations.purge_deleted(timedelta(0)) == 1


def test_an_answer_keeps_all_that_produced_it(conversations: Conversations) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "Hi", parent_id=None)
    begun = conversations.begin_answer(chat.id, first.id, target=TINY, prefill="He")
    assert (begun.status, begun.content, begun.target) == ("streaming", "He", TINY)
    conversations.append_answer(begun.id, content="Hel", reasoning="hm")
    kept = conversations.message(begun.id)
    assert (kept.content, kept.reasoning, kept.status) == ("Hel", "hm", "streaming")
    finished = Finished(
        "length",
        usage=Usage(1, 2, 3, 4),
        timing=Timing(total_s=1.5),
        parameters={"seed": 9, "stop": ["x"]},
        engine=EngineBuild(build="b1"),
        template_sha256="ee" * 32,
        model_sha256="ab" * 32,
        threads=2,
        context_length=512,
    )
    done = conversations.finish_answer(
        begun.id,
        content="Hello",
        reasoning="hm.",
        status="complete",
        provenance=Provenance(TINY, finished),
    )
    assert done.provenance == Provenance(TINY, finished)
    failed = conversations.begin_answer(chat.id, first.id, target=TINY)
    error = Failed("x", "It broke.", "Try.", 6, "lines")
    done = conversations.finish_answer(
        failed.id, content="", reasoning="", status="failed", error=error
    )
    assert (done.error, done.provenance, done.version_index) == (error, None, 1)


def test_figures_that_cannot_be_kept_do_not_lose_the_words(conversations: Conversations) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "Hi", parent_id=None)
    begun = conversations.begin_answer(chat.id, first.id, target=TINY)
    broken = Finished("stop", timing=Timing(tokens_per_s=float("inf")))
    conversations.finish_answer(
        begun.id,
        content="Hello",
        reasoning="",
        status="complete",
        provenance=Provenance(TINY, broken),
    )
    assert texts(conversations, chat.id) == ["Hi", "Hello"]


def test_mistakes_are_refused(conversations: Conversations) -> None:
    one, two = conversations.create(), conversations.create()
    first = conversations.add_user(one.id, "Hi", parent_id=None)
    with pytest.raises(InvalidInput):
        conversations.add_user(two.id, "Hi", parent_id=first.id)
    with pytest.raises(NotFound):
        conversations.add_user(one.id, "Hi", parent_id="nothing")
    with pytest.raises(NotFound):
        conversations.add_user("nothing", "Hi", parent_id=None)
    with pytest.raises(NotFound):
        conversations.path(two.id, first.id)
    with pytest.raises(NotFound):
        conversations.append_answer("nothing", content="", reasoning="")
    with pytest.raises(NotFound):
        conversations.finish_answer("nothing", content="", reasoning="", status="cut")
    begun = conversations.begin_answer(one.id, first.id, target=TINY)
    with pytest.raises(UsageMistake):
        conversations.edit(begun.id, "x")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("nul\x00 in it", "nul\x00 in it"),
        ("\ud83d\ude00 joined", "😀 joined"),
        ("lone \udc80 half", "lone \ufffd half"),
        ("x" * 1_000_000, "x" * 1_000_000),
        ("'; DROP TABLE messages; --", "'; DROP TABLE messages; --"),
    ],
    ids=["nul", "joined", "lone", "long", "sql"],
)
def test_any_text_can_be_kept(conversations: Conversations, text: str, kept: str) -> None:
    chat = conversations.create(title=text, system=text)
    conversations.save_draft(chat.id, text)
    first = conversations.add_user(chat.id, text, parent_id=None)
    begun = conversations.begin_answer(chat.id, first.id, target=TINY)
    conversations.append_answer(begun.id, content=text, reasoning=text)
    done = conversations.finish_answer(begun.id, content=text, reasoning=text, status="complete")
    assert {first.content, done.content, done.reasoning} == {kept}
    chat = conversations.get(chat.id)
    assert {chat.title, chat.system, chat.draft} == {kept}
    conversations.search(text)


def test_recovery_leaves_answers_of_living_processes_alone(conversations: Conversations) -> None:
    chat = conversations.create()
    first = conversations.add_user(chat.id, "Hi", parent_id=None)
    alive = conversations.begin_answer(chat.id, first.id, target=TINY)
    orphan = conversations.begin_answer(chat.id, first.id, target=TINY)
    reused = conversations.begin_answer(chat.id, first.id, target=TINY)
    conversations.append_answer(orphan.id, content="Half an orphan", reasoning="")
    with conversations.database.write() as database:
        # No process has this number; and one has, but was started at another time.
        database.execute("UPDATE messages SET writer_pid = 4194305 WHERE id = ?", [orphan.id])
        database.execute("UPDATE messages SET writer_started = 1000.0 WHERE id = ?", [reused.id])
    assert conversations.search("orphan") == []
    assert {message.id for message in conversations.recover()} == {orphan.id, reused.id}
    assert conversations.message(alive.id).status == "streaming"
    assert conversations.message(orphan.id).status == "cut"
    assert conversations.search("orphan")
    assert conversations.recover() == []


def test_another_processs_writes_are_noticed(conversations: Conversations, tmp_path: Path) -> None:
    stamp = conversations.data_version()
    conversations.create()
    assert not conversations.changed_since(stamp)
    other = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    Conversations(other).create(title="Theirs")
    assert conversations.changed_since(stamp)
    assert not conversations.changed_since(conversations.data_version())
    other.close()


class Tree(RuleBasedStateMachine):
    """Random walks through a conversation, compared with a plain model of it."""

    messages = Bundle("messages")

    @initialize(target=messages, text=st.text(max_size=8))
    def begin(self, text: str) -> str:
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        self.database = Database(home / "lockhouse.db", backups=home / "backups")
        self.conversations = Conversations(self.database)
        self.chat = self.conversations.create()
        self.model: dict[str, tuple[str | None, str, str]] = {}
        self.leaf = ""
        return self.added(self.conversations.add_user(self.chat.id, text, parent_id=None))

    def added(self, message: Message) -> str:
        self.model[message.id] = (message.parent_id, message.role, message.content)
        self.leaf = message.id
        return message.id

    def versions(self, key: str) -> list[str]:
        parent, role, _ = self.model[key]
        return [k for k, (p, r, _) in self.model.items() if (p, r) == (parent, role)]

    @rule(target=messages, parent=st.none() | messages, text=st.text(max_size=8))
    def ask(self, parent: str | None, text: str) -> str:
        return self.added(self.conversations.add_user(self.chat.id, text, parent_id=parent))

    @rule(target=messages, parent=messages, text=st.text(max_size=8))
    def answer(self, parent: str, text: str) -> str:
        begun = self.conversations.begin_answer(self.chat.id, parent, target=TINY)
        self.conversations.append_answer(begun.id, content=text[:3], reasoning="")
        done = self.conversations.finish_answer(
            begun.id, content=text, reasoning="", status="complete"
        )
        return self.added(done)

    @rule(target=messages, message=messages, text=st.text(max_size=8))
    def edit(self, message: str, text: str) -> str:
        return self.added(self.conversations.edit(message, text))

    @rule(message=messages, offset=st.integers(-2, 2))
    def select(self, message: str, offset: int) -> None:
        versions = self.versions(message)
        place = min(max(versions.index(message) + offset, 0), len(versions) - 1)
        assert self.conversations.select_version(message, offset).id == versions[place]
        below = [versions[place]]
        for key, (parent, _, _) in self.model.items():  # in the order they were written
            if parent in below:
                below.append(key)
        self.leaf = below[-1]

    @rule(message=messages)
    def branch(self, message: str) -> None:
        branch = self.conversations.branch(message)
        old = self.conversations.path(self.chat.id, message)
        new = self.conversations.path(branch.id)
        assert [(m.role, m.content) for m in new] == [(m.role, m.content) for m in old]
        self.conversations.delete([branch.id])

    @invariant()
    def nothing_is_lost_and_everything_is_in_its_place(self) -> None:
        if not hasattr(self, "conversations"):
            return
        kept = self.conversations.messages(self.chat.id)
        assert {m.id: (m.parent_id, m.role, m.content) for m in kept} == self.model
        for message in kept:
            versions = self.versions(message.id)
            assert versions[message.version_index] == message.id
            assert message.version_count == len(versions)
        path = self.conversations.path(self.chat.id)
        assert path[-1].id == self.leaf == self.conversations.get(self.chat.id).active_leaf_id
        assert [m.parent_id for m in path] == [None, *(m.id for m in path[:-1])]

    def teardown(self) -> None:
        if hasattr(self, "database"):
            assert self.database.problems() == []
            self.database.close()
            self.folder.cleanup()


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=25, stateful_step_count=20, deadline=None, database=None)


def test_messages_that_waited_in_a_program_that_is_gone_are_given_back(
    conversations: Conversations,
) -> None:
    chat, other = conversations.create(), conversations.create()
    picture = Image("image/png", b"\x89PNG\r\n\x1a\n some pixels", "sky.png")
    conversations.save_draft(chat.id, "half a thought")
    waiting = [Unsent("And then?"), Unsent("And that?", (picture,))]
    conversations.keep_waiting(chat.id, waiting)
    conversations.keep_waiting(other.id, [Unsent("Asked meanwhile")])
    conversations.keep_waiting(other.id, [])
    conversations.recover()  # of a program that lives, nothing is taken
    assert conversations.get(chat.id).draft == "half a thought"
    with conversations.database.write() as database:
        database.execute("UPDATE waiting_messages SET writer_started = 1.0")
    conversations.delete([chat.id])
    conversations.recover()
    conversations.restore([chat.id])
    assert conversations.get(chat.id).draft == "half a thought"
    for _ in range(2):
        conversations.recover()
        assert conversations.get(chat.id).draft == "half a thought\n\nAnd then?\n\nAnd that?"
        assert conversations.draft_pictures(chat.id) == (picture,)
    assert conversations.get(other.id).draft == ""
