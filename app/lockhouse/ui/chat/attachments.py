"""Text files that go along with a question.

Hides reading and the limits; how they stand in the question is told in ``chat.attached``.
"""

from __future__ import annotations

from pathlib import Path

from lockhouse.chat.text_attachments import Attachment
from lockhouse.core.errors import InvalidInput

MAX_FILE_BYTES = 400_000


def read_attachment(path: Path) -> Attachment:
    """Read a text file; InvalidInput tells why it cannot go along."""
    if not path.is_file():
        raise InvalidInput(f"{path.name} is not a file.", hint="Attach a text file.")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(
                f"{path.name} is larger than {MAX_FILE_BYTES // 1000} kB.",
                hint="Attach the part that the question is about.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path.name} could not be read: {error.strerror}.") from error
    if b"\0" in data:
        raise InvalidInput(
            f"{path.name} is not a text file.", hint="Plain text, Markdown, code and CSV work."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return Attachment(path.name, text)
