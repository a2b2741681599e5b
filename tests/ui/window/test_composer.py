"""The message box: what is attached, why something was not, and what all of it takes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication

from lockhouse.chat.text_attachments import attached
from tests.documents import pdf, word
from tests.ui.window.driving import Window

PARIS = "What is the capital of France? Answer in one sentence."
LONG = "".join(f"Line {number} of a log that somebody pastes.\n" for number in range(200))


def chips(window: Window) -> list[str]:
    box = window.page.composer._chips
    return [chip.accessibleName() for chip in box.findChildren(object) if _is_chip(chip)]


def _is_chip(part: object) -> bool:
    return getattr(part, "objectName", str)() == "chip" and part.isVisible()  # type: ignore[attr-defined]


def meter(window: Window) -> str:
    return window.page.composer.meter.accessibleName()


def paste(window: Window, text: str, *, plain: bool = False) -> None:
    QApplication.clipboard().setText(text)
    held = Qt.KeyboardModifier.ControlModifier
    if plain:
        held |= Qt.KeyboardModifier.ShiftModifier
    window.qtbot.keyClick(window.page.composer.edit, Qt.Key.Key_V, held)


def test_why_a_file_was_not_attached_stands_at_the_message_box(
    window: Window, tmp_path: Path
) -> None:
    window.press("start_chatting")
    composer = window.page.composer
    odd, good = tmp_path / "odd.bin", tmp_path / "notes.txt"
    odd.write_bytes(b"\0\1\2")
    good.write_text("Anything.")
    composer.take_files([odd, tmp_path / "gone.txt", good])
    assert composer.problem.isVisible()
    assert "odd.bin is not a text file" in composer.problem.words
    assert "gone.txt is not a file" in composer.problem.words
    assert window.page.banners.messages == ()
    assert any("notes.txt" in chip for chip in chips(window))
    window.press("composer_problem_close")
    assert not composer.problem.isVisible()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    composer.picture_wanted.emit(broken)
    window.until(composer.problem.isVisible)
    assert "broken.png" in composer.problem.words
    composer.take_files([good])
    assert not composer.problem.isVisible()


def test_a_long_paste_is_attached_with_its_count_and_can_be_edited(answering: Window) -> None:
    answering.ask(PARIS)  # the model is loaded now
    composer = answering.page.composer
    paste(answering, "Short. ")
    assert composer.edit.toPlainText() == "Short. "
    paste(answering, LONG)
    assert composer.edit.toPlainText() == "Short. "
    paste(answering, LONG + "Another.")
    answering.until(lambda: len(chips(answering)) == 2)
    first, second = chips(answering)
    assert first.startswith("Pasted text · ")
    assert second.startswith("Pasted text 2 · ")
    answering.until(lambda: not any("about" in chip for chip in chips(answering)))
    answering.press("chip_edit", composer._chips)
    assert composer.edit.toPlainText() == f"Short. {LONG}"
    answering.until(lambda: len(chips(answering)) == 1)
    composer.edit.clear()
    paste(answering, LONG, plain=True)
    assert composer.edit.toPlainText() == LONG
    files, start = attached(composer.message)
    assert [file.name for file in files] == ["Pasted text 2"]
    assert composer.message[start:] == LONG.strip()


def test_the_meter_says_about_until_a_loaded_model_counts(window: Window) -> None:
    window.workspace.save_settings(answer_max_tokens=4)
    window.app.settings.set("answer_max_tokens", 4)
    window.press("start_chatting")
    composer = window.page.composer
    composer.edit.put_text(PARIS)
    window.until(lambda: "about" in meter(window))
    window.app.pages.controllers.models.load("", lambda: None)
    window.until(lambda: "about" not in meter(window) and meter(window)[9:10].isdigit())


def test_the_meter_shows_what_the_model_then_reads(answering: Window) -> None:
    answering.ask(PARIS)
    composer = answering.page.composer
    composer.edit.put_text("And of Italy? " * 30)
    counting = answering.page.context_count
    counts: list[object] = []
    counting.counted.connect(counts.append)
    answering.until(
        lambda: bool(counts) and getattr(counts[-1], "revision", -1) == composer.revision
    )
    shown = composer._counted
    assert shown is not None
    assert shown.is_exact
    assert f"{shown.used:,} of {shown.total:,} tokens" in composer.meter.toolTip()
    answering.qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    answering.until(lambda: len(answering.messages) == 4)
    answering.idle()
    stored = answering.workspace.conversations.path(answering.app.chat.conversation_id)[-1]
    assert stored.provenance is not None
    assert stored.provenance.finished.usage.prompt_tokens == shown.used


def test_a_picture_for_a_model_that_does_not_see_is_told_there_too(window: Window) -> None:
    window.press("start_chatting")
    composer = window.page.composer
    composer._may_see("cat.png")
    assert "does not accept pictures" in composer.problem.words
    assert composer.findChild(QAbstractButton, "composer_problem_close") is not None


def test_pdf_and_word_files_go_along_as_text_with_pages(answering: Window, tmp_path: Path) -> None:
    composer = answering.page.composer
    files = [
        pdf(tmp_path / "report.pdf", "Boats are built of oak.", "Sails are made of linen."),
        word(tmp_path / "minutes.docx"),
        pdf(tmp_path / "scan.pdf", ""),
    ]
    composer.take_files(files)
    assert [Path(path).name for path in composer._reading] == [file.name for file in files]
    composer.edit.put_text("What are sails made of?")
    answering.qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert "is still being read" in composer.problem.words
    answering.until(lambda: len(composer.files) == 2 and not composer._reading)
    assert "scan.pdf holds no text" in composer.problem.words
    assert answering.page.banners.messages == ()
    answering.ask("")
    stored = answering.workspace.conversations.path(answering.app.chat.conversation_id)[0]
    sent, _ = attached(stored.content)
    assert {file.name for file in sent} == {"report.pdf", "minutes.docx"}
    text = next(file.text for file in sent if file.name == "report.pdf")
    assert text == "[Page 1]\nBoats are built of oak.\n\n[Page 2]\nSails are made of linen."
