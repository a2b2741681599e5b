"""One message, and what the view remembers of it while no card shows it.

Parsed blocks, their heights, whether the reasoning is open, text that is still coming. Hides when
Markdown is read: not before a message is looked at, and while it streams only its open end.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lockhouse.ui.markdown import (
    Block,
    CodeBlock,
    MarkdownStream,
    Paragraph,
    Run,
    TextBlock,
    parse,
)
from lockhouse.ui.markdown.blocks import plain_text
from lockhouse.ui.transcript.heights import Heights
from lockhouse.ui.transcript.values import Progress, TranscriptMessage

FOLD_CHARS = 3000
FOLD_LINES = 30
_CHUNK_CHARS = 4000
_FILE_CHARS = 6000
_FILE_LINES = 120
_FILE_ROW = 32  # about the height of a file button
_NO_HEIGHTS = Heights()


class Item:
    """A message in the list.

    ``shown`` are its blocks as last looked at, ``rows`` their heights with the gap above each,
    ``measured`` whether a height was laid out at ``layout_key`` or is a guess.
    """

    __slots__ = (
        "_blocks",
        "_reasoning",
        "_settled",
        "_stream",
        "_text",
        "edit_text",
        "gaps",
        "layout_key",
        "measured",
        "message",
        "open_files",
        "progress",
        "reasoning_open",
        "rows",
        "shown",
        "thinking_since",
        "thought_for",
        "unfolded",
    )

    def __init__(self, message: TranscriptMessage) -> None:
        self.message = message
        self.reasoning_open = False
        self.edit_text: str | None = None  # what stands in the editor while it is edited
        self.unfolded = False
        self.open_files: frozenset[int] = frozenset()
        self.progress: Progress | None = None
        self.thinking_since: float | None = None
        self.thought_for = message.reasoning_seconds
        self.layout_key: tuple[object, ...] = ()
        self.shown: list[Block] = []
        self.rows: Heights = _NO_HEIGHTS
        self.gaps: list[int] = []
        self.measured: list[bool] = []
        self._settled = 0  # blocks at the front that are final and have been looked at
        self._blocks: tuple[Block, ...] | None = None
        self._stream: MarkdownStream | None = None
        self._text: list[str] | None = None
        self._reasoning: list[str] | None = None
        self._begin()

    def _begin(self) -> None:
        self._text = self._reasoning = None  # thousands of items hold no list of their own
        if self.streaming and self.message.role == "assistant":
            self._stream = MarkdownStream()
            self._stream.feed(self.message.text)
        else:
            self._stream = None

    @property
    def streaming(self) -> bool:
        return self.message.status == "streaming"

    @property
    def thinking(self) -> bool:
        """Reasoning streams in and the answer has not begun."""
        return self.streaming and self.thinking_since is not None and self.thought_for is None

    def text(self) -> str:
        if self._text is None:
            return self.message.text
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0]

    def words(self) -> str:
        """The text without the files in front of it."""
        start = self.message.words_from
        return self.text()[start:] if start else self.text()

    def searched(self) -> str:
        """The text that is searched."""
        return plain_text(self.blocks()) if self.message.files else self.text()

    def toggle_file(self, number: int) -> None:
        """Show or hide the text of an attached file."""
        self.open_files = self.open_files ^ {number}
        self._blocks = None
        self._settled = 0

    def reasoning(self) -> str:
        if self._reasoning is None:
            return self.message.reasoning
        if len(self._reasoning) > 1:
            self._reasoning = ["".join(self._reasoning)]
        return self._reasoning[0]

    def thinking_seconds(self) -> float | None:
        if self.thought_for is not None:
            return self.thought_for
        if self.thinking_since is not None:
            return time.monotonic() - self.thinking_since
        return None

    def add(self, text: str, reasoning: str) -> None:
        """More of the answer, or of its reasoning."""
        if reasoning:
            self.progress = None
            if self.thinking_since is None:
                self.thinking_since = time.monotonic()
            self._reasoning = [self.reasoning(), reasoning]
        if text:
            self.progress = None
            if self.thinking_since is not None and self.thought_for is None:
                self.thought_for = time.monotonic() - self.thinking_since
            self._text = [self.text(), text]
            if self._stream is not None:
                self._stream.feed(text)
            else:
                self._blocks = None
                self._settled = 0

    def replace_message(self, message: TranscriptMessage) -> None:
        """Show another state of the message; blocks that stay equal are not drawn again.

        A stream that goes on keeps what it has: what was stored of it may be a little behind.
        """
        text, reasoning = self.text(), self.reasoning()
        self.message = message
        if message.reasoning_seconds is not None:
            self.thought_for = message.reasoning_seconds
        if self._stream is not None and self.streaming and text.startswith(message.text):
            self._text, self._reasoning = [text], [reasoning]
            return
        self.progress = None
        if self._stream is not None and message.text == text and not self.streaming:
            self._blocks = self._stream.finish()
        elif message.text != text:
            self._blocks = None
            self._settled = 0
        self._begin()

    def restart(self, message: TranscriptMessage) -> None:
        """Discard what has arrived: the stream starts again from this message."""
        self.message = message
        self.progress = None
        self.thinking_since = self.thought_for = None
        self._blocks = None
        self._settled = 0
        self._begin()

    def blocks(self) -> tuple[Block, ...]:
        """The blocks to draw now."""
        if self._stream is not None:
            return self._stream.blocks()
        if self._blocks is None:
            answer = self.message.role == "assistant"
            own = parse(self.text()) if answer else self._own_words()
            self._blocks = (*self._opened(), *own)
        return self._blocks

    def look(self, gap: Callable[[Block | None, Block], int], guess: Callable[[Block], int]) -> int:
        """Update ``shown`` and its heights; returns the first block that may be new."""
        blocks = self.blocks()
        first = min(self._settled, len(self.shown), len(blocks))
        old = [self.rows[i] - self.gaps[i] for i in range(first, len(self.shown))]
        if self.rows is _NO_HEIGHTS:
            self.rows = Heights()
        self.rows.truncate(first)
        del self.shown[first:], self.gaps[first:], self.measured[first:]
        for index in range(first, len(blocks)):
            block = blocks[index]
            above = gap(blocks[index - 1] if index else None, block)
            at = index - first
            height = old[at] if at < len(old) else guess(block)
            self.rows.append(above + height)
            self.gaps.append(above)
            self.measured.append(False)
            self.shown.append(block)
        self._settled = self._stream.frozen if self._stream is not None else len(blocks)
        return first

    def is_final(self, index: int) -> bool:
        """Whether a block will never change again."""
        return index < self._settled

    def lay_out_for(self, key: tuple[object, ...]) -> None:
        """Heights measured for another width or theme become estimates."""
        if key != self.layout_key:
            self.layout_key = key
            self.measured = [False] * len(self.shown)

    def measure(self, index: int, height: int) -> None:
        self.rows.set(index, self.gaps[index] + height)
        self.measured[index] = True

    def remake_rows(self) -> None:
        """The zoom changed: so do the gaps."""
        self._settled = 0
        self.layout_key = ()

    def forget_blocks(self) -> None:
        """Drop the parsed text; it is parsed again when shown."""
        if self._stream is None:
            self._blocks = None

    def unfold(self) -> None:
        self.unfolded = True
        self._blocks = None
        self._settled = 0

    def folded_chars(self) -> int:
        """How many characters of a long question are not shown."""
        if self.unfolded or self.message.role == "assistant":
            return 0
        text = self.words()
        return len(text) - len(_fold(text))

    def _opened(self) -> list[Block]:
        """The texts of the files that are shown."""
        blocks: list[Block] = []
        for number, file in enumerate(self.message.files):
            if number in self.open_files:
                blocks += _file_blocks(file.text)
        return blocks

    def _own_words(self) -> tuple[Block, ...]:
        blocks: list[Block] = []
        text = self.words() if self.unfolded else _fold(self.words())
        if text or not (self.message.files or self.message.pictures):
            blocks += [TextBlock((Paragraph((Run(chunk),)),)) for chunk in _chunks(text)]
        return tuple(blocks)

    def estimated_height(self, chars_a_line: int, line: int) -> float:
        """A first guess from the length of the text, before anything is laid out."""
        text = self.words()
        if self.message.role != "assistant":
            text = text[:FOLD_CHARS]
        lines = 1 + text.count("\n") + len(text) // chars_a_line
        return 60.0 + lines * line + len(self.message.files) * _FILE_ROW


def _file_blocks(text: str) -> list[Block]:
    """The beginning of a file; the rest is left out."""
    shown = "\n".join(text[:_FILE_CHARS].split("\n")[:_FILE_LINES])
    blocks: list[Block] = [CodeBlock(shown)]
    if rest := len(text) - len(shown):
        more = Run(f"and {rest:,} more characters", dim=True)
        blocks.append(TextBlock((Paragraph((more,)),)))
    return blocks


def _fold(text: str) -> str:
    if len(text) <= FOLD_CHARS + 500 and text.count("\n") <= FOLD_LINES + 5:
        return text
    head = text[:FOLD_CHARS].split("\n")
    return "\n".join(head[:FOLD_LINES])


def _chunks(text: str) -> list[str]:
    """Parts small enough to lay out at once, cut at line ends where possible."""
    if not text:
        return [""]
    chunks: list[str] = []
    while len(text) > _CHUNK_CHARS:
        cut = text.rfind("\n", _CHUNK_CHARS // 4, _CHUNK_CHARS)
        if cut < 0:
            cut = text.rfind(" ", _CHUNK_CHARS // 4, _CHUNK_CHARS)
        cut = _CHUNK_CHARS if cut < 0 else cut
        chunks.append(text[:cut])
        text = text[cut:].removeprefix("\n")
    chunks.append(text)
    return chunks
