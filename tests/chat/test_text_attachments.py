"""Files in front of a question are found again as they were put there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockhouse.chat.text_attachments import Attachment, attached, with_attachments
from lockhouse.chat.titles import title_from

NAMES = st.text("abc.-: `", min_size=1, max_size=12)
TEXTS = st.text("a`\n :~File", max_size=60).map(str.rstrip)


@given(st.lists(st.builds(Attachment, NAMES, TEXTS), max_size=3), st.sampled_from(["", "When?"]))
def test_what_was_attached_is_found_again(files: list[Attachment], question: str) -> None:
    sent = with_attachments(question, files)
    found, start = attached(sent)
    assert list(found) == files
    assert sent[start:] == question


def test_the_title_comes_from_the_question_and_not_from_the_file() -> None:
    notes = Attachment("notes.txt", "The meeting is on Tuesday.\n")
    assert title_from(with_attachments("When is the meeting?", [notes])) == "When is the meeting?"
    assert title_from(with_attachments("", [notes])) == "notes.txt"


def test_a_question_without_files_is_all_question() -> None:
    for text in ("File it under letters:\n```\nx\n", "What is `File a:`?", ""):
        assert attached(text) == ((), 0)
