"""Text files that go along with a question.

Hides reading, the limits, and how a file is written into the prompt so that the model can tell
it from the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockhouse.core.errors import InvalidInput

MAX_FILE_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it was when it was attached."""

    name: str
    text: str

    @property
    def size_bytes(self) -> int:
        """What it adds to the prompt."""
        return len(self.text.encode())


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


def with_attachments(question: str, attachments: list[Attachment]) -> str:
    """The question as it is sent: files first, each in a fence that its text cannot close."""
    parts = []
    for file in attachments:
        longest = 2
        run = 0
        for sign in file.text:
            run = run + 1 if sign == "`" else 0
            longest = max(longest, run)
        fence = "`" * (longest + 1)
        parts.append(f"File {file.name}:\n{fence}\n{file.text.rstrip()}\n{fence}")
    return "\n\n".join([*parts, question]) if question.strip() else "\n\n".join(parts)
