"""How the records are told: a word and an icon for what happened, and purposes as people say them.

The records hold short codes; every code that is shown passes through here.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from lockhouse.gate.protocol import Record
from lockhouse.gate.records import Term
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
    "unsealed": Sign("Opened", "lock-open", "warning"),
    "key_set": Sign("Key set", "key-round", "text-2"),
    "key_removed": Sign("Key gone", "key-round", "text-2"),
    "key_tested": Sign("Key tested", "key-round", "text-2"),
    "consent_given": Sign("Allowed", "check", "warning"),
    "consent_withdrawn": Sign("Forbidden", "x", "text-2"),
    "proved": Sign("Proved", "shield-check", "success"),
    "pruned": Sign("Cleared", "trash-2", "text-2"),
}
_SENT = Sign("Sent", "arrow-up-right", "warning")
_NOT_SENT = Sign("Failed", "circle-alert", "danger")

_PURPOSES = {
    "window": "By you",
    "command": "By a command",
    "search": "Model search",
    "model": "A model’s page",
    "header": "Start of a model file",
    "download": "Model download",
    "Reach": "A check whether it can be reached",
    "UseKey": "Key for this session",
    "ListModels": "List of models",
    "models": "List of models",
    "health": "Whether the server answers",
    "check": "Whether the server answers",
    "key_test": "Test of the key",
    "chat": "Chat",
    "ask": "Question",
    "code": "Code",
    "summarize": "Summary",
    "extract": "Extraction",
    "translate": "Translation",
    "classify": "Classification",
    "reason": "Reasoning",
    "SendAnswerRequest": "Chat",
    "key test": "Test of the key",
}
OUTCOMES = {
    "sealed": "the network was sealed",
    "broker_gone": "the broker had ended",
    "cut_off": "cut off, so this much may have left",
    "start_anew": "its port opens with the next start",
    "host_not_allowed": "not on the list",
    "key_unencrypted": "the key would have travelled unencrypted",
    "unauthorized": "the key was refused",
    "no_credit": "no credit",
    "rate_limited": "too many requests",
    "timed_out": "it took too long",
    "stalled": "the answer stalled",
    "connection_lost": "the connection broke",
    "connect_failed": "no connection",
    "unreachable": "no connection",
    "not_reached": "no connection",
    "no_such_host": "the name is unknown",
    "overloaded": "overloaded",
    "redirected": "it points elsewhere",
    "bad_stream": "the answer could not be read",
    "cancelled": "stopped by you",
    "consent_needed": "you had not allowed it",
    "budget": "a limit would have been passed",
}
_FIRST_BAD_STATUS = 400


def sign_of(record: Record) -> Sign:
    """What happened."""
    if record.kind == "transfer":
        return _SENT if record.bytes_out else _NOT_SENT
    return _SIGNS.get(record.kind, Sign(_spaced(record.kind), "info", "text-2"))


def purpose_of(record: Record) -> str:
    """What for, with what came of it where that is not what was hoped."""
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
    return OUTCOMES.get(outcome, _spaced(outcome).lower())


def host_of(record: Record) -> str:
    """To whom: without the port that everyone uses."""
    if record.kind == "unsealed" and not record.host:
        hosts = [host.removesuffix(":443") for host in record.outcome.split()]
        return f"{hosts[0]} +{len(hosts) - 1}" if len(hosts) > 1 else "".join(hosts)
    return " ".join(host.removesuffix(":443") for host in record.host.split())


def time_of(record: Record, now: dt.datetime) -> str:
    """10:12 today, 21 Nov before."""
    moment = moment_of(record.at)
    if moment is None:
        return record.at
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M}"
    return formatting.short_time(local, now + dt.timedelta(days=8))  # a date, never a weekday


def whole_time(at: str) -> str:
    """22 Nov 2026, 10:12:04."""
    moment = moment_of(at)
    if moment is None:
        return at
    local = moment.astimezone()
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def clock(at: str, now: dt.datetime) -> str:
    """ "at 10:12" today, "on 21 Nov at 10:12" before."""
    moment = moment_of(at)
    if moment is None:
        return ""
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"at {local:%H:%M}"
    return f"on {local.day} {local:%b} at {local:%H:%M}"


def moment_of(at: str) -> dt.datetime | None:
    """The time as it is kept; None for what is none."""
    try:
        moment = dt.datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def latency(duration_s: float) -> str:
    """12 ms, 1.4 s."""
    if duration_s < 1:
        return f"{max(1, round(duration_s * 1000))}{formatting.NBSP}ms"
    return formatting.seconds(duration_s)


def terms_of(typed: str) -> tuple[Term, ...]:
    """What is looked for when somebody types this: the codes, and the words shown for them."""
    return tuple(
        Term(word, tuple(code for code, shown in _PURPOSES.items() if word in shown.casefold()))
        for word in typed.casefold().split()
    )


def _spaced(code: str) -> str:
    words = code.replace("_", " ") if code.isidentifier() else code
    return words[:1].upper() + words[1:]
