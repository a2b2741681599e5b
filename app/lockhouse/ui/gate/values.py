"""What the Gate page shows, as values made away from the GUI thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.gate.records import KeptRecord, RecordFilter, Session
from lockhouse.gate.sent_requests import SentRequest
from lockhouse.ui import formatting
from lockhouse.ui.gate import words
from lockhouse.ui.gate.words import Sign


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One record as the table shows it."""

    seq: int
    record: Record
    sign: Sign
    time: str
    host: str
    purpose: str
    sent: str  # bytes out, in words
    came: str

    @property
    def opens(self) -> bool:
        """Whether there is more to show than the row has."""
        return self.record.kind in ("transfer", "refused", "allowed", "unsealed")


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records the filter takes. ``look`` tells pages of an earlier filter apart."""

    look: int
    total: int
    whole: int  # without the filter
    first_seq: int = 0  # another one when old records were removed


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them: page ``number`` counted from the oldest."""

    look: int
    number: int
    rows: tuple[RecordRow, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """An open row, and the request that left with it, where it was one with words of a person."""

    row: RecordRow
    sent: SentRequest | None
    address: str = ""  # of that request


@dataclass(frozen=True, slots=True)
class Told:
    """What the banner says of what was: the last change of the seal, and this session."""

    changed: Record | None = None
    session: Session | None = None


def make_rows(found: Sequence[KeptRecord], now: dt.datetime) -> tuple[RecordRow, ...]:
    """Everything that is said of these records."""
    return tuple(_row(kept, now) for kept in found)


def _row(kept: KeptRecord, now: dt.datetime) -> RecordRow:
    record = kept.record
    moves = record.kind in ("transfer", "refused")
    return RecordRow(
        kept.seq,
        record,
        words.sign_of(record),
        words.time_of(record, now),
        words.host_of(record),
        words.purpose_of(record),
        formatting.size(record.bytes_out) if moves else "",
        formatting.size(record.bytes_in) if moves else "",
    )


_KINDS: tuple[RecordKind, ...] = get_args(RecordKind)

# Which kinds each choice of the filter takes; an attempt is followed by what became of it.
FILTERS: dict[str, tuple[str, RecordFilter]] = {
    "": ("What happened", RecordFilter(tuple(kind for kind in _KINDS if kind != "allowed"))),
    "sent": ("Sent", RecordFilter(("transfer",))),
    "refused": ("Refused", RecordFilter(("refused",))),
    "switched": ("Opened and sealed", RecordFilter(("sealed", "unsealed"))),
    "keys": (
        "Keys and permissions",
        RecordFilter(
            ("key_set", "key_removed", "key_tested", "consent_given", "consent_withdrawn")
        ),
    ),
    "all": ("Everything, attempts too", RecordFilter()),
}
