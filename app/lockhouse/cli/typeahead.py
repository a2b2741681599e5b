"""Keeps what is typed while an answer comes out of the answer.

Hides the terminal's settings: what is typed, and the mark of Ctrl-C, is not shown meanwhile, and
always is again afterwards, whatever ends the program short of SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from lockhouse.cli import output

if sys.platform != "win32":
    import termios


@contextlib.contextmanager
def unseen_typing() -> Iterator[None]:
    """What is typed within is kept for the next prompt, and not shown before."""
    if not _is_ours():
        yield
        return
    # These end or suspend the program without asking it; the others are seen to by the caller.
    numbers = (signal.SIGTSTP, signal.SIGQUIT)
    before = {number: signal.signal(number, _echo_and_obey) for number in numbers}
    _set_echo(shown=False)
    try:
        yield
    finally:
        _set_echo(shown=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_ours() -> bool:
    """Whether there is a terminal here that shows what is typed, and our answer."""
    if sys.platform == "win32" or not output.is_terminal(sys.stdin):
        return False
    if not output.is_terminal(sys.stdout):
        return False  # a pager at the other end has settings of its own
    try:
        return bool(termios.tcgetattr(sys.stdin)[3] & termios.ECHO) and _is_in_front()
    except termios.error:
        return False


def _is_in_front() -> bool:
    """Whether the terminal listens to us: one in the background is stopped for setting it."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return True  # not the terminal of our session, so nobody minds


def _set_echo(*, shown: bool) -> None:
    if not _is_in_front():
        return
    with contextlib.suppress(termios.error):  # the terminal may have gone
        settings = termios.tcgetattr(sys.stdin)
        settings[3] = settings[3] | termios.ECHO if shown else settings[3] & ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)


def _echo_and_obey(number: int, _: FrameType | None) -> None:
    """Show typing again, do what the signal does by itself, and go on if that lets us."""
    _set_echo(shown=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.signal(number, _echo_and_obey)
    _set_echo(shown=False)
