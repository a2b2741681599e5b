"""The text of PDF and Word files, page by page, read in a process of its own.

A stranger's file meets a large parser there: the process is sealed, sees that file alone, and has
limits of memory and time. The other end is :mod:`lockhouse.engine.process.documents`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import EngineCrashed, InvalidInput
from lockhouse.engine import jobs
from lockhouse.engine.jobs import JobSpec, Limits, OnProgress

SUFFIXES = (".pdf", ".docx")
LARGEST_FILE_BYTES = 200 << 20
LARGEST_TEXT_CHARACTERS = 2_000_000
_LIMITS = Limits(memory_bytes=1 << 30, time_s=60.0, reply_bytes=32 << 20)


class ReadDocument(msgspec.Struct, frozen=True):
    """Read the text of that file."""

    path: str


class DocumentText(msgspec.Struct, frozen=True):
    """The text of each page, in order. A Word file is one page where it tells of no others."""

    pages: tuple[str, ...]

    def marked(self) -> str:
        """All of it, each page under its number where there are several."""
        if len(self.pages) == 1:
            return self.pages[0]
        return "\n\n".join(
            f"[Page {number}]\n{text}".rstrip() for number, text in enumerate(self.pages, 1)
        )


def is_document(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def read_document(
    path: Path,
    *,
    progress: OnProgress = lambda _progress: None,
    cancel: CancelToken | None = None,
) -> DocumentText:
    """Its text. Raises InvalidInput for what cannot be read, with why; Cancelled."""
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{path.name} could not be read: {error.strerror}.") from error
    if not path.is_file():
        raise InvalidInput(f"{path.name} is not a file.")
    if size_bytes > LARGEST_FILE_BYTES:
        raise InvalidInput(
            f"{path.name} is larger than {LARGEST_FILE_BYTES >> 20} MB.",
            hint="Attach the part that the question is about.",
        )
    whole = path.resolve()
    spec = JobSpec("read_document", f"Reading {path.name}", read=(str(whole),), limits=_LIMITS)
    request = ReadDocument(str(whole))
    try:
        return jobs.run(spec, request, DocumentText, progress=progress, cancel=cancel)
    except EngineCrashed as error:
        raise InvalidInput(
            f"{path.name} could not be read: {error.message}",
            hint="It may be damaged. Save it again, or attach it as plain text.",
            code="document_unreadable",
        ) from error
