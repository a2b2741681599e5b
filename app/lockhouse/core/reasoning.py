"""Telling a model's reasoning trace from its answer while both stream in.

Every family marks its trace differently; the marks may be cut anywhere between two pieces, may
lack an opening because the prompt already contained it, and may be quoted in code, where they
mean nothing. What is read here goes out as ("text" | "reasoning", piece) with the marks removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "reasoning"]


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models marks its trace."""

    opening: str
    closing: str
    after: tuple[str, ...] = ()  # marks to drop where the answer begins or ends


FAMILIES: tuple[Family, ...] = (
    Family("<think>", "</think>"),
    Family("<thinking>", "</thinking>"),
    Family("<reason>", "</reason>"),
    Family("<reasoning>", "</reasoning>"),
    Family("<thought>", "</thought>"),
    Family("<Thought>", "</Thought>"),
    Family("<seed:think>", "</seed:think>"),
    Family(
        "<|begin_of_thought|>",
        "<|end_of_thought|>",
        ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ),
    Family(
        "<|channel|>analysis<|message|>",
        "<|end|>",
        ("<|start|>assistant", "<|channel|>final<|message|>", "<|return|>"),
    ),
    Family("<|channel|>final<|message|>", "", ("<|return|>",)),
    Family("<|channel>thought", "<channel|>"),
    Family("<|think|>", "<|end|>", ("<|content|>",)),
)
_BY_OPENING = {family.opening: family for family in FAMILIES}
MARKS: frozenset[str] = frozenset(
    part
    for family in FAMILIES
    for mark in (family.opening, family.closing, *family.after)
    for part in (mark, *re.findall(r"<\|?[a-z:_]+\|?>", mark))
    if part
)
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")


def opened_by_prompt(prompt: str) -> Family | None:
    """The family whose trace the rendered prompt has already opened, if any."""
    tail = prompt.rstrip()
    for family in FAMILIES:
        if family.closing and tail.endswith(family.opening):
            return family
    return None


class ReasoningSplitter:
    """Feed it pieces of an answer; it gives back pieces of text and of reasoning.

    ``inside`` names the family whose trace the prompt has already opened.
    """

    def __init__(self, inside: Family | None = None) -> None:
        self._family = inside
        self._pending = ""
        self._line = ""  # the current line so far, to know where a line starts
        self._fence = ""  # the mark that opened the code block we are in
        self._trim = inside is not None  # drop white space at the start of a part
        self._drop_marks: tuple[str, ...] = ()
        self._any_text = False
        self._any_trace = inside is not None
        self.trace_without_opening = False

    @property
    def inside(self) -> bool:
        """Whether the next text would belong to a trace."""
        return self._family is not None

    @property
    def closing_mark(self) -> str:
        """What ends the trace we are in."""
        return self._family.closing if self._family else ""

    def feed(self, piece: str, *, special: bool = False) -> Iterator[tuple[Kind, str]]:
        """Split one more piece. ``special``: the model wrote it as one token of its own."""
        if not self._pending and "<" not in piece:  # no mark begins here: nearly every piece
            yield from self._emit(piece)
            return
        if special and self._pending and not self._could_extend(piece):
            yield from self._emit(self._take_pending())
        self._pending += piece
        yield from self._scan(genuine=special)

    def finish(self) -> Iterator[tuple[Kind, str]]:
        """What was held back, when nothing more comes."""
        yield from self._emit(self._take_pending())

    # -- inside ----------------------------------------------------------------------------

    def _take_pending(self) -> str:
        pending, self._pending = self._pending, ""
        return pending

    def _could_extend(self, piece: str) -> bool:
        joined = self._pending + piece
        return any(mark.startswith(joined) or joined.startswith(mark) for mark in self._wanted())

    def _wanted(self) -> tuple[str, ...]:
        if self._family is not None:
            return (self._family.closing,)
        openings = tuple(_BY_OPENING)
        endings = () if self._any_trace else ("</think>",)
        return openings + endings + self._drop_marks

    def _scan(self, *, genuine: bool) -> Iterator[tuple[Kind, str]]:
        while self._pending:
            at, mark = self._earliest_mark(genuine=genuine)
            if mark:
                yield from self._emit(self._pending[:at])
                self._pending = self._pending[at + len(mark) :]
                self._take_mark(mark)
                continue
            keep = self._held_back()
            ready = self._pending[: len(self._pending) - keep]
            self._pending = self._pending[len(self._pending) - keep :]
            yield from self._emit(ready)
            return

    def _earliest_mark(self, *, genuine: bool) -> tuple[int, str]:
        best, found = len(self._pending), ""
        for mark in self._wanted():
            at = self._pending.find(mark)
            while at >= 0 and not (genuine or self._counts_at(at, mark)):
                at = self._pending.find(mark, at + 1)
            if 0 <= at < best or (at == best and len(mark) > len(found)):
                best, found = at, mark
        return best, found

    def _counts_at(self, at: int, mark: str) -> bool:
        """Whether a mark at this place is meant: never in code; an opening only on a new line."""
        line, fence = self._line, self._fence
        for character in self._pending[:at]:
            line, fence = _advance(line, fence, character)
        if fence or line.count("`") % 2:
            return False
        return mark not in _BY_OPENING or not line.strip()

    def _held_back(self) -> int:
        """How much of the end could be the beginning of a mark."""
        longest = max((len(mark) for mark in self._wanted()), default=1)
        for length in range(min(longest - 1, len(self._pending)), 0, -1):
            tail = self._pending[-length:]
            if any(mark.startswith(tail) for mark in self._wanted()):
                return length
        return 0

    def _take_mark(self, mark: str) -> None:
        self._line, self._fence = "", ""
        if mark in _BY_OPENING and _BY_OPENING[mark].closing and self._family is None:
            self._family = _BY_OPENING[mark]
            self._any_trace = True
        elif self._family is not None:
            self._drop_marks = self._family.after
            self._family = None
        elif mark == "</think>":
            self._any_trace = True
            self.trace_without_opening = self._any_text
        elif mark in _BY_OPENING:
            self._drop_marks = _BY_OPENING[mark].after
        self._trim = True

    def _emit(self, piece: str) -> Iterator[tuple[Kind, str]]:
        if self._trim:
            piece = piece.lstrip()
        if not piece:
            return
        self._trim = False
        if "\n" not in piece:
            self._line += piece
        else:
            for character in piece:
                self._line, self._fence = _advance(self._line, self._fence, character)
        if self._family is None:
            self._any_text = True
        yield ("reasoning" if self._family is not None else "text"), piece


def _advance(line: str, fence: str, character: str) -> tuple[str, str]:
    """The line and the open code fence after one more character."""
    if character != "\n":
        return line + character, fence
    match = _FENCE.match(line)
    if match and not fence:
        return "", match.group(1)
    if match and fence and match.group(1).startswith(fence):
        return "", ""
    return "", fence


class StopMatcher:
    """Cuts a stream at the first stop string, holding back what could become one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.met = False

    def feed(self, piece: str) -> tuple[str, bool]:
        """(text that is safe to show, whether a stop string was met)."""
        if not self._stops:
            return piece, False
        self._held += piece
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            ready, self._held = self._held[: min(found)], ""
            self.met = True
            return ready, True
        keep = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._held)), keep, -1):
                if stop.startswith(self._held[-length:]):
                    keep = length
                    break
        cut = len(self._held) - keep
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready, False

    def finish(self) -> str:
        """What was held back, when nothing more comes."""
        ready, self._held = self._held, ""
        return ready
