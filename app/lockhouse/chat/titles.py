"""A title for a conversation that was given none, out of its first question."""

from __future__ import annotations

import re

from lockhouse.chat.text_attachments import attached

TITLE_CHARACTERS = 60

_LIST_MARKS = re.compile(r"^\s*(?:(?:#{1,6}|[>*+-]|\d+[.)])\s+)+")
_EMPHASIS = re.compile(r"\*\*|`+")


def title_from(question: str) -> str:
    """A short title out of the first line that says something; files only when nothing else is."""
    files, start = attached(question)
    question = question[start:]
    if not question.strip() and files:
        return _shortened(", ".join(file.name for file in files))
    for line in question.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            continue
        words = " ".join(_EMPHASIS.sub("", _LIST_MARKS.sub("", line)).split())
        if any(sign.isalnum() for sign in words):
            return _shortened(words)
    return _shortened(" ".join(question.split()))


def _shortened(words: str) -> str:
    if len(words) <= TITLE_CHARACTERS:
        return words
    cut = words[: TITLE_CHARACTERS - 1]
    head, space, _ = cut.rpartition(" ")
    # A language without spaces, or one endless word, is cut where it is.
    kept = head if space and len(head) > TITLE_CHARACTERS // 2 else cut
    return kept.rstrip(" ,;:.-") + "…"
