"""One record as a person reads it: what happened with an icon, when, to which host and what for.

Records hold short codes. Every code that is shown is turned into words here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from lockhouse.gate.protocol import Record, RecordKind
from lockhouse.gate.records import KeptRecord, RecordFilter, Term
from lockhouse.gate.sent_requests import linked
from lockhouse.ui import formatting


class Sign(NamedTuple):
    """What happened: always icon and word together."""

    word: str
    icon: str
    ink: str


_SIGNS = {
    "allowed": Sign("Attempt", "circle-dashed", "text-2"),
    "refused": Sign("Refused", "ban", "danger"),
    "sealed": Sign("Sealed", "lock", "accent-text"),
    "unsealed": Sign("Unsealed", "lock-open", "warning"),
    "key_set": Sign("Key saved", "key-round", "text-2"),
    "key_removed": Sign("Key removed", "key-round", "text-2"),
    "key_tested": Sign("Key tested", "key-round", "text-2"),
    "consent_given": Sign("Allowed", "check", "warning"),
    "consent_withdrawn": Sign("Revoked", "x", "text-2"),
    "proved": Sign("Proved", "shield-check", "success"),
    "pruned": Sign("Cleared", "trash-2", "text-2"),
}
_SENT = Sign("Sent", "arrow-up-right", "warning")
_NOT_SENT = Sign("Failed", "circle-alert", "danger")

_PURPOSES = {
    "window": "By you",
    "command": "By a command",
    "search": "Model search",
    "model": "Model page",
    "header": "Model file header",
    "download": "Model download",
    "Reach": "Connection check",
    "UseKey": "Key for this session",
    "ListModels": "Model list",
    "models": "Model list",
    "health": "Server check",
    "check": "Server check",
    "key_test": "Key test",
    "key test": "Key test",
    "chat": "Chat",
    "SendAnswerRequest": "Chat",
    "ask": "Question",
    "code": "Code",
    "summarize": "Summary",
    "extract": "Extraction",
    "translate": "Translation",
    "classify": "Classification",
    "reason": "Reasoning",
}
_OUTCOMES = {
    "sealed": "the network was sealed",
    "broker_gone": "the network process had stopped",
    "cut_off": "interrupted, so this much may have been sent",
    "start_anew": "needs a restart",
    "host_not_allowed": "host not allowed",
    "key_unencrypted": "the key would have been sent unencrypted",
    "label": "the label does not allow it",
    "unauthorized": "key rejected",
    "no_credit": "no credit left",
    "rate_limited": "rate limit reached",
    "timed_out": "timed out",
    "stalled": "the response stalled",
    "connection_lost": "connection lost",
    "connect_failed": "no connection",
    "unreachable": "no connection",
    "not_reached": "no connection",
    "no_such_host": "host name not found",
    "overloaded": "server overloaded",
    "redirected": "redirected elsewhere",
    "bad_stream": "unreadable response",
    "cancelled": "stopped by you",
    "consent_needed": "you had not allowed it",
    "budget": "over a spending limit",
}
_FIRST_BAD_STATUS = 400

_KINDS: tuple[RecordKind, ...] = get_args(RecordKind)

# Which kinds each choice of the filter takes; an attempt is followed by what became of it.
FILTERS: dict[str, tuple[str, RecordFilter]] = {
    "": ("All activity", RecordFilter(tuple(kind for kind in _KINDS if kind != "allowed"))),
    "sent": ("Sent", RecordFilter(("transfer",))),
    "refused": ("Refused", RecordFilter(("refused",))),
    "switched": ("Sealed and unsealed", RecordFilter(("sealed", "unsealed"))),
    "keys": (
        "Keys and permissions",
        RecordFilter(
            ("key_set", "key_removed", "key_tested", "consent_given", "consent_withdrawn")
        ),
    ),
    "all": ("Everything, with attempts", RecordFilter()),
}


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
    received: str

    @property
    def opens(self) -> bool:
        """Whether there is more to show than the row has."""
        return self.record.kind in ("transfer", "refused", "allowed", "unsealed")


def make_rows(found: Sequence[KeptRecord], now: dt.datetime) -> tuple[RecordRow, ...]:
    """These records in words."""
    return tuple(_row(kept, now) for kept in found)


def _row(kept: KeptRecord, now: dt.datetime) -> RecordRow:
    record = kept.record
    moves = record.kind in ("transfer", "refused")
    return RecordRow(
        kept.seq,
        record,
        sign_of(record),
        time_of(record, now),
        host_of(record),
        purpose_of(record),
        formatting.size(record.bytes_out) if moves else "",
        formatting.size(record.bytes_in) if moves else "",
    )


def sign_of(record: Record) -> Sign:
    """What happened."""
    if record.kind == "transfer":
        return _SENT if record.bytes_out else _NOT_SENT
    return _SIGNS.get(record.kind, Sign(_spaced(record.kind), "info", "text-2"))


def purpose_of(record: Record) -> str:
    """What for, with what went wrong."""
    if record.kind in ("proved", "pruned") and record.outcome:
        return record.outcome
    if record.kind == "consent_withdrawn":
        return f"{_PURPOSES.get(record.purpose, '')}: {record.outcome}"
    plain, _ = linked(record.purpose)
    shown = _PURPOSES.get(plain) or _spaced(plain)
    trouble = trouble_of(record)
    return f"{shown}: {trouble}" if shown and trouble else shown or trouble


def trouble_of(record: Record) -> str:
    """What went wrong; empty when nothing did."""
    outcome = record.outcome
    if record.kind == "key_tested":
        outcome = outcome.rpartition(": ")[2]
    elif record.kind not in ("transfer", "refused"):
        return ""
    if outcome in ("", "ok"):
        return ""
    if outcome.isdecimal():
        return f"answered {outcome}" if int(outcome) >= _FIRST_BAD_STATUS else ""
    return _OUTCOMES.get(outcome, _spaced(outcome).lower())


def result_of(record: Record) -> str:
    """How it ended, as a sentence."""
    if record.outcome.isdecimal():
        return f"The host answered {record.outcome}"
    if record.outcome in ("", "ok"):
        return "Succeeded"
    shown = trouble_of(record)
    return shown[:1].upper() + shown[1:]


def host_of(record: Record) -> str:
    """To which host, without the usual port."""
    if record.kind == "unsealed" and not record.host:
        hosts = [host.removesuffix(":443") for host in record.outcome.split()]
        return f"{hosts[0]} +{len(hosts) - 1}" if len(hosts) > 1 else "".join(hosts)
    return " ".join(host.removesuffix(":443") for host in record.host.split())


def time_of(record: Record, now: dt.datetime) -> str:
    """10:12 today, 21 Nov before."""
    moment = formatting.moment_of(record.at)
    if moment is None:
        return record.at
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M}"
    return formatting.short_time(local, now + dt.timedelta(days=8))  # a date, never a weekday


def terms_of(typed: str) -> tuple[Term, ...]:
    """What a search for these words takes: the codes, and the words shown for them."""
    return tuple(
        Term(word, tuple(code for code, shown in _PURPOSES.items() if word in shown.casefold()))
        for word in typed.casefold().split()
    )


def _spaced(code: str) -> str:
    words = code.replace("_", " ") if code.isidentifier() else code
    return words[:1].upper() + words[1:]
