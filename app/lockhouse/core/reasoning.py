"""Telling a model's reasoning trace from its answer while both stream in.

Every family marks its trace differently; the marks may be cut anywhere between two pieces, may
lack an opening because the prompt already contained it, and may be quoted in code or named in
prose, where they mean nothing. What is read here goes out as ("text" | "reasoning", piece) with
the marks removed. The work is linear in the length of the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from lockhouse.core.markdown_position import MarkdownPosition
from lockhouse.core.reasoning_families import (
    ANALYSIS,
    FAMILIES,
    HEADER,
    HEADER_END,
    HEADER_STARTS,
    LAST_WORDS,
    LONGEST_HEADER,
    MARKS,
    MESSAGE_ENDS,
    MESSAGE_FAMILIES,
    TO_SELF,
    WRAPPERS,
    Family,
    late_closings,
    opened_by_prompt,
)

__all__ = ["FAMILIES", "MARKS", "Family", "ReasoningSplitter", "opened_by_prompt"]

Kind = Literal["text", "reasoning"]
Pieces = Iterator[tuple[Kind, str]]

_MOST_REREAD = 8  # times that text is read again, because the trace had ended before it
_MOST_SPACE = 200  # held back around an answer
_QUOTES = "\"'“”‘’«([{"  # before a mark that is named, not written
_CLOSING_QUOTES = "\"'”’»)]}"
_CHANNEL = re.compile(r"<\|channel\|>\s*([\w-]*)")
_WORD = re.compile(r"\S")
_HEADER_WORDS = ("<|", "to=")
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")


class ReasoningSplitter:
    """Feed it pieces of an answer; it gives back pieces of text and of reasoning.

    ``inside`` names the family whose trace the prompt has already opened; ``prompt``, the end of
    the rendered prompt, tells this and more by itself. ``own`` is a family that is known from the
    model's template. ``asked`` are the words of the conversation: a wrapper that is asked for
    there belongs to the answer.
    """

    def __init__(
        self,
        inside: Family | None = None,
        *,
        prompt: str = "",
        own: Family | None = None,
        asked: str = "",
    ) -> None:
        listed = tuple(family for family in FAMILIES if not family.is_words)
        self._families = listed if own is None else (own, *listed)
        self._by_opening = {
            one.opening: one for one in self._families if one not in MESSAGE_FAMILIES
        }
        self._wrappers = tuple(
            wrapper for wrapper in WRAPPERS if not wrapper.is_soft or wrapper.opening not in asked
        )
        self.marks = MARKS if own is None else MARKS | {own.opening, own.closing}
        self._late = late_closings(self._families)
        self._pending = ""
        self._position = 0  # of ``pending`` in all that was fed
        self._genuine: set[int] = set()  # positions of tokens that are marks
        self._hidden: dict[int, int] = {}  # positions and lengths of what is not shown
        self._place = MarkdownPosition()
        self._doubt: _Doubt | None = None
        self._reread = 0
        self._pattern: _Pattern | None = None
        self._said: set[Kind] = set()
        self._gaps: set[Kind] = set()  # kinds whose next piece is set apart
        self._is_named = False  # an opening mark was named in the text
        self.trace_without_opening = False
        tail = prompt.rstrip()
        self._family = inside or (opened_by_prompt(tail, self._families) if tail else None)
        is_closed = bool(tail) and tail.endswith(tuple(one.closing for one in self._families))
        self._any_trace = self._family is not None or is_closed
        self._trim = self._family is not None  # drop white space at the start of a part
        self._at_start = self._family is None  # of an answer, where a wrapper may begin
        self._after_trace = is_closed
        self._wrapper_end = next(
            (one.closing for one in WRAPPERS if tail.endswith(one.opening)), ""
        )
        self._wrapper_is_soft = False
        self._in_header = self._family is None and tail.endswith(HEADER_STARTS[0])
        self._is_message = self._family in MESSAGE_FAMILIES or tail.endswith(HEADER_END)

    @property
    def inside(self) -> bool:
        """Whether the next text would belong to a trace."""
        return self._family is not None

    @property
    def ending(self) -> str:
        """What ends the trace we are in and has the answer begin."""
        return self._family.ending if self._family else ""

    def feed(self, piece: str, *, special: bool = False, hidden: bool = False) -> Pieces:
        """Split one more piece.

        ``special``: the model wrote it as one token of its own. ``hidden``: as a control token,
        which is not shown where it is no mark.
        """
        if special or hidden:
            at = self._position + len(self._pending)
            self._genuine.add(at)
            if hidden:
                self._hidden[at] = len(piece)
        self._pending += piece
        yield from self._scan(final=False)

    def finish(self) -> Pieces:
        """What was held back, when nothing more comes."""
        yield from self._scan(final=True)
        while self._doubt is not None:  # the code it stood in did not end: it was the end itself
            self._pending = self._end_at(self._doubt)
            self._position -= len(self._pending)
            yield from self._scan(final=True)

    # -- from mark to mark -------------------------------------------------------------------

    def _scan(self, *, final: bool) -> Pieces:
        text, at = self._pending, 0
        while at < len(text):
            begins = yield from self._begin(text, at, final=final)
            if begins is None:
                break
            if begins > at:
                at = begins
                continue
            pattern = self._marks()
            match = pattern.find.search(text, at)
            end = match.start() if match else pattern.safe_end(text, at, final=final)
            if end > at:
                again = yield from self._pass(text[at:end], self._position + at)
                at = end
                if again is not None:  # what was held belongs to the answer
                    held, position = again
                    text, at, self._position = held + text[at:], 0, position
                    continue
            if match is None:
                break
            mark = match.group()
            verdict = self._judge(mark, text, at, final=final)
            if verdict is None:
                break
            if verdict:
                yield from self._resolve_doubt()
                at = yield from self._take(mark, text, at)
            elif self._position + at in self._hidden:
                at += len(mark)
            else:
                yield from self._pass(text[at], self._position + at)
                at += 1
        self._pending = text[at:]
        self._position += at
        if self._genuine:
            self._genuine = {one for one in self._genuine if one >= self._position}

    def _begin(
        self, text: str, at: int, *, final: bool
    ) -> Generator[tuple[Kind, str], None, int | None]:
        """Go over what stands before a message or an answer; None where more has to be seen."""
        if self._in_header:
            verdict = self._judge_header(text, at, final=final)
            if verdict is None:
                return None
            self._in_header = False
            if verdict:
                return (yield from self._begin_message(text, at))
        if self._at_start and self._family is None:
            return self._read_start(text, at, final=final)
        return at

    def _marks(self) -> _Pattern:
        if self._pattern is None:
            if self._family is None:
                wanted = (*self._by_opening, *HEADER_STARTS)
                wanted += () if self._any_trace else self._late
                wanted += MESSAGE_ENDS if self._is_message else ()
                if self._wrapper_end:
                    wanted += (self._wrapper_end, "\n" + self._wrapper_end)
            elif self._is_message:
                wanted = (*MESSAGE_ENDS, *HEADER_STARTS)
            else:
                wanted = (self._family.closing,)
            self._pattern = _pattern(wanted)
        return self._pattern

    def _pass(
        self, chunk: str, position: int
    ) -> Generator[tuple[Kind, str], None, tuple[str, int] | None]:
        """Send what is between marks; returns what is to be read again, and its position."""
        end = position + len(chunk)
        chunk = self._shown(chunk, position)
        doubt = self._doubt
        if doubt is None:
            yield from self._emit(chunk)
            return None
        lines = re.findall(r"[^\n]+|\n", chunk)
        for number, line in enumerate(lines):
            if line == "\n" and not doubt.in_fence:  # what seemed code has no end on its line
                again = self._end_at(doubt) + "".join(lines[number:])
                return again, end - len(again)
            doubt.parts.append(line)
            self._place.advance(line)
            if not (self._place.fence if doubt.in_fence else self._place.in_code):
                yield from self._resolve_doubt()
                yield from self._emit("".join(lines[number + 1 :]))
                return None
        return None

    def _shown(self, chunk: str, position: int) -> str:
        """The chunk without control tokens."""
        if not self._hidden:
            return chunk
        end = position + len(chunk)
        for at in sorted(self._hidden, reverse=True):
            if at < end:
                length = self._hidden.pop(at)
                if at >= position:
                    chunk = chunk[: at - position] + chunk[at - position + length :]
        return chunk

    def _emit(self, piece: str) -> Pieces:
        if self._trim:
            piece = piece.lstrip()
        if not piece:
            return
        self._trim = False
        self._place.advance(piece)
        kind: Kind = "reasoning" if self._family is not None else "text"
        if kind in self._gaps:
            self._gaps.discard(kind)
            piece = "\n\n" + piece
        self._said.add(kind)
        yield kind, piece

    # -- what a mark means -------------------------------------------------------------------

    def _judge(self, mark: str, text: str, at: int, *, final: bool) -> bool | None:
        """Whether a mark is meant; None where what follows has to be seen first."""
        is_genuine = self._position + at in self._genuine
        behind = text[at + len(mark) : at + len(mark) + 2]
        is_known = final or len(behind) == 2 or "\n" in behind
        in_code = self._place.in_code
        if mark in HEADER_STARTS:
            if not is_genuine and (in_code or not (self._place.is_blank or self._is_message)):
                return False
            return self._judge_header(text, at, final=final)
        if self._family is not None:
            return self._judge_end(mark, behind, is_genuine=is_genuine, is_known=is_known)
        if self._wrapper_end and mark.endswith(self._wrapper_end):
            return self._judge_wrapper_end(mark, text, at, final=final)
        if mark in MESSAGE_ENDS:
            return is_genuine or not in_code
        if in_code:
            self._is_named = self._is_named or mark in self._by_opening
            return False
        if self._position + at in self._hidden:
            return True
        if not is_known:
            return None
        if mark in self._by_opening:
            meant = self._is_opening(mark, behind, is_genuine=is_genuine)
            self._is_named = self._is_named or not meant
            return meant
        return self._is_late_end(mark, behind, is_genuine=is_genuine)

    def _judge_end(
        self, mark: str, behind: str, *, is_genuine: bool, is_known: bool
    ) -> bool | None:
        place = self._place
        if is_genuine:
            return True
        if place.in_code:
            if self._doubt is None and self._reread < _MOST_REREAD:
                self._doubt = _Doubt(mark, in_fence=bool(place.fence))
                return False
            return self._doubt is None
        if self._family is not None and self._family.is_words:
            return place.is_blank
        if not is_known:
            return None
        is_quoted = place.last in _QUOTES and behind[:1] in _CLOSING_QUOTES
        is_word = place.last == " " and not place.is_blank and _goes_on(behind)
        return not (is_word or (place.last and behind and is_quoted))

    def _is_opening(self, mark: str, behind: str, *, is_genuine: bool) -> bool:
        place = self._place
        if self._by_opening[mark].is_words:
            return not self._said and place.is_blank
        if not place.is_blank:
            return is_genuine and not place.last.isspace() and place.last not in _QUOTES
        return not (self._said and _goes_on(behind))

    def _is_late_end(self, mark: str, behind: str, *, is_genuine: bool) -> bool:
        place = self._place
        if self._is_named:
            return False
        if place.is_blank or is_genuine:
            return not _goes_on(behind)
        return mark[0] in "<◁" and not place.last.isspace() and place.last not in _QUOTES

    def _judge_header(self, text: str, at: int, *, final: bool) -> bool | None:
        if HEADER.match(text, at):
            return True
        ahead = text[at : at + LONGEST_HEADER].lstrip(" ")
        is_none = final or len(ahead) > LONGEST_HEADER // 2 or "\n" in ahead
        begun = any(ahead.startswith(one) or one.startswith(ahead) for one in _HEADER_WORDS)
        return False if is_none or not begun else None

    def _judge_wrapper_end(self, mark: str, text: str, at: int, *, final: bool) -> bool | None:
        if self._place.in_code:
            return False
        behind = text[at + len(mark) : at + len(mark) + _MOST_SPACE]
        if not self._wrapper_is_soft:
            return True
        if behind.strip() or len(behind) == _MOST_SPACE:
            return False
        return True if final else None

    # -- what a mark does --------------------------------------------------------------------

    def _take(self, mark: str, text: str, at: int) -> Generator[tuple[Kind, str], None, int]:
        """Go over a mark that is meant; returns where it ends."""
        self._change()
        end = at + len(mark)
        was_trace = self._family is not None
        if was_trace:
            self._end_trace(mark)
        if mark in HEADER_STARTS:
            return (yield from self._begin_message(text, at))
        if was_trace:
            return end
        if mark in self._by_opening:
            self._begin_trace(self._by_opening[mark])
        elif self._wrapper_end and mark.endswith(self._wrapper_end):
            self._wrapper_end = ""
        elif mark in MESSAGE_ENDS:
            self._is_message = False
            self._gaps |= self._said
        else:
            self.trace_without_opening = "text" in self._said
            if self.trace_without_opening:
                self._said = {"reasoning"}
            self._end_trace(mark)
        return end

    def _change(self) -> None:
        self._pattern = None
        self._place.reset()
        self._trim = True

    def _begin_trace(self, family: Family) -> None:
        self._family = family
        self._any_trace = True
        self._at_start = False
        self._wrapper_end = ""
        self._gaps |= self._said & {"reasoning"}

    def _end_trace(self, mark: str) -> None:
        self._family = None
        self._any_trace = self._at_start = self._after_trace = True
        self._is_message = False
        self._wrapper_end, self._wrapper_is_soft = LAST_WORDS.get(mark, ""), True

    def _end_at(self, doubt: _Doubt) -> str:
        """The trace ended where it was in doubt; returns what came after, to be read again."""
        self._doubt = None
        self._reread += 1
        self._change()
        self._end_trace(doubt.mark)
        return "".join(doubt.parts)[len(doubt.mark) :]

    def _resolve_doubt(self) -> Pieces:
        """What was in doubt belongs to the trace."""
        doubt, self._doubt = self._doubt, None
        if doubt is not None:
            self._said.add("reasoning")
            yield "reasoning", "".join(doubt.parts)

    def _begin_message(self, text: str, at: int) -> Generator[tuple[Kind, str], None, int]:
        """Go over a header, which says what the words behind it are; returns where it ends."""
        match = HEADER.match(text, at)
        assert match is not None
        self._change()
        self._is_message, self._at_start = True, False
        channel, recipient = _CHANNEL.search(match.group()), _RECIPIENT.search(match.group())
        to = recipient.group(1) if recipient else ""
        if to == "self":
            self._begin_trace(TO_SELF)
        elif to and to != "user":  # a call, which is no part of the answer
            self._begin_trace(ANALYSIS)
            yield from self._emit(f"{to} ")
        elif channel and channel.group(1) == "analysis":
            self._begin_trace(ANALYSIS)
        else:
            self._any_trace = True
            self._gaps |= self._said & {"text"}
        return match.end()

    def _read_start(self, text: str, at: int, *, final: bool) -> int | None:
        """Go over a wrapper's mark before an answer; None where more has to be seen."""
        word = _WORD.search(text, at)
        if word is None:
            if final or len(text) - at > _MOST_SPACE:
                self._at_start = False
                return at
            return None
        begins = word.start()
        soft = self._after_trace and text.count("\n", at, begins) <= 1
        for wrapper in self._wrappers:
            if wrapper.is_soft and not soft:
                continue
            if text.startswith(wrapper.opening, begins):
                self._change()
                self._at_start = False
                self._wrapper_end, self._wrapper_is_soft = wrapper.closing, wrapper.is_soft
                return begins + len(wrapper.opening)
            ahead = text[begins : begins + len(wrapper.opening)]
            if not final and wrapper.opening.startswith(ahead):
                return None
        self._at_start = False
        return at


def _goes_on(behind: str) -> bool:
    """Whether a sentence goes on behind a mark, which is then named and not written."""
    return len(behind) > 1 and behind[0] == " " and behind[1].islower()


@dataclass(slots=True)
class _Doubt:
    """The end of a trace within what may be code, and what came since."""

    mark: str
    in_fence: bool
    parts: list[str] = field(default_factory=list)


class _Pattern(NamedTuple):
    """Marks to look for."""

    marks: tuple[str, ...]
    find: re.Pattern[str]
    firsts: re.Pattern[str]
    longest: int

    def safe_end(self, text: str, at: int, *, final: bool) -> int:
        """Up to where a text holds no beginning of a mark."""
        if final:
            return len(text)
        for begin in self.firsts.finditer(text, max(at, len(text) - self.longest + 1)):
            tail = text[begin.start() :]
            if any(mark.startswith(tail) for mark in self.marks):
                return begin.start()
        return len(text)


@functools.lru_cache(maxsize=64)
def _pattern(marks: tuple[str, ...]) -> _Pattern:
    alternatives = sorted(set(marks), key=len, reverse=True)
    letters = "".join(sorted({mark[0] for mark in alternatives}))
    return _Pattern(
        marks,
        re.compile("|".join(map(re.escape, alternatives))),
        re.compile(f"[{re.escape(letters)}]"),
        len(alternatives[0]),
    )
