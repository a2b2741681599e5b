"""How a chat template writes reasoning, found by letting it write some.

An earlier answer with a trace is rendered, once with marks that nobody else writes; what the
template puts around them are the marks of its model. So families that no table knows are read.
"""

from __future__ import annotations

import re
from typing import Protocol

from lockhouse.core.reasoning_families import FAMILIES, Family
from lockhouse.engine.process.render_error import TemplateFailed

_TRACE, _ANSWER = "qxtraceqx", "qxanswerqx"
_NAMES = ("reasoning_content", "reasoning", "thinking", "thought")  # of the trace in a message
_MENTIONS = re.compile("|".join(_NAMES))
_LONGEST_MARK = 80
_KNOWN = tuple(family.opening for family in FAMILIES if not family.is_words)
_MARK = re.compile(r"<[^<>\n]+>|\[[^\[\]\n]+\]|[^\s<][^\n<]*")
_LAST_MARK = re.compile(r"(?:<[^<>\n]+>|\[[^\[\]\n]+\])$")


class Render(Protocol):
    """Renders messages by the template. Raises TemplateFailed."""

    def __call__(self, messages: list[dict[str, object]], *, asks: bool) -> str: ...


def family_of(template: str, render: Render) -> Family | None:
    """The family of a template; None where the table has it, or it writes no reasoning."""
    for family in FAMILIES:
        if family.is_words and family.closing in template:
            return family
    if not _MENTIONS.search(template):
        return None
    question: dict[str, object] = {"role": "user", "content": "Why?"}
    answer: dict[str, object] = {"role": "assistant", "content": _ANSWER}
    answer |= dict.fromkeys(_NAMES, _TRACE)
    try:
        told = render([question, answer], asks=False)
        begun = render([question], asks=True)
    except TemplateFailed:
        return None
    before, found, after = told.partition(_TRACE)
    between, answered, _ = after.partition(_ANSWER)
    if not found or not answered or before.rstrip().endswith(_KNOWN):
        return None
    opening = _opening(before, begun)
    closing = _MARK.match(between.strip())
    if not opening or closing is None:
        return None
    ends = closing.group().rstrip()
    if max(len(opening), len(ends)) > _LONGEST_MARK or opening == ends or "\n" in opening:
        return None
    written = between[between.index(ends) + len(ends) :]
    is_words = not (opening[0] in "<[" and ends[0] in "<[")
    return Family(opening, ends, written, is_words=is_words)


def _opening(before: str, begun: str) -> str:
    """What stands before a trace; ``begun`` is the prompt, which may hold it already."""
    same = next(
        (at for at, (a, b) in enumerate(zip(before, begun, strict=False)) if a != b),
        min(len(before), len(begun)),
    )
    cut = before.rfind("<", 0, same)
    if ">" not in before[cut:same]:  # within a mark
        same = cut
    written = before[same:].strip()
    if written:
        return written
    last = _LAST_MARK.search(before.rstrip())
    return last.group() if last else before.rstrip().rpartition("\n")[2]
