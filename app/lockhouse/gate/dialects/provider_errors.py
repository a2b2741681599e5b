"""Maps the errors of providers to what the user can do about them.

Codes: ``unauthorized``, ``forbidden``, ``no_credit``, ``rate_limited``, ``model_not_found``,
``not_there`` (nothing at this address), ``content_refused``, ``context_too_long``,
``too_large``, ``overloaded``, ``timed_out``, ``not_accepted`` (the request itself),
``bad_stream``, ``connection_lost``, ``given_up``, ``endless``, ``redirected``, ``remote_failed``.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.protocol import RemoteFailure

# What decoding raises for anything but JSON, and for JSON that is nested too deeply.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_KEPT: Final = "The partial answer is kept. "
PARTLY_CAME: Final = _KEPT + "Ask again, or press Continue in the window."
_MOST_SAID = 300
_MOST_READ = 4096  # of a sentence, before it is searched
_MOST_WORD = 200
_MOST_DETAILS = 16
_MOST_WAIT_S = 86_400.0
_SPACE: Final = re.compile(r"\s+")
_KEY: Final = re.compile(r"\b(?:(?:sk|gsk|pk|rk|hf|xai|tgp)[-_]|AIza|Bearer )[-_A-Za-z0-9*.•]{6,}")
_IN_SECONDS: Final = re.compile(
    r"(?:try again|retry)[a-z ]* in (?:(\d+)m(?!s))?\s*(\d+(?:\.\d+)?)\s*(ms|s)?", re.IGNORECASE
)

# Searched in the codes, types and states of the providers and in their sentences.
_CONTEXT: Final = re.compile(
    r"context[ _](?:length|window|size)|prompt is too long|input token count|too many (?:input )?"
    r"tokens|maximum (?:number of )?(?:input )?tokens|exceeds? (?:the )?(?:available )?context",
    re.IGNORECASE,
)
# Not "billing" alone: messages about rate limits name the page where more can be bought.
_CREDIT: Final = re.compile(
    r"insufficient[ _](?:quota|balance|funds|credits?)|credit balance|prepayment credits|"
    r"billing_(?:error|hard_limit)|enable billing|out of credits|requires more credits",
    re.IGNORECASE,
)
_KEY_WRONG: Final = re.compile(
    r"invalid[ _]api[ _]key|api[ _]key[ _](?:not[ _]valid|invalid|expired)|authentication_error|"
    r"unauthenticated",
    re.IGNORECASE,
)
_CONTENT: Final = re.compile(
    r"content[ _](?:policy|filter|management)|safety system|flagged|moderation|"
    r"prohibited[ _]content",
    re.IGNORECASE,
)
_MODEL: Final = re.compile(r"model", re.IGNORECASE)
_FAST: Final = re.compile(r"rate[ _]limit|resource_exhausted|too many requests", re.IGNORECASE)
_BUSY: Final = re.compile(r"overloaded|unavailable|no healthy|capacity|loading", re.IGNORECASE)
_INVALID: Final = re.compile(r"validation error", re.IGNORECASE)
_LARGE: Final = re.compile(r"(?:request|payload|entity|body)[a-z_ ]*too[ _]large", re.IGNORECASE)
# Settings that a provider may name when it rejects a request, with their option.
_OPTIONS: Final = {
    "temperature": "--temperature",
    "top_p": "--top-p",
    "topp": "--top-p",
    "top_k": "--top-k",
    "topk": "--top-k",
    "min_p": "--min-p",
    "repeat_penalty": "--repeat-penalty",
    "repetition_penalty": "--repeat-penalty",
    "seed": "--seed",
    "stop_sequences": "--stop",
    "stop": "--stop",
    "max_completion_tokens": "--max-tokens",
    "max_tokens": "--max-tokens",
    "maxoutputtokens": "--max-tokens",
    "response_format": "--schema",
    "output_config": "--schema",
    "responsejsonschema": "--schema",
}
_NAMES: Final = re.compile(rf"(?<![\w-])(?:{'|'.join(_OPTIONS)})(?![\w-])", re.IGNORECASE)


class Recipient(msgspec.Struct, frozen=True):
    """Who was asked: the name for commands, the title for sentences; whether a key was sent."""

    name: str
    title: str
    has_key: bool = True


class Said(msgspec.Struct, frozen=True):
    """An error's body: its sentence, its words for programs, the setting it names, the wait."""

    message: str = ""
    words: str = ""
    wait_s: float = 0.0
    parameter: str = ""


def read_error(body: bytes) -> Said | None:
    """What an error's body says, in any dialect; None where it says nothing."""
    try:
        found: Any = msgspec.json.decode(body)
    except UNREADABLE:
        text = body[:_MOST_READ].decode(errors="replace").strip()
        return Said(clean(text)) if text and not text.startswith("<") else None
    if isinstance(found, list) and found:
        found = found[0]
    return said_by(found) if isinstance(found, dict) else None


def said_by(found: dict[str, Any]) -> Said | None:
    """The same for an object that is already decoded."""
    error = found.get("error", found)
    if isinstance(error, str):
        return Said(clean(error), _word(found.get("error_type")))
    if not isinstance(error, dict):
        return None
    message = error.get("message", error.get("detail", ""))
    parameter = _word(error.get("param")) or _place(message)
    details = error.get("details")
    words = [_word(error.get(name)) for name in ("type", "code", "status")]
    wait_s = 0.0
    for detail in details[:_MOST_DETAILS] if isinstance(details, list) else ():
        if isinstance(detail, dict):
            words.append(_word(detail.get("reason")))
            wait_s = wait_s or _seconds(_word(detail.get("retryDelay")))
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        message = f"{message}: {metadata['raw']}"  # what the server behind a router said
    if not message and not any(words):
        return None
    named = " ".join(word for word in words if word)
    return Said(clean(_sentence(message)), named, wait_s, parameter)


def _word(value: object) -> str:
    """A word that is meant for programs; empty for numbers and anything else."""
    return value[:_MOST_WORD] if isinstance(value, str) else ""


def _place(details: object) -> str:
    """The field that the first of several details is about, as FastAPI lists them."""
    first = details[0] if isinstance(details, list) and details else None
    place = first.get("loc") if isinstance(first, dict) else None
    return _word(place[1]) if isinstance(place, list) and len(place) > 1 else ""


def _sentence(message: object) -> str:
    while isinstance(message, dict):
        message = message.get("detail", message.get("message"))
    if isinstance(message, list):
        found = [each.get("msg") for each in message if isinstance(each, dict)]
        return "; ".join(text for text in found if text and isinstance(text, str))
    return message if isinstance(message, str) else ""


def clean(text: str) -> str:
    """Short, in one line, without control characters and without anything like a key."""
    text = _SPACE.sub(" ", text[:_MOST_READ])
    text = "".join(character for character in text if character.isprintable())
    text = _KEY.sub("…", text).strip()
    return text if len(text) <= _MOST_SAID else text[: _MOST_SAID - 1].rstrip() + "…"


def refusal_in(
    body: bytes, who: Recipient, status: int, headers: Mapping[str, str]
) -> RemoteFailure:
    """The error for an answer with an error status, in any dialect."""
    return refusal(who, status, headers, read_error(body))


def refusal(
    who: Recipient, status: int, headers: Mapping[str, str], said: Said | None
) -> RemoteFailure:
    """The same for a body already read; status 0 for an error inside a stream."""
    said = said or Said()
    code = _code(status, said)
    wait_s = retry_after_s(headers)
    if not wait_s and code in ("rate_limited", "overloaded"):
        wait_s = said.wait_s or _wait_in(said.message)
    message, hint = _words(code, who, status, wait_s)
    if code == "not_accepted" and (named := _NAMES.search(said.parameter or said.message)):
        hint = f"Leave out {_OPTIONS[named[0].lower()]}, which the error names."
    if code != "unauthorized" or who.has_key:  # without one, "incorrect key" would mislead
        message = _quoting(message, said.message)
    return RemoteFailure(
        message,
        hint=hint,
        code=code,
        status=status,
        retry_after_s=wait_s,
        parameter=clean(said.parameter),
    )


def _quoting(message: str, said: str) -> str:
    """Our words, followed by theirs where they add something."""
    said = said.rstrip(" .!,;:")
    if not said or said.lower() in message.lower():
        return message
    return f"{message.rstrip('.')}: {said}{'' if said[-1] in '?…' else '.'}"


def _code(status: int, said: Said) -> str:
    text = f"{said.words} {said.message}"
    if status in (0, 400, 413, 422, 500) and _CONTEXT.search(text):
        return "context_too_long"
    if status == 402 or (status in (0, 400, 403, 429) and _CREDIT.search(text)):
        return "no_credit"
    if status == 401 or (status in (0, 400, 403) and _KEY_WRONG.search(text)):
        return "unauthorized"
    if status in (0, 400, 403, 422) and _CONTENT.search(text):
        return "content_refused"
    if status == 404:
        return "model_not_found" if _MODEL.search(text) else "not_there"
    by_status = {
        403: "forbidden",
        405: "not_there",
        408: "timed_out",
        413: "too_large",
        429: "rate_limited",
        503: "overloaded",
        504: "timed_out",
        529: "overloaded",
    }
    if status in by_status:
        return by_status[status]
    if _LARGE.search(text):
        return "too_large"
    if _INVALID.search(text):
        return "not_accepted"
    if _FAST.search(text):
        return "rate_limited"
    if (status == 0 or status >= 500) and _BUSY.search(text):
        return "overloaded"
    return "not_accepted" if 400 <= status < 500 else "remote_failed"


def _words(code: str, who: Recipient, status: int, wait_s: float) -> tuple[str, str]:
    """What happened, and what to do."""
    title, later = who.title, "Try again later, or choose another model."
    if not who.has_key and code in _ABOUT_KEYS:
        return _ABOUT_KEYS[code].format(title=title), f"Save one: lockhouse keys set {who.name}"
    if wait_s:
        later = f"Try again in {duration(wait_s)}, or choose another model."
    words = {
        "unauthorized": (
            f"{title} does not accept the key.",
            f"Set a valid one: lockhouse keys set {who.name}",
        ),
        "forbidden": (
            f"{title} does not allow this for your key.",
            "Check in your account there which models and permissions the key has.",
        ),
        "no_credit": (
            f"Your account at {title} has no credit left.",
            "Add credit or raise the limit there, or choose another model.",
        ),
        "rate_limited": (f"{_asks_to_wait(who, wait_s)}.", later),
        "overloaded": (f"{title} is overloaded.", later),
        "model_not_found": (
            f"{title} has no such model, or your account has no access to it.",
            f"List its models: lockhouse targets models {who.name}",
        ),
        "not_there": (
            f"{title} has nothing at this address.",
            "Check the address of the server. Most end in /v1.",
        ),
        "content_refused": (
            f"{title} refused because of the content.",
            "Rephrase it, or ask a model on this machine.",
        ),
        "context_too_long": (
            "The conversation is too long for this model.",
            "Send this message only, shorten the conversation, or choose another model.",
        ),
        "too_large": (
            f"The request is too large for {title}.",
            "Leave out pictures or documents, or send this message only.",
        ),
        "timed_out": (f"{title} did not answer in time.", later),
        "not_accepted": (
            f"{title} does not accept this request ({status}).",
            "This model may not support one of the settings or attachments.",
        ),
    }
    number = f" ({status})" if status else ""
    return words.get(code, (f"{title} reported an internal error{number}.", later))


# The same where no key was sent, so that none can be wrong.
_ABOUT_KEYS: Final = {
    "unauthorized": "{title} requires a key, and none is saved for it.",
    "forbidden": "{title} does not allow this without a key.",
}


def kept_nowhere(hint: str) -> str:
    """What to do about an incomplete answer where no part of it is kept."""
    return "Ask again." if hint.startswith(_KEPT) else hint


def waiting_notice(who: Recipient, error: LockhouseError, wait_s: float) -> str:
    """Says why the request is sent again, and when."""
    if error.code == "rate_limited" and error.retry_after_s:
        return f"{_asks_to_wait(who, wait_s)}. Trying again."
    return f"{error.message.rstrip('.!?…')}. Trying again in {duration(wait_s)}."


def _asks_to_wait(who: Recipient, wait_s: float) -> str:
    time_to_wait = f" {duration(wait_s)}" if wait_s else ""
    return f"{who.title} asks to wait{time_to_wait} (rate limit)"


def duration(seconds: float) -> str:
    """A time to wait, for people."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks to wait, at most a day; 0 where it does not say."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isascii() and milliseconds.isdecimal():
        return min(int(milliseconds[:9]) / 1000, _MOST_WAIT_S)
    value = headers.get("retry-after", "").strip()
    if not value.isascii():
        return 0.0
    try:
        return min(max(0.0, float(value)), _MOST_WAIT_S)
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return min(max(0.0, moment.timestamp() - time.time()), _MOST_WAIT_S)
    except (TypeError, ValueError, OverflowError, IndexError):  # not a date
        return 0.0


def _wait_in(message: str) -> float:
    found = _IN_SECONDS.search(message)
    if found is None:
        return 0.0
    seconds = float(found[2]) / (1000 if found[3] == "ms" else 1)
    return min(60.0 * int(found[1] or 0) + seconds, _MOST_WAIT_S)


def _seconds(text: str) -> float:
    """Of "37s" or "1.5s"."""
    try:
        return min(max(0.0, float(text.removesuffix("s"))), _MOST_WAIT_S)
    except ValueError:
        return 0.0


# --- about streams ---------------------------------------------------------------------------


def content_refused(who: Recipient, said: str = "") -> RemoteFailure:
    """The provider refused because of the content of the prompt or the answer."""
    message, hint = _words("content_refused", who, 0, 0.0)
    return RemoteFailure(_quoting(message, clean(said)), hint=hint, code="content_refused")


def bad_stream(who: Recipient, what: str) -> RemoteFailure:
    """The server sent something else than an answer in this dialect."""
    return RemoteFailure(
        f"{who.title} did not send a valid answer: {what}.",
        hint="Check the address, and which of the three kinds of API the server has.",
        code="bad_stream",
    )


def cut_short(who: Recipient) -> RemoteFailure:
    """The stream ended before the answer was complete."""
    return RemoteFailure(
        f"{who.title} closed the connection before the answer was complete.",
        hint=PARTLY_CAME,
        code="connection_lost",
    )


def given_up(who: Recipient) -> RemoteFailure:
    """The server ended the answer without a reason, because another question came."""
    return RemoteFailure(
        f"{who.title} dropped the answer for another question.",
        hint="It answers one question at a time. Ask again, or start it without interruption.",
        code="given_up",
    )


def says_nothing(who: Recipient) -> RemoteFailure:
    """The stream is complete, and there is no word in it."""
    return RemoteFailure(
        f"{who.title} sent an empty answer.",
        hint="Ask again, or choose another model. If all its answers are empty, it may have "
        "another kind of API.",
        code="bad_stream",
    )


def endless(who: Recipient, asked_tokens: int) -> RemoteFailure:
    """The server goes on long after the most that it was asked for."""
    return RemoteFailure(
        f"{who.title} does not stop: {asked_tokens:,} tokens were asked for, and it sent several "
        "times as many. Reading was ended.",
        hint=f"{_KEPT}It may know the limit under another name: "
        f"lockhouse targets set {who.name} --max-tokens-field NAME",
        code="endless",
    )


def redirected(who: Recipient, location: str, status: int) -> RemoteFailure:
    """The server names another address, which is not followed. ``location`` may be anything."""
    try:
        where = clean(urlsplit(location).netloc) or "another address there"
    except ValueError:
        where = "an invalid address"
    return RemoteFailure(
        f"{who.title} redirects to {where}, which was not followed.",
        hint="If that is its new address, change it in the list of providers and servers.",
        code="redirected",
        status=status,
    )


def nothing_came(who: Recipient) -> RemoteFailure:
    """A success status without an answer, which is how some servers report every error."""
    return RemoteFailure(
        f"{who.title} closed the connection without an answer.",
        hint="The conversation may be too long for the model, or the server failed: see its log. "
        "Send this message only, or try again.",
        code="connection_lost",
    )


def ended_oddly(who: Recipient, reason: str) -> RemoteFailure:
    """The provider ended the answer for another reason."""
    return RemoteFailure(
        f"{who.title} ended the answer: {clean(reason)}.",
        hint=f"{_KEPT}Ask again.",
        code="remote_failed",
    )


def no_list() -> RemoteFailure:
    """The server sent something else than a list of models."""
    return RemoteFailure(
        "The server did not send a list of models.",
        hint="Check the address of the server. Most end in /v1.",
        code="bad_stream",
    )
