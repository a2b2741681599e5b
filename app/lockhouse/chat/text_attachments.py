"""How text files stand in a question: written in front of it, and found there again.

Hides the form, which is chosen so that a model can tell file and question apart. What a person
wrote in the same form by hand counts as a file too; it reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lockhouse.core.messages import File

_FILE = re.compile(
    r"File (?P<name>[^\n]+):\n(?P<fence>`{3,})\n(?P<text>.*?)\n(?P=fence)(?:\n\n|\Z)", re.DOTALL
)
_BACKTICKS = re.compile("`+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it was when it was attached."""

    name: str
    text: str

    @property
    def size_bytes(self) -> int:
        """What it adds to the prompt."""
        return len(self.text.encode())


def with_attachments(question: str, attachments: Sequence[Attachment | File]) -> str:
    """The question as it is sent: files first, each in a fence that its text cannot close."""
    parts = [f"File {file.name}:\n{fenced(file.text)}" for file in attachments]
    return "\n\n".join([*parts, question]) if question.strip() else "\n\n".join(parts)


def fenced(text: str, language: str = "") -> str:
    """A text as a block of code that it cannot end itself."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def attached(text: str) -> tuple[tuple[Attachment, ...], int]:
    """The files at the front of what was sent, and where the question itself begins."""
    files: list[Attachment] = []
    at = 0
    while found := _FILE.match(text, at):
        files.append(Attachment(found["name"], found["text"]))
        at = found.end()
    return tuple(files), at
