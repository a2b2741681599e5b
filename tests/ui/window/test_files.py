"""A question that text files went along with, as its reader sees it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt

from lockhouse.chat.text_attachments import Attachment, with_attachments
from lockhouse.ui.transcript.parts import CodePart
from lockhouse.workspace import Workspace
from tests.ui.window.driving import OpenWindow, Window

QUESTION = "When is the meeting?"
SENT = with_attachments(QUESTION, [Attachment("notes.txt", "It is on Tuesday.\n" * 40)])


def _asked(workspace: Workspace) -> None:
    made = workspace.conversations.create(title="Meeting")
    workspace.conversations.add_user(made.id, SENT, parent_id=None)


def _opened(open_window: OpenWindow, home: Path) -> Window:
    window = open_window(home, prepare=_asked)
    window.open(window.workspace.conversations.list()[0])
    window.until(lambda: len(window.messages) == 1)
    return window


def _code(window: Window) -> list[str]:
    parts = window.page.transcript.findChildren(CodePart)
    return [part._block.code for part in parts if part.isVisible()]


def test_a_file_is_a_mark_above_the_question_and_opens_on_a_click(
    open_window: OpenWindow, home: Path
) -> None:
    window = _opened(open_window, home)
    transcript = window.page.transcript
    card = next(iter(transcript._board.live.values()))
    assert [leaf.content.raw_text() for leaf in card.leaves().values()] == [QUESTION]
    mark = card._files._marks[0] if card._files else None
    assert mark is not None
    assert mark.isVisible()
    assert mark.text().startswith("notes.txt, ")
    assert mark.mapTo(card, mark.rect().bottomLeft()).y() < card._blocks_top
    mark.click()
    window.until(lambda: any("It is on Tuesday." in code for code in _code(window)))
    mark.click()
    window.until(lambda: not _code(window))


def test_editing_the_question_keeps_its_file(open_window: OpenWindow, home: Path) -> None:
    window = _opened(open_window, home)
    transcript = window.page.transcript
    card = next(iter(transcript._board.live.values()))
    transcript._act(card, "edit")
    box = card.edit_box
    assert box is not None
    assert box.text() == QUESTION
    box.editor.setPlainText("Where is it?")
    box._save.click()
    window.until(lambda: window.messages[0].text == SENT.replace(QUESTION, "Where is it?"))
    assert len(window.messages[0].files) == 1


def test_up_recalls_the_words_and_not_the_file(open_window: OpenWindow, home: Path) -> None:
    window = _opened(open_window, home)
    window.qtbot.keyClick(window.page.composer.edit, Qt.Key.Key_Up)
    assert window.page.composer.draft == QUESTION
