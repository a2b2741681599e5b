"""Asking, stopping, versions, edits, branches, the queue and drafts, with a real model."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from lockhouse.answer.request import Question
from lockhouse.ui.chat.attachments import PreparedPicture, from_clipboard
from lockhouse.ui.chat.composer_parts import PictureChip
from lockhouse.ui.chat.values import QueuedQuestion
from lockhouse.ui.transcript.values import TranscriptAction
from tests.ui.window.driving import OpenWindow, Window, close

PARIS = "What is the capital of France? Answer in one sentence."


def act(window: Window, kind: str, message_id: str, text: str = "", *, send: bool = False) -> None:
    """What the transcript tells when one of its actions is chosen."""
    action = TranscriptAction(message_id, kind, text, send)  # type: ignore[arg-type]
    window.page.transcript.action_requested.emit(action)


def test_an_answer_streams_in_and_is_kept_with_all_that_produced_it(answering: Window) -> None:
    answer = answering.ask(PARIS)
    assert "Paris" in answer.text
    assert answer.status == "complete"
    assert answer.badge == "Local"
    assert any("token" in part for part in answer.stats)
    stored = answering.workspace.conversations.path(answering.app.chat.conversation_id)[-1]
    assert stored.content == answer.text
    assert stored.provenance is not None
    assert answering.page.head.title.text().startswith("What is the capital of France?")


def test_stop_keeps_what_came(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 0)
    answering.type_and_send("Write the numbers from one to five hundred in words.")
    answering.until(lambda: len(answering.messages) == 2 and len(answering.last.text) > 20)
    assert answering.page.composer.send_button.stops
    answering.press("send")
    answering.idle()
    assert answering.last.status == "cancelled"
    assert len(answering.last.text) > 20
    assert not answering.page.composer.send_button.stops


def test_escape_stops_too(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 0)
    answering.type_and_send("Write the numbers from one to five hundred in words.")
    answering.until(lambda: len(answering.messages) == 2 and bool(answering.last.text))
    answering.page.stop_or_close()
    answering.idle()
    assert answering.last.status == "cancelled"


def test_regenerating_keeps_versions_and_they_can_be_flipped(answering: Window) -> None:
    first = answering.ask(PARIS)
    answering.page.regenerate()
    answering.until(lambda: answering.last.id != first.id)
    answering.idle()
    second = answering.last
    assert (second.version_index, second.version_count) == (2, 2)
    act(answering, "previous_version", second.id)
    answering.until(lambda: answering.last.id == first.id)
    assert (answering.last.version_index, answering.last.version_count) == (1, 2)
    act(answering, "next_version", first.id)
    answering.until(lambda: answering.last.id == second.id)


def test_an_edited_question_is_answered_again_beside_the_first(answering: Window) -> None:
    answering.ask(PARIS)
    question = answering.messages[0]
    act(answering, "edit", question.id, "What is the capital of Italy?", send=True)
    answering.until(
        lambda: answering.messages[0].id != question.id and len(answering.messages) == 2
    )
    answering.idle()
    assert answering.messages[0].text == "What is the capital of Italy?"
    assert answering.messages[0].version_count == 2
    assert answering.last.text
    act(answering, "previous_version", answering.messages[0].id)
    answering.until(lambda: answering.messages[0].text == PARIS)
    assert "Paris" in answering.last.text


def test_the_assistants_words_can_be_edited(answering: Window) -> None:
    answer = answering.ask(PARIS)
    act(answering, "edit", answer.id, "It is Paris.")
    answering.until(lambda: answering.last.text == "It is Paris.")
    assert answering.last.version_count == 2
    assert len(answering.messages) == 2


def test_an_edit_says_where_the_later_messages_went(answering: Window) -> None:
    answer = answering.ask(PARIS)
    answering.ask("And of Italy?")
    act(answering, "edit", answer.id, "It is Paris.")
    answering.until(lambda: answering.last.text == "It is Paris.")
    assert "The 2 messages after it stay" in answering.page.toast.accessibleName()
    act(answering, "previous_version", answering.last.id)
    answering.until(lambda: len(answering.messages) == 4)


def test_a_branch_is_a_chat_of_its_own(answering: Window) -> None:
    answer = answering.ask(PARIS)
    original = answering.app.chat.conversation_id
    act(answering, "branch", answer.id)
    answering.until(lambda: answering.app.chat.conversation_id not in ("", original))
    answering.stored()
    assert [message.text for message in answering.messages] == [PARIS, answer.text]
    assert answering.page.toast.isVisible()


def test_what_is_typed_meanwhile_waits_and_can_be_taken_back(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 0)
    answering.type_and_send("Write the numbers from one to five hundred in words.")
    answering.until(lambda: len(answering.messages) == 2 and bool(answering.last.text))
    answering.type_and_send("And then?")
    answering.type_and_send("And after that?")
    chips = answering.page.composer.findChildren(QLabel)
    assert {"And then?", "And after that?"} <= {chip.text() for chip in chips}
    answering.press("chip_edit", answering.page.composer)
    assert answering.page.composer.draft == "And then?"
    answering.page.stop_or_close()
    answering.idle()
    # A stopped answer does not set off the next one by itself.
    assert len(answering.messages) == 2


def test_what_still_waits_goes_before_what_is_typed_later(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 0)
    answering.type_and_send("Write the numbers from one to five hundred in words.")
    answering.until(lambda: len(answering.messages) == 2 and bool(answering.last.text))
    answering.type_and_send("And then?")
    answering.page.stop_or_close()
    answering.idle()
    assert answering.page.composer.findChild(QWidget, "queue_line").isVisible()  # type: ignore[union-attr]
    answering.app.settings.set("answer_max_tokens", 8)
    answering.type_and_send("And after that?")
    answering.until(lambda: len(answering.messages) == 6)
    answering.idle()
    asked = [message.text for message in answering.messages if message.role == "user"]
    assert asked[1:] == ["And then?", "And after that?"]


def test_queued_messages_are_sent_after_a_stop_when_asked_to(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 0)
    answering.type_and_send("Write the numbers from one to five hundred in words.")
    answering.until(lambda: len(answering.messages) == 2 and bool(answering.last.text))
    answering.type_and_send("And then?")
    answering.page.stop_or_close()
    answering.idle()
    line = answering.page.composer.findChild(QWidget, "queue_line")
    assert line is not None
    assert line.isVisible()
    answering.app.settings.set("answer_max_tokens", 8)
    answering.press("send_queued", line)
    answering.until(lambda: len(answering.messages) == 4)
    answering.idle()
    assert answering.messages[2].text == "And then?"
    assert not line.isVisible()


def test_a_waiting_message_is_sent_when_the_answer_ends(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 8)
    answering.type_and_send(PARIS)
    answering.until(lambda: bool(answering.app.asking.runs.all_running()))
    answering.type_and_send("And of Italy?")
    answering.until(lambda: len(answering.messages) == 4)
    answering.idle()
    assert answering.messages[2].text == "And of Italy?"
    assert answering.last.status == "complete"


def test_two_chats_answer_at_the_same_time(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 40)
    answering.type_and_send("Tell me about rivers.")
    answering.until(lambda: len(answering.messages) == 2)
    first = answering.app.chat.conversation_id
    answering.page.new_chat()
    answering.type_and_send("Tell me about mountains.")
    answering.until(lambda: len(answering.messages) == 2)
    second = answering.app.chat.conversation_id
    answering.idle()
    for chat in (first, second):
        path = answering.workspace.conversations.path(chat)
        assert path[-1].status == "complete"
        assert path[-1].content.strip()


def test_an_answer_is_found_again_when_its_chat_is_opened_while_it_runs(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 0)
    answering.type_and_send("Write the numbers from one to five hundred in words.")
    answering.until(lambda: len(answering.messages) == 2 and len(answering.last.text) > 10)
    chat = answering.workspace.conversations.get(answering.app.chat.conversation_id)
    answering.page.new_chat()
    assert answering.messages == []
    answering.page.open_chat(chat.id)
    answering.until(lambda: len(answering.messages) == 2)
    before = answering.last.text
    answering.until(lambda: len(answering.last.text) > len(before) + 10)
    answering.page.stop_or_close()
    answering.idle()
    stored = answering.workspace.conversations.path(chat.id)[-1]
    assert stored.content == answering.last.text


def test_closing_in_mid_answer_keeps_the_text(open_window: OpenWindow, shared_home: Path) -> None:
    window = open_window(shared_home)
    window.app.settings.set("answer_max_tokens", 0)
    window.page.new_chat()
    window.type_and_send("Write the numbers from one to five hundred in words.")
    window.until(lambda: len(window.messages) == 2 and len(window.last.text) > 20)
    seen = window.last.text
    close(window)
    again = open_window(shared_home)
    again.until(lambda: len(again.messages) == 2)
    assert again.last.text.startswith(seen[:20])
    assert len(again.last.text) >= len(seen)
    assert again.last.status == "cut"  # nobody stopped it


def test_up_recalls_the_last_question(answering: Window) -> None:
    answering.ask(PARIS)
    answering.qtbot.keyClick(answering.page.composer.edit, Qt.Key.Key_Up)
    assert answering.page.composer.draft == PARIS


def test_the_last_answer_can_be_copied(answering: Window) -> None:
    answer = answering.ask(PARIS)
    answering.page.copy_last_answer()
    assert QApplication.clipboard().text() == answer.text


def test_details_tell_how_an_answer_came_about(answering: Window) -> None:
    answer = answering.ask(PARIS)
    act(answering, "details", answer.id)
    assert answering.page.columns.details_visible
    words = " ".join(
        label.accessibleName() or label.text()
        for label in answering.page.details.findChildren(QLabel)
    )
    stored = answering.workspace.conversations.message(answer.id)
    assert stored.provenance is not None
    finished = stored.provenance.finished
    assert f"Model hash: {finished.model_sha256}" in words
    assert f"Seed: {finished.parameters['seed']}" in words
    for name in ("Prompt", "Cached", "First token", "Template", "Threads", "Engine"):
        assert f"{name}: " in words


def test_instructions_and_parameters_of_a_chat_reach_the_model(answering: Window) -> None:
    answering.page.aside.open("prompt")
    prompt = answering.page.details.prompt
    field = next(one for one in prompt._fields if one.parameter.name == "seed")
    answering.qtbot.keyClicks(field.edit, "4711")
    prompt._system.setPlainText("You are a pirate.")
    prompt.flush()
    answering.ask(PARIS)
    chat = answering.workspace.conversations.get(answering.app.chat.conversation_id)
    assert chat.system == "You are a pirate."
    stored = answering.workspace.conversations.path(chat.id)[-1]
    assert stored.provenance is not None
    assert stored.provenance.finished.parameters["seed"] == 4711


def test_a_text_file_goes_along(answering: Window, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("The meeting is on Tuesday.\n```\ncode\n```\n", encoding="utf-8")
    picture = tmp_path / "picture.bin"
    picture.write_bytes(b"\x00\x01\x02")
    answering.page.composer.take_files([note, picture])
    assert "not a text file" in answering.page.composer.problem.words
    answering.ask("When is it?")
    question = answering.messages[0].text
    assert question.startswith("File note.md:\n````\n")
    assert question.endswith("When is it?")


def test_a_draft_waits_in_its_chat(answering: Window) -> None:
    answering.ask(PARIS)
    chat = answering.workspace.conversations.get(answering.app.chat.conversation_id)
    answering.qtbot.keyClicks(answering.page.composer.edit, "half a thought")
    answering.page.new_chat()
    assert answering.page.composer.draft == ""
    answering.open(chat)
    assert answering.page.composer.draft == "half a thought"


def test_an_attached_file_waits_in_its_chat_too(answering: Window, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("The meeting is on Tuesday.\n", encoding="utf-8")
    answering.ask(PARIS)
    chat = answering.workspace.conversations.get(answering.app.chat.conversation_id)
    answering.page.composer.take_files([note])
    answering.qtbot.keyClicks(answering.page.composer.edit, "When is it?")
    answering.page.new_chat()
    assert answering.page.composer.draft == ""
    answering.open(chat)
    assert answering.page.composer.edit.toPlainText() == "When is it?"
    assert answering.page.composer.draft.startswith("File note.md:\n```\n")


def test_enter_can_be_set_to_break_the_line(answering: Window) -> None:
    edit = answering.page.composer.edit
    answering.app.settings.set("enter_sends", value=False)
    answering.qtbot.keyClicks(edit, "one")
    answering.qtbot.keyClick(edit, Qt.Key.Key_Return)
    answering.qtbot.keyClicks(edit, "two")
    assert answering.page.composer.draft == "one\ntwo"
    assert answering.messages == []
    answering.app.settings.set("enter_sends", value=True)
    answering.qtbot.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert answering.page.composer.draft == "one\ntwo\n"


def test_the_context_meter_counts_what_is_typed(answering: Window) -> None:
    answering.ask(PARIS)
    before = answering.page.composer.meter.accessibleName()
    answering.page.composer.edit.put_text("word " * 9000)
    after = answering.page.composer.meter.accessibleName()
    assert before != after
    assert "tokens too many" in after


def test_what_still_waits_at_the_end_is_a_draft_the_next_time(
    open_window: OpenWindow, shared_home: Path
) -> None:
    window = open_window(shared_home)
    window.app.settings.set("answer_max_tokens", 0)
    window.page.new_chat()
    window.type_and_send("Tell me a very long story about a river.")
    window.until(lambda: len(window.messages) == 2 and bool(window.last.text))
    window.type_and_send("And then?")
    window.qtbot.keyClicks(window.page.composer.edit, "half a thought")
    close(window)
    again = open_window(shared_home)
    again.until(lambda: len(again.messages) == 2)
    assert again.page.composer.draft == "half a thought\n\nAnd then?"


def test_a_new_chats_draft_outlives_the_window(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home)
    window.page.new_chat()
    window.qtbot.keyClicks(window.page.composer.edit, "not yet sent")
    close(window)
    again = open_window(home)
    assert again.page.composer.draft == "not yet sent"


def test_what_waits_is_stored_until_it_is_asked(open_window: OpenWindow, shared_home: Path) -> None:
    window = open_window(shared_home)
    window.app.settings.set("answer_max_tokens", 0)
    window.page.new_chat()
    window.type_and_send("Tell me a very long story about a river.")
    window.until(lambda: len(window.messages) == 2 and bool(window.last.text))
    window.type_and_send("And then?")
    kept = window.workspace.database.read

    def entries() -> list[str]:
        return [row[0] for row in kept().execute("SELECT entries FROM waiting_messages")]

    window.until(lambda: len(entries()) == 1)
    assert "And then?" in entries()[0]
    window.app.settings.set("answer_max_tokens", 4)
    window.press("send")  # stops the story
    window.idle()
    assert len(entries()) == 1
    window.type_and_send("Go on.")  # what waits goes first
    window.until(lambda: [one.text for one in window.messages[2::2]] == ["And then?", "Go on."])
    window.idle()
    assert entries() == []


def _picture(color: int) -> PreparedPicture:
    picture = QImage(60, 40, QImage.Format.Format_RGB32)
    picture.fill(color)
    return from_clipboard(picture)


def test_pictures_wait_in_their_chat_as_words_do(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home)
    chat = window.workspace.conversations.create(title="With a picture")
    window.open(chat)
    composer, red, blue = window.page.composer, _picture(0xFFFF0000), _picture(0xFF0000FF)
    composer.add_picture(red)
    window.page.new_chat()
    assert composer.images == ()
    window.app.chat.pictures.ready.emit(chat.id, blue)  # made ready too late for its chat
    window.open(chat)
    window.until(lambda: composer.images == (red.image, blue.image))
    window.page.new_chat()
    composer.add_picture(blue)
    close(window)
    again = open_window(home)
    again.until(lambda: again.page.composer.images == (blue.image,))
    again.open(chat)
    again.until(lambda: again.page.composer.images == (red.image, blue.image))


def test_a_picture_added_before_those_that_are_kept_have_come_is_one_more(
    open_window: OpenWindow, home: Path
) -> None:
    window, red, blue = open_window(home), _picture(0xFFFF0000), _picture(0xFF0000FF)
    conversations, composer = window.workspace.conversations, window.page.composer
    chat = conversations.create()
    conversations.save_draft_pictures(chat.id, (red.image,))
    window.open(chat)
    window.page.drafts._composer.load("", chat.id)  # as it is before they come
    for later in (False, True):
        window.page.drafts._loaded_id = None
        window.page.drafts.load(conversations.get(chat.id))
        composer.add_picture(blue)
        if later:
            window.page.keep_draft()
            assert composer.images == (blue.image,)
    window.until(lambda: composer.images == (red.image, blue.image))
    window.page.keep_draft()
    window.stored()
    assert conversations.draft_pictures(chat.id) == (red.image, blue.image)


def test_a_kept_picture_for_who_cannot_see_is_not_said_to_be_gone(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(home)
    window.page.new_chat()
    composer = window.page.composer
    window.until(lambda: composer.destination is not None)
    composer.add_picture(_picture(0xFFFF0000))
    window.type_and_send("What is it?")
    told = window.page.composer.problem.words
    assert "does not accept pictures, so nothing was sent" in told
    assert composer.draft == "What is it?"
    assert len(composer.images) == 1
    assert window.messages == []


def test_no_picture_of_a_draft_is_left_out(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home)
    many = tuple(_picture(0xFF000000 + 9 * number).image for number in range(20))
    chat = window.workspace.conversations.create()
    window.workspace.conversations.add_to_draft(chat.id, "", many)
    window.open(chat)
    window.until(lambda: window.page.composer.images == many)


def test_a_picture_is_found_again_after_a_kill(open_window: OpenWindow, home: Path) -> None:
    window, red = open_window(home), _picture(0xFFFF0000)
    window.page.new_chat()
    window.page.composer.add_picture(red)
    kept = window.workspace.conversations.draft_pictures
    window.until(lambda: kept("") == (red.image,))
    chip = window.page.composer.findChild(PictureChip)
    assert chip is not None
    window.press("chip_remove", chip)
    window.until(lambda: kept("") == ())


def test_a_picture_that_waits_at_the_end_is_a_draft_the_next_time(
    open_window: OpenWindow, home: Path
) -> None:
    window, red, blue = open_window(home), _picture(0xFFFF0000), _picture(0xFF0000FF)
    chat = window.workspace.conversations.create()
    window.open(chat)
    window.page.composer.add_picture(red)
    question = Question("What is it?", (blue.image,))
    window.app.asking._work_of(chat.id).queue.append(QueuedQuestion("queued-1", question))
    close(window)
    again = open_window(home)
    again.until(lambda: again.page.composer.images == (red.image, blue.image))
    assert again.page.composer.draft == "What is it?"


def test_what_is_typed_while_a_new_chat_begins_stays_with_it(answering: Window) -> None:
    composer = answering.page.composer
    answering.type_and_send(PARIS)
    answering.until(lambda: composer.draft == "")
    composer.edit.put_text("And then?")
    composer.add_picture(_picture(0xFFFF0000))
    answering.until(lambda: bool(answering.app.chat.conversation_id))
    answering.idle()
    assert composer.draft == "And then?"
    assert len(composer.images) == 1
    answering.page.keep_draft()
    answering.stored()
    conversations, chat = answering.workspace.conversations, answering.app.chat.conversation_id
    assert conversations.get(chat).draft == "And then?"
    assert conversations.draft_pictures(chat) == composer.images
    assert conversations.draft_pictures("") == ()


def test_an_answer_that_reached_its_limit_says_so_and_goes_on(answering: Window) -> None:
    answering.app.settings.set("answer_max_tokens", 6)
    answering.ask("Write the numbers from one to five hundred in words.")
    assert answering.last.status == "complete"
    assert "limit of 6 tokens" in answering.last.limit.replace("\u00a0", " ")
    short = answering.last.text
    answering.press("note-continue", answering.page.transcript)
    answering.until(lambda: len(answering.last.text) > len(short))
    answering.idle()
    assert answering.last.text.startswith(short)
