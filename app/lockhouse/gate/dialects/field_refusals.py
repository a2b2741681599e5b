"""What can be sent instead where a server refuses one field of a request by its name.

Own servers and newer models know other fields than most: a limit of tokens under another name, no
role for the system prompt, no counts in a stream. The request is then worth one more attempt
without it. What a promise hangs on, such as the form of the answer, is never left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lockhouse.core.json_decoding import decoded
from lockhouse.gate.dialects.openai import in_first_message
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.providers import Provider

_STATUSES: Final = (400, 422)
_SYSTEM: Final = re.compile(
    r"\bsystem[\s_-]+(?:role|message|prompt|instruction)s?\b|\brole\b.{0,40}\bsystem\b"
    r"|\bsystem\b.{0,40}\brole\b|developer instruction",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(
    r"not (?:support|allow|permit|enabl)|unsupported|invalid|unexpected|unknown|must|only",
    re.IGNORECASE,
)
_LIMITS: Final = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
# Content, and what the answer is promised to be.
_KEPT: Final = frozenset(
    {
        "contents", "grammar", "json_schema", "max_tokens", "messages", "model", "output_config",
        "response_format", "responseJsonSchema", "stop", "stop_sequences", "system",
        "systemInstruction", "tool_choice", "tools",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another body for the same question; what changed, in words, and the setting to keep it."""

    body: bytes
    change: str
    setting: str


def alternative_to(body: bytes, provider: Provider, error: RemoteFailure) -> Alternative | None:
    """What to send instead of a body that was refused; None where nothing in it was named."""
    if error.code != "not_accepted" or error.status not in _STATUSES:
        return None
    fields = decoded(body, dict[str, Any])
    if provider.dialect == "openai" and _refuses_system(fields, error):
        fields["messages"] = in_first_message(fields["messages"])
        change = "with the system prompt at the beginning of the first message"
        return _made(fields, change, "--system-role user")
    name = _named(fields, error)
    if not name:
        return None
    if name in _LIMITS and provider.dialect == "openai":
        other = _LIMITS[name]
        fields[other] = fields.pop(name)
        return _made(fields, f"with {other} instead of {name}", f"--max-tokens-field {other}")
    if name == "stream":
        fields.pop("stream_options", None)
        setting = """--extra '{"stream": false}'"""
        return _made({**fields, "stream": False}, "without a stream", setting)
    fields.pop(name)
    return _made(fields, f"without {name}", f"--omit {name}")


def _made(fields: dict[str, Any], change: str, setting: str) -> Alternative:
    return Alternative(msgspec.json.encode(fields), change, setting)


def _refuses_system(fields: dict[str, Any], error: RemoteFailure) -> bool:
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return False
    has_system = any(one.get("role") in ("system", "developer") for one in messages)
    return bool(has_system and _SYSTEM.search(error.message) and _REFUSED.search(error.message))


def _named(fields: dict[str, Any], error: RemoteFailure) -> str:
    """The field of the body that the error names and that is not needed; empty for none."""
    usable = [name for name in fields if name not in _KEPT or name in _LIMITS]
    if error.parameter in usable:
        return error.parameter
    for name in sorted(usable, key=len, reverse=True):
        word = re.escape(name)
        # A name that is a word of English as well has to be marked as a name.
        plain = rf"(?<![\w.]){word}(?!\w)" if "_" in name else r"(?!)"
        marked = rf"['\"`]{word}['\"`]"
        told = rf"(?:argument|parameter|field|property|key|option)s?(?:[\w ]*:)? *{word}\b"
        if re.search(f"{plain}|{marked}|{told}", error.message, re.IGNORECASE):
            return name
    return ""
