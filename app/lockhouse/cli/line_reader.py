"""Reads messages from the keyboard or a pipe, and hides what is typed during an answer.

Hides line editing, messages of several lines, the difference between a keyboard and a pipe, and
the settings of the terminal: what is typed during an answer, and the mark of Ctrl-C, is not shown
then, and always is again afterwards, whatever ends the program short of SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from lockhouse.cli import output
from lockhouse.cli.options import decode

if sys.platform != "win32":
    import termios

_PROMPT = "> "
_MORE = "… "
_BLOCK = '"""'


class LineReader:
    """Reads messages. ``is_person``: from a keyboard, not a pipe."""

    def __init__(self) -> None:
        self.is_person = output.is_terminal(sys.stdin)
        self._lines = 0
        if self.is_person:
            with contextlib.suppress(ImportError):  # Windows has line editing of its own
                import readline

                readline.set_history_length(1000)

    def remember(self, text: str) -> None:
        """Add a message to the history of the arrow keys."""
        if self.is_person and "\n" not in text:
            with contextlib.suppress(ImportError):
                import readline

                readline.add_history(text)

    def read(self) -> str | None:
        """The next message; None at the end. Ctrl-C only discards the current line."""
        while True:
            try:
                return self._read_message()
            except KeyboardInterrupt:
                if not self.is_person:
                    raise
                output.note("  (Ctrl-D or /exit leaves)")
            except UnicodeDecodeError:
                output.note("That is not valid UTF-8. Type it again.")

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


@contextlib.contextmanager
def unseen_typing() -> Iterator[None]:
    """Keep what is typed within for the next prompt, without showing it."""
    if not _can_hide():
        yield
        return
    # These end or suspend the program at once; the caller handles the others.
    numbers = (signal.SIGTSTP, signal.SIGQUIT)
    before = {number: signal.signal(number, _show_and_raise) for number in numbers}
    _set_echo(shown=False)
    try:
        yield
    finally:
        _set_echo(shown=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _can_hide() -> bool:
    """Whether a terminal shows what is typed and the answer."""
    if sys.platform == "win32" or not output.is_terminal(sys.stdin):
        return False
    if not output.is_terminal(sys.stdout):
        return False  # a pager at the other end has its own settings
    try:
        return bool(termios.tcgetattr(sys.stdin)[3] & termios.ECHO) and _is_in_front()
    except termios.error:
        return False


def _is_in_front() -> bool:
    """Whether we are in the foreground: a background process would be stopped."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return True  # not the terminal of our session


def _set_echo(*, shown: bool) -> None:
    if not _is_in_front():
        return
    with contextlib.suppress(termios.error):  # the terminal may have gone
        settings = termios.tcgetattr(sys.stdin)
        settings[3] = settings[3] | termios.ECHO if shown else settings[3] & ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)


def _show_and_raise(number: int, _: FrameType | None) -> None:
    """Show typing again, do what the signal does by default, and continue if that allows it."""
    _set_echo(shown=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.signal(number, _show_and_raise)
    _set_echo(shown=False)
