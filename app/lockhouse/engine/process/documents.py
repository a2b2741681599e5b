"""Reads the text of a PDF or Word file, in the process of a job.

PDFs by PDFium; Word files by python-docx, whose parser expands no entities. Page breaks of a Word
file are those it was last shown with, and those that its author set.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockhouse.core.errors import InvalidInput
from lockhouse.core.json_decoding import decoded
from lockhouse.engine.documents import LARGEST_TEXT_CHARACTERS, DocumentText, ReadDocument

if TYPE_CHECKING:
    from lockhouse.engine.process.jobs import Report

_PDF_MARK = b"%PDF-"
_MARK_WITHIN_BYTES = 1024
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PAGE_BREAK = "\f"


def answer(request: bytes, report: Report) -> DocumentText:
    """The text of the file that is named, for a job."""
    path = Path(decoded(request, ReadDocument).path)
    with path.open("rb") as file:
        begins = file.read(_MARK_WITHIN_BYTES)
    if _PDF_MARK in begins:
        pages = _of_pdf(path, report)
    elif begins.startswith(b"PK"):
        pages = _of_word(path)
    else:
        raise InvalidInput(
            f"{path.name} is not a PDF or Word file.", hint="PDF and DOCX can be read."
        )
    if not any(page.strip() for page in pages):
        raise InvalidInput(
            f"{path.name} holds no text: it is a scan, or only pictures.",
            hint="Attach its pages as pictures, for a vision model.",
            code="no_text",
        )
    return DocumentText(tuple(pages))


def _too_long(name: str, page: int) -> InvalidInput:
    return InvalidInput(
        f"{name} holds more than {LARGEST_TEXT_CHARACTERS:,} characters by page {page}.",
        hint="Attach the part that the question is about.",
        code="document_too_long",
    )


def _of_pdf(path: Path, report: Report) -> list[str]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise InvalidInput(
                f"{path.name} is protected by a password.",
                hint="Save a copy without one, and attach that.",
                code="document_locked",
            ) from error
        raise _damaged(path) from error
    pages: list[str] = []
    left = LARGEST_TEXT_CHARACTERS
    for number in range(count):
        report(number / count, f"page {number + 1} of {count}")
        try:
            page = document[number]
            text = page.get_textpage().get_text_bounded()
            page.close()
        except pypdfium2.PdfiumError:
            text = ""  # one page that is damaged
        left -= len(text)
        if left < 0:
            raise _too_long(path.name, number + 1)
        pages.append(_cleaned(text))
    return pages


def _cleaned(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _of_word(path: Path) -> list[str]:
    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from lxml import etree

    try:
        body = docx.Document(str(path)).element.body
    except (PackageNotFoundError, zipfile.BadZipFile, etree.XMLSyntaxError, KeyError, ValueError,
            OSError) as error:  # fmt: skip
        raise _damaged(path) from error
    text = "\n\n".join(_blocks(body))
    if len(text) > LARGEST_TEXT_CHARACTERS:
        raise _too_long(path.name, text[:LARGEST_TEXT_CHARACTERS].count(_PAGE_BREAK) + 1)
    pages = [page.strip("\n ") for page in text.split(_PAGE_BREAK)]
    return [page for number, page in enumerate(pages) if page or number == 0] or [""]


def _blocks(body: Any) -> Iterator[str]:
    """Paragraphs, headings, lists and tables in the order in which they stand."""
    for element in body.iterchildren():
        if element.tag == f"{_WORD}p":
            yield _paragraph(element)
        elif element.tag == f"{_WORD}tbl":
            yield "\n".join(_rows(element))
        elif element.tag == f"{_WORD}sdt":  # a control, such as a table of contents
            for inner in element.iterchildren(f"{_WORD}sdtContent"):
                yield from _blocks(inner)


def _rows(table: Any) -> Iterator[str]:
    for row in table.iterchildren(f"{_WORD}tr"):
        cells = row.iterchildren(f"{_WORD}tc")
        yield " | ".join(" ".join("".join(_pieces(cell)).split()) for cell in cells)


def _paragraph(element: Any) -> str:
    text = "".join(_pieces(element)).strip(" ")
    style = element.find(f"{_WORD}pPr/{_WORD}pStyle")
    name = style.get(f"{_WORD}val", "") if style is not None else ""
    level = name.removeprefix("Heading")
    if name.startswith("Heading") and level.isdecimal() and text:
        return f"{'#' * min(int(level), 6)} {text}"
    is_listed = element.find(f"{_WORD}pPr/{_WORD}numPr") is not None or name.startswith("List")
    return f"- {text}" if is_listed and text else text


def _pieces(element: Any) -> Iterator[str]:
    """Text, tabs and breaks inside; what is only there for older programs is left out."""
    for part in element.iterchildren():
        if part.tag == _FALLBACK:
            continue
        if part.tag == f"{_WORD}t":
            yield part.text or ""
        elif part.tag == f"{_WORD}tab" and element.tag == f"{_WORD}r":
            yield "\t"
        elif part.tag == f"{_WORD}br":
            yield _PAGE_BREAK if part.get(f"{_WORD}type") == "page" else "\n"
        elif part.tag == f"{_WORD}lastRenderedPageBreak":
            yield _PAGE_BREAK
        else:
            yield from _pieces(part)
            if part.tag == f"{_WORD}p":  # in a cell or a text box
                yield "\n"


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(
        f"{path.name} is damaged and cannot be read.",
        hint="Save it again with the program that made it.",
        code="document_damaged",
    )
