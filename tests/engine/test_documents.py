"""The text of PDF and Word files, as it is read in a process of its own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.engine.documents import read_document
from tests.documents import pdf, word


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    text = read_document(pdf(tmp_path / "report.pdf", "The first page.", "", "The last one."))
    assert text.pages == ("The first page.", "", "The last one.")
    assert text.marked() == "[Page 1]\nThe first page.\n\n[Page 2]\n\n[Page 3]\nThe last one."


def test_a_word_file_keeps_headings_lists_tables_and_pages(tmp_path: Path) -> None:
    text = read_document(word(tmp_path / "minutes.docx"))
    assert text.pages == (
        "# Minutes\n\nThe meeting is on Tuesday.\n\n- Bring the plans\n\nBoats | 12",
        "On the second page.",
    )


def test_a_scan_is_said_to_have_no_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"scan\.pdf holds no text") as caught:
        read_document(pdf(tmp_path / "scan.pdf", "", ""))
    assert "as pictures" in caught.value.hint


@pytest.mark.parametrize("name", ["cut.pdf", "cut.docx", "empty.pdf", "text.pdf", "other.docx"])
def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "cut.pdf":
        path.write_bytes(b"%PDF-1.4\n1 0 obj\n<<")
    elif name == "cut.docx":
        path.write_bytes(word(tmp_path / "whole.docx").read_bytes()[:4000])
    elif name == "other.docx":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no document")
    else:
        path.write_bytes(b"" if name == "empty.pdf" else b"Only text.")
    with pytest.raises(InvalidInput) as caught:
        read_document(path)
    assert name in caught.value.message
    assert caught.value.hint


def test_a_file_that_unfolds_without_end_stays_within_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "bomb.docx"
    word(tmp_path / "whole.docx")
    with (
        zipfile.ZipFile(tmp_path / "whole.docx") as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in whole.infolist():
            if entry.filename == "word/document.xml":
                with bomb.open(entry.filename, "w", force_zip64=True) as inner:
                    for _ in range(1500):
                        inner.write(b" " * (1 << 20))
            else:
                bomb.writestr(entry, whole.read(entry))
    with pytest.raises(LockhouseError) as caught:
        read_document(path)
    assert caught.value.exit_code in (3, 5)
