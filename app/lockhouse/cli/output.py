"""What commands print: results to standard output, everything else to standard error.

Hides the streams: their encoding, whether they are terminals, colours, and that a reader may
close the pipe early. All that goes to a terminal passes here, and no text can steer it, whether a
model, a file or a server wrote it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

import click
import msgspec

# Control characters but tab and newline, the C1 codes, other ends of lines, marks that reorder
# text, and tags, which nobody sees.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
_CODES = {"dim": "2", "bold": "1", "green": "32", "yellow": "33", "red": "31"}
# What is half a character, as bytes of file names are that are no UTF-8.
_STEERS_OR_HALF = re.compile(f"{_CONTROL.pattern}|[\ud800-\udfff]")
Style = Literal["dim", "bold", "green", "yellow", "red"]
_JSON = "lockhouse.json"  # where the choice is kept
_CLEAR_LINE = "\r\x1b[2K"


class Styled(NamedTuple):
    """A piece of text that is set off where the terminal can."""

    text: str
    style: Style


def prepare_streams() -> None:
    """Replace text that the terminal cannot show instead of crashing; write UTF-8 to pipes.

    A pipe for results gets names of files that are not UTF-8 as the bytes that they are.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller
            nothing = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for good
            setattr(sys, name, nothing)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            if stream.isatty():
                reconfigure(errors="replace")
            else:  # both at once: an encoding alone makes it strict again
                errors = "surrogateescape" if stream is sys.stdout else "replace"
                reconfigure(encoding="utf-8", errors=errors)


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def has_colour(stream: TextIO) -> bool:
    """Whether the stream may carry colours."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and _understands_ansi()


def _understands_ansi() -> bool:
    return os.environ.get("TERM", "") not in {"", "dumb"}


def _send(stream: TextIO, *pieces: str | Styled) -> None:
    """Write pieces; to a terminal without control characters. A pipe gets them as they are."""
    if is_terminal(stream):
        pieces = tuple(
            Styled(_CONTROL.sub("", piece.text), piece.style)
            if isinstance(piece, Styled)
            else _CONTROL.sub("", piece)
            for piece in pieces
        )
    coloured = has_colour(stream)
    for piece in pieces:
        if not isinstance(piece, Styled):
            stream.write(piece)
        elif coloured:
            stream.write(f"\x1b[{_CODES[piece.style]}m{piece.text}\x1b[0m")
        else:
            stream.write(piece.text)
    stream.flush()


def write(*pieces: str | Styled) -> None:
    """Write a piece of the result."""
    _send(sys.stdout, *pieces)


def write_line(*pieces: str | Styled) -> None:
    """Write a line of the result."""
    _send(sys.stdout, *pieces, "\n")


def write_aside(text: str) -> None:
    """Write a piece of what is not the result, dimmed, to standard error."""
    _send(sys.stderr, Styled(text, "dim"))


def write_json(value: object) -> None:
    """Write the result as one JSON value."""
    _write_json(value, indent=2)


def write_json_line(value: object) -> None:
    """Write one event of a result as a line of JSON."""
    _write_json(value, indent=None)


def _write_json(value: object, *, indent: int | None) -> None:
    """Characters that could steer a terminal, and halves, are escaped: the same in JSON."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    sys.stdout.write(_STEERS_OR_HALF.sub(_escaped, text) + "\n")
    sys.stdout.flush()


def _escaped(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1]


def keep_choice_of_json(ctx: click.Context, _option: click.Parameter, chosen: bool) -> None:  # noqa: FBT001 - click's own shape
    """The callback of ``--json``."""
    ctx.meta[_JSON] = chosen


def is_json() -> bool:
    """Whether the command that runs was called with ``--json``."""
    return bool(click.get_current_context().meta.get(_JSON))


def wrote_json(value: object) -> bool:
    """Write the result as JSON, if that was asked for; whether it was."""
    if chosen := is_json():
        write_json(value)
    return chosen


def write_outcome(value: object, text: str) -> None:
    """Write the result, as JSON or as a line of text."""
    if not wrote_json(value):
        write_line(text)


def write_result(value: object, text: str) -> None:
    """Write what was done: as JSON, or as a sentence that is no result for another program."""
    if not wrote_json(value):
        note(text)


def note(text: str) -> None:
    """Write something that is not the result to standard error."""
    try:
        _send(sys.stderr, text, "\n")
    except OSError:  # nobody reads it, or its disk is full
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Write nothing more there, now or when Python exits: nobody reads it, or a disk is full."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def plain(value: object) -> Any:
    """A value in the types of JSON."""
    return msgspec.to_builtins(value, enc_hook=_in_words, str_keys=True)


def _in_words(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def write_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under their headings, columns as wide as needed, numbers aligned right."""
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [list(headings), *([text for text, _ in row] for row in cells)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headings))]
    to_the_right = [
        bool(cells) and all(is_number for _, is_number in column)
        for column in zip(*cells, strict=True)
    ] or [False] * len(headings)
    for number, row in enumerate(texts):
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, to_the_right, strict=True)
        ]
        line = "  ".join(parts).rstrip()
        write_line(Styled(line, "dim") if number == 0 else line)


def write_list(
    found: Sequence[Any],
    headings: Sequence[str],
    row: Callable[[Any], Sequence[object]],
    *,
    empty: str = "",
    json_value: object = None,
) -> bool:
    """Write values as JSON, or as a table with a row for each; whether a table was written.

    ``empty`` is noted instead of a table without rows, ``json_value`` written instead of values.
    """
    if wrote_json(found if json_value is None else json_value):
        return False
    if not found and empty:
        note(empty)
    else:
        write_table(headings, map(row, found))
        return True
    return False


def _cell(value: object) -> tuple[str, bool]:
    if isinstance(value, bool):
        return ("yes" if value else "no"), False
    if isinstance(value, int | float):
        return (f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"), True
    text = "" if value is None else str(value)
    return _CONTROL.sub(" ", text.replace("\n", " ")), False


def write_facts(facts: Mapping[str, object]) -> None:
    """Write names and values, one pair per line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        write_line(f"{name.ljust(width)}  {_cell(value)[0]}")


def size(size_bytes: int) -> str:
    """A number of bytes for people."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def count(number: int, noun: str) -> str:
    """A number of things for people."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def when(moment: datetime) -> str:
    """A time for people, in their own zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


class StatusLine:
    """One line on standard error that shows what the command is waiting for. None on a pipe."""

    def __init__(self) -> None:
        self._active = is_terminal(sys.stderr) and _understands_ansi()
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._active and text != self._shown:
            self._shown = text
            sys.stderr.write(_CLEAR_LINE)
            write_aside(text.replace("\n", " "))

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._shown = ""
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for bytes done and total, which shows them on a line until the end."""
    line = StatusLine()
    began = time.monotonic()

    def show(done: int, total: int) -> None:
        share = done / total if total else 1.0
        passed_s = time.monotonic() - began
        speed = f", {size(int(done / passed_s))}/s" if passed_s > 1 else ""
        line.show(f"{what}: {share:.0%} of {size(total)}{speed}".replace("%", " %"))

    try:
        yield show
    finally:
        line.clear()
