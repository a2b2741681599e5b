"""What a person types, or a pipe feeds, into a conversation: one message at a time.

Hides line editing, messages of several lines, and the difference between a keyboard and a pipe.
"""

from __future__ import annotations

import contextlib
import sys

from lockhouse.cli import output
from lockhouse.cli.options import decode

_PROMPT = "> "
_MORE = "… "
_BLOCK = '"""'


class LineReader:
    """Reads messages. ``is_person`` tells a keyboard from a pipe."""

    def __init__(self) -> None:
        self.is_person = output.is_terminal(sys.stdin)
        self._lines = 0
        if self.is_person:
            with contextlib.suppress(ImportError):  # Windows has line editing of its own
                import readline

                readline.set_history_length(1000)

    def remember(self, text: str) -> None:
        """Let the arrow keys bring back an earlier message."""
        if self.is_person and "\n" not in text:
            with contextlib.suppress(ImportError):
                import readline

                readline.add_history(text)

    def read(self) -> str | None:
        """The next message; None at the end. Ctrl-C only discards what was being typed."""
        while True:
            try:
                return self._read_message()
            except KeyboardInterrupt:
                if not self.is_person:
                    raise
                output.note("  (Ctrl-D or /exit leaves)")
            except UnicodeDecodeError:
                output.note("That was not valid UTF-8; please type it again.")

    def _read_message(self) -> str | None:
        line = self._read_line(_PROMPT)
        if line is None:
            if self.is_person:
                output.note("")
            return None
        if line.lstrip().startswith(_BLOCK):
            return self._read_block(line.lstrip().removeprefix(_BLOCK))
        parts = [line]
        while parts[-1].endswith("\\"):
            parts[-1] = parts[-1][:-1]
            following = self._read_line(_MORE)
            if following is None:
                break
            parts.append(following)
        return "\n".join(parts)

    def _read_block(self, first: str) -> str:
        if first.rstrip().endswith(_BLOCK):
            return first.rstrip().removesuffix(_BLOCK)
        parts = [first] if first.strip() else []
        while (line := self._read_line(_MORE)) is not None:
            if line.rstrip().endswith(_BLOCK):
                last = line.rstrip().removesuffix(_BLOCK)
                parts += [last] if last.strip() else []
                break
            parts.append(line)
        return "\n".join(parts)

    def _read_line(self, prompt: str) -> str | None:
        if self.is_person:
            try:
                return input(prompt)
            except EOFError:
                return None
        data = sys.stdin.buffer.readline()
        self._lines += 1
        return decode(data, f"Line {self._lines}").rstrip("\r\n") if data else None
