"""Ids, times and text in the form in which they are kept."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS = 9
_RANDOM_DIGITS = 9
ID_LENGTH = _TIME_DIGITS + _RANDOM_DIGITS


def new_id() -> str:
    """A short unique text; later ones sort after earlier ones (to the millisecond)."""
    moment = _in_digits(time.time_ns() // 1_000_000, _TIME_DIGITS)
    return moment + _in_digits(int.from_bytes(os.urandom(16), "big"), _RANDOM_DIGITS)


def _in_digits(number: int, count: int) -> str:
    """The last ``count`` digits of a number."""
    digits = []
    for _ in range(count):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def is_id(text: object) -> bool:
    """Whether ``text`` could have come from :func:`new_id`."""
    return isinstance(text, str) and len(text) == ID_LENGTH and all(c in _DIGITS for c in text)


def now() -> str:
    """The present moment, as kept."""
    return kept_time(datetime.now(UTC))


def kept_time(moment: datetime) -> str:
    """Text of one length in one zone, so that it sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def storable(text: str) -> str:
    """``text`` without what cannot be written as UTF-8.

    Two halves of a character that arrived apart are joined; a lone half is replaced.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
