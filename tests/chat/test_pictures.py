"""Pictures stay with their messages: kept once, sent, copied, carried in files, and erased."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from lockhouse.answer.request import Question
from lockhouse.answer.target import suited
from lockhouse.chat import import_export
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.image_store import MOST_PICTURES, picture_of
from lockhouse.chat.turns import NewChat, TurnStarted
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.core.events import Event, Failed, Finished, StartOver, Text
from lockhouse.core.messages import Image, ToolCall, Turn
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.sent_requests import Sent
from lockhouse.storage.database import Database
from tests.chat.targets import Scripted, saying, turns_with

PNG = b"\x89PNG\r\n\x1a\n" + b"some pixels, quite recognizable" * 4
SKY = Image("image/png", PNG, "sky.png")
JPEG = Image("image/jpeg", b"\xff\xd8\xff\xe0 other pixels", "sea.jpg")


def ask(
    conversations: Conversations, chat: str, text: str, *events: Event, **more: object
) -> tuple[Scripted, list[object]]:
    target = Scripted("tiny", saying(*(events or (Text("Yes."), Finished("stop")))))
    turns = turns_with(conversations, target)
    told = [*turns.ask(chat, Question(text, **more), cancel=CancelToken())]  # type: ignore[arg-type]
    return target, told


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (JPEG.data, "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_pictures_are_known_by_their_bytes(data: bytes, media_type: str) -> None:
    assert picture_of(data, "folder/sky.any") == Image(media_type, data, "sky.any")


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"%PDF", b"xxxxxxxxWEBP"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="is no picture"):
        picture_of(data, "notes.svg")


def test_a_picture_is_asked_with_and_kept(conversations: Conversations) -> None:
    chat = conversations.create()
    target, _ = ask(conversations, chat.id, "What is this?", images=(SKY, JPEG))
    assert target.asked[0].turns == (Turn("user", "What is this?", images=(SKY, JPEG)),)
    question = conversations.path(chat.id)[0]
    assert [(one.name, one.size_bytes) for one in question.pictures] == [
        ("sky.png", len(PNG)),
        ("sea.jpg", len(JPEG.data)),
    ]
    assert conversations.images(question.id) == (SKY, JPEG)
    assert conversations.picture(question.pictures[0].sha256).data == PNG


def test_a_picture_alone_is_a_question_and_names_the_conversation(
    conversations: Conversations,
) -> None:
    chat = conversations.create()
    target, _ = ask(conversations, chat.id, "", images=(SKY,))
    assert target.asked[0].turns[0].images == (SKY,)
    assert conversations.get(chat.id).title == "sky.png"
    with pytest.raises(UsageMistake):
        ask(conversations, chat.id, " ")


def test_later_questions_carry_earlier_pictures(conversations: Conversations) -> None:
    chat = conversations.create()
    ask(conversations, chat.id, "What is this?", images=(SKY,))
    target, _ = ask(conversations, chat.id, "And now?")
    assert [turn.images for turn in target.asked[0].turns] == [(SKY,), (), ()]


def test_a_picture_that_nobody_could_look_at_stops_no_later_question(
    conversations: Conversations,
) -> None:
    chat = conversations.create()
    blind = Failed("no_vision", "tiny cannot look at pictures.", exit_code=3)
    ask(conversations, chat.id, "What is this?", blind, images=(SKY,))
    ask(conversations, chat.id, "Or this?", blind, images=(JPEG,))
    target, _ = ask(conversations, chat.id, "Never mind. How are you?", blind)
    request, notice = suited(target.asked[0], "tiny", ("chat",))
    assert [turn.images for turn in request.turns] == [()]
    assert notice is not None
    assert notice.code == "pictures_left_out"
    target, _ = ask(conversations, chat.id, "But this?", images=(SKY,))
    assert target.asked[0].turns[0].images == (SKY, JPEG, SKY)
    with pytest.raises(InvalidInput, match="cannot look at pictures"):
        suited(target.asked[0], "tiny", ("chat",))


def test_too_many_pictures_write_nothing(conversations: Conversations) -> None:
    chat = conversations.create()
    with pytest.raises(InvalidInput):
        ask(conversations, chat.id, "Many", images=(SKY,) * (MOST_PICTURES + 1))
    assert conversations.path(chat.id) == []


def test_edits_and_branches_keep_the_pictures(conversations: Conversations) -> None:
    chat = conversations.create()
    ask(conversations, chat.id, "What is this?", images=(SKY,))
    question, answer = conversations.path(chat.id)
    assert conversations.images(conversations.edit(question.id, "And this?").id) == (SKY,)
    branch = conversations.branch(answer.id)
    assert conversations.images(conversations.path(branch.id)[0].id) == (SKY,)


def test_json_carries_pictures_and_calls_out_and_in_again(
    conversations: Conversations, tmp_path: Path
) -> None:
    chat = conversations.create()
    call = ToolCall("c1", "look", "{}")
    ask(conversations, chat.id, "Look", call, Finished("stop"), images=(SKY,))
    file = tmp_path / "chat.json"
    file.write_text(import_export.export(conversations, chat.id, "json"))
    database = Database(tmp_path / "else" / "lockhouse.db", backups=tmp_path / "else" / "backups")
    elsewhere = Conversations(database)
    assert import_export.import_file(elsewhere, file).skipped == []
    (brought,) = elsewhere.list()
    question, answer = elsewhere.path(brought.id)
    assert elsewhere.images(question.id) == (SKY,)
    assert answer.tool_calls == (call,)
    database.close()


def test_pictures_of_open_webui_come_in_and_other_files_are_counted(
    conversations: Conversations, tmp_path: Path
) -> None:
    chat = conversations.create()
    ask(conversations, chat.id, "Look", images=(SKY,))
    exported = json.loads(import_export.export(conversations, chat.id, "json"))
    foreign = exported[0]
    del foreign["lockhouse"]
    foreign["id"] = "another"
    for message in foreign["chat"]["history"]["messages"].values():
        del message["lockhouse"]
        if "files" in message:
            message["files"] += [
                {"type": "file", "url": "report.pdf"},
                {"type": "image", "url": "https://elsewhere.example/x.png"},
                {"type": "image", "url": "data:image/png;base64,####"},
            ]
    file = tmp_path / "webui.json"
    file.write_text(json.dumps(exported))
    report = import_export.import_file(conversations, file)
    assert report.skipped == ["3 images and other attachments cannot be imported."]
    brought = next(one for one in conversations.list() if one.id != chat.id)
    assert conversations.images(conversations.path(brought.id)[0].id) == (SKY,)


def test_pages_show_pictures_and_text_names_them(conversations: Conversations) -> None:
    chat = conversations.create()
    ask(conversations, chat.id, "Look", images=(Image("image/png", PNG, '"><script>.png'),))
    page = import_export.export(conversations, chat.id, "html")
    assert "src='data:image/png;base64," in page
    assert "<script>" not in page
    assert "*Picture: " in import_export.export(conversations, chat.id, "md")


def test_what_is_removed_for_good_leaves_no_pixel_and_no_sent_body(
    conversations: Conversations, database: Database
) -> None:
    sent, kept_chat, chat = Sent(database), conversations.create(), conversations.create()
    ask(conversations, kept_chat.id, "Keep", images=(JPEG,))
    ask(conversations, chat.id, "Remove", images=(SKY,))
    question, answer = conversations.path(chat.id)
    body = b'{"messages": "a body that can be recognized"}'
    outbound = Outbound(
        provider="api",
        provider_title="API",
        model="m",
        dialect="openai",
        zone="cloud",
        endpoints=("https://a/v1",),
        path="/x",
        headers=(),
        body=body,
    )
    sent_id = sent.keep(outbound, message_id=answer.id)
    conversations.delete([chat.id])
    assert conversations.purge_deleted(timedelta(days=1)) == 0
    assert sent.get(sent_id).body == body
    assert conversations.purge_deleted(timedelta(0)) == 1
    with pytest.raises(NotFound):
        conversations.picture(question.pictures[0].sha256)
    assert conversations.images(conversations.path(kept_chat.id)[0].id) == (JPEG,)
    assert (sent.get(sent_id).body, sent.get(sent_id).sha256) == (None, outbound.sha256)
    for file in database.path.parent.glob("lockhouse.db*"):
        data = file.read_bytes()
        assert b"quite recognizable" not in data
        assert b"can be recognized" not in data


# --- in what is not sent yet ---------------------------------------------------------------


def test_the_pictures_of_a_draft_are_kept_in_their_order(conversations: Conversations) -> None:
    chat = conversations.create()
    for owner in (chat.id, ""):
        assert conversations.draft_pictures(owner) == ()
        conversations.save_draft_pictures(owner, (SKY, JPEG))
        assert conversations.draft_pictures(owner) == (SKY, JPEG)
        conversations.save_draft_pictures(owner, (JPEG,))
        assert conversations.draft_pictures(owner) == (JPEG,)
    assert conversations.get(chat.id).updated_at == chat.updated_at


def test_what_was_not_sent_comes_after_what_is_kept(conversations: Conversations) -> None:
    chat = conversations.create()
    conversations.save_draft(chat.id, "half a thought")
    conversations.save_draft_pictures(chat.id, (SKY,))
    conversations.add_to_draft(chat.id, "And then?", (SKY, JPEG))
    assert conversations.get(chat.id).draft == "half a thought\n\nAnd then?"
    assert conversations.draft_pictures(chat.id) == (SKY, JPEG)
    conversations.add_to_draft("", "", (JPEG,))
    assert conversations.draft_pictures("") == (JPEG,)


def test_a_chat_that_is_gone_takes_no_pictures(conversations: Conversations) -> None:
    with pytest.raises(NotFound):
        conversations.save_draft_pictures("nobody", (SKY,))
    with pytest.raises(NotFound):
        conversations.add_to_draft("nobody", "", (SKY,))
    assert conversations.draft_pictures("nobody") == ()


def test_a_draft_holds_its_pictures_and_lets_them_go(
    conversations: Conversations, database: Database
) -> None:
    sent, chat = conversations.create(), conversations.create()
    ask(conversations, sent.id, "Keep", images=(JPEG,))
    conversations.save_draft_pictures(chat.id, (SKY, JPEG))
    conversations.save_draft_pictures(chat.id, ())
    kept = conversations.path(sent.id)[0].pictures[0].sha256
    assert _kept_hashes(database) == {kept}
    conversations.save_draft_pictures(chat.id, (SKY,))
    gone = conversations.create()
    conversations.save_draft_pictures(gone.id, (SKY,))
    conversations.delete([gone.id])
    assert conversations.purge_deleted(timedelta(0)) == 1
    assert conversations.draft_pictures(chat.id) == (SKY,)
    conversations.delete([chat.id])
    assert conversations.purge_deleted(timedelta(0)) == 1
    assert _kept_hashes(database) == {kept}


def _kept_hashes(database: Database) -> set[str]:
    return {row[0] for row in database.read().execute("SELECT sha256 FROM pictures")}


# --- alone, and starting over --------------------------------------------------------------


def test_alone_sends_the_message_and_nothing_else(conversations: Conversations) -> None:
    chat = conversations.create(system="A private instruction.")
    ask(conversations, chat.id, "First")
    target, told = ask(conversations, chat.id, "Second", alone=True, task="selection")
    (request,) = target.asked
    assert request.turns == (Turn("user", "Second"),)
    assert request.task == "selection"
    started = told[0]
    assert isinstance(started, TurnStarted)
    assert request.message_id == started.answer.id
    assert [m.content for m in conversations.path(chat.id)] == ["First", "Yes.", "Second", "Yes."]


def test_what_would_be_asked_is_what_is_asked(conversations: Conversations) -> None:
    chat = conversations.create(system="Be brief.")
    ask(conversations, chat.id, "First", images=(SKY,))
    target = Scripted("tiny", saying(Text("Yes."), Finished("stop")))
    turns = turns_with(conversations, target)
    for alone in (False, True):
        question = Question("Next", images=(JPEG,), alone=alone, task="document")
        shown = turns.draft(chat.id, question)
        before = len(conversations.path(chat.id))
        [*turns.ask(chat.id, question, cancel=CancelToken())]
        assert target.asked[-1].turns == shown.turns
        assert target.asked[-1].task == shown.task == "document"
        answer = conversations.path(chat.id)[-1]
        once_more = Question(again=answer.id, alone=alone)
        again = turns.draft(chat.id, once_more)
        [*turns.ask(chat.id, once_more, cancel=CancelToken())]
        assert target.asked[-1].turns == again.turns == shown.turns
        assert len(conversations.path(chat.id)) == before + 2
    new = NewChat(system="Be kind.")
    fresh = turns.draft(new, Question("Hello"))
    assert fresh.turns == (Turn("system", "Be kind."), Turn("user", "Hello"))
    alone_turns = turns.draft(new, Question("Hello", alone=True)).turns
    assert alone_turns == (Turn("user", "Hello"),)


def test_an_answer_that_starts_over_keeps_what_came_last(conversations: Conversations) -> None:
    chat = conversations.create()
    ask(
        conversations, chat.id, "Where?",
        Text("Not "), ToolCall("c1", "look", "{}"), StartOver("it differs"),
        Text("Paris."), Finished("stop"),
    )  # fmt: skip
    answer = conversations.path(chat.id)[-1]
    assert (answer.content, answer.tool_calls) == ("Paris.", ())


def test_continuing_that_starts_over_keeps_the_words_it_began_with(
    conversations: Conversations,
) -> None:
    chat = conversations.create()
    ask(conversations, chat.id, "Where?", Text("In the "), Finished("length"))
    target = Scripted(
        "tiny", saying(Text("nor"), StartOver("it differs"), Text("south."), Finished("stop"))
    )
    turns = turns_with(conversations, target)
    answer = conversations.path(chat.id)[-1]
    [*turns.ask(chat.id, Question(continues=answer.id), cancel=CancelToken())]
    assert conversations.path(chat.id)[-1].content == "In the south."
