"""A stored message as the transcript shows it, and what the details panel says about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.chat.text_attachments import attached
from lockhouse.core.errors import EngineCrashed
from lockhouse.core.events import Cost, Failed, Finished
from lockhouse.ui import formatting
from lockhouse.ui.chat.parameter_words import parameter_name, parameter_value
from lockhouse.ui.outbound.values import WAY_WORDS
from lockhouse.ui.outbound.words import badge_words, host_name, leaves
from lockhouse.ui.transcript.header import NOTHING_SENT
from lockhouse.ui.transcript.values import AttachedFile, ShownPicture, TranscriptMessage

# "Keep one: lockhouse keys set mistral": the sentence that ends in a command, to the end.
_COMMAND = re.compile(r"[^.]*: `?lockhouse [^\n]*$")
_FINISH_WORDS = {
    "stop": "The model ended its answer",
    "length": "A limit was reached",
    "cancelled": "Stopped by you",
    "error": "Ended in an error",
}
_STATUS_WORDS = {
    "cut": "Cut off: the program ended while it was written",
    "cancelled": "Stopped by you",
    "failed": "Ended in an error",
    "streaming": "Being written",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the details: ``exact`` is copied, ``value`` shown."""

    key: str
    value: str
    exact: str = ""
    mono: bool = False


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts under a heading."""

    title: str
    facts: tuple[Fact, ...]
    has_sent: bool = False  # what left for this answer can be shown


def to_transcript(
    message: Message, *, retry_at: datetime | None = None, remark: str = ""
) -> TranscriptMessage:
    """How the transcript shows it."""
    info = message.provenance.target if message.provenance else message.target
    finished = message.provenance.finished if message.provenance else None
    error = message.error
    crashed = error is not None and error.exit_code == EngineCrashed.exit_code
    name = (info.title or info.name) if info else ""
    files, start = attached(message.content) if message.role == "user" else ((), 0)
    return TranscriptMessage(
        id=message.id,
        role=message.role,
        text=message.content,
        reasoning=message.reasoning,
        status=message.status,
        header_name=name if message.role == "assistant" else "",
        header_detail=info.detail if info else "",
        badge=_badge(message),
        version_index=message.version_index + 1,
        version_count=message.version_count,
        stats=stats(finished) if finished else (),
        error_message=error.message if error else "",
        error_hint=_hint(error),
        created_at=message.created_at,
        retry_safer=crashed,
        limit=_limit(message),
        files=tuple(
            AttachedFile(file.name, formatting.size(file.size_bytes), file.text) for file in files
        ),
        words_from=start,
        pictures=tuple(
            ShownPicture(one.sha256, one.name, formatting.size(one.size_bytes))
            for one in message.pictures
        ),
        leaves=info is not None and leaves(info) and _was_sent(message),
        is_served=info is not None and info.kind != "local" and _was_sent(message),
        ways=_ways(message),
        retry_at=retry_at,
        remark=remark,
    )


# What can be done about an error of a provider besides asking a model of this machine.
_WAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "key_missing": (("key", WAY_WORDS["key"]),),
    "unauthorized": (("key", WAY_WORDS["key"]), ("regenerate", "Try again")),
    "keyring_locked": (("regenerate", "Try again"),),
    "sealed": (("door", WAY_WORDS["door"]),),
    "cut_off": (("door", WAY_WORDS["door"]),),
    "host_not_allowed": (("door", WAY_WORDS["door"]),),
    "consent_needed": (("regenerate", "See what would be sent…"),),
    "budget": (("limits", WAY_WORDS["limits"]),),
    "context_too_long": (("ask_alone", "Ask only this question…"),),
    "model_not_found": (("choose_target", "Choose another model…"),),
    "no_vision": (("choose_target", "Choose another model…"),),
}
_AGAIN = (("regenerate", "Try again"),)
_NEVER_LEFT = (
    "key_missing",
    "keyring_locked",
    "sealed",
    "host_not_allowed",
    "consent_needed",
    "budget",
    "no_vision",
    "no_tools",
    "unknown_provider",
    "unknown_model",
)


def _was_sent(message: Message) -> bool:
    """Whether anything left for this answer; a question itself never is an answer."""
    refused = message.error is not None and message.error.code in _NEVER_LEFT
    return message.role == "assistant" and not refused


def _ways(message: Message) -> tuple[tuple[str, str], ...]:
    """The ways on from an answer from elsewhere that failed; none for others."""
    error, info = message.error, message.target
    if error is None or info is None or info.kind == "local" or message.status != "failed":
        return ()
    ways = _WAYS.get(error.code, _AGAIN)
    if message.content and error.code not in _WAYS and error.code != "content_refused":
        ways = (("continue", "Continue"), *ways)
    return (*ways, ("ask_local", "Ask a local model instead"))


def _hint(error: Failed | None) -> str:
    """What to do, without what to type into a terminal: the window has buttons for it."""
    if error is None:
        return ""
    return _COMMAND.sub("", error.hint).strip()


def _limit(message: Message) -> str:
    finished = message.provenance.finished if message.provenance else None
    if message.status != "complete" or finished is None or finished.finish_reason != "length":
        return ""
    used = finished.usage.prompt_tokens + finished.usage.completion_tokens
    if finished.context_length and used >= finished.context_length:
        return "The context is full, so the answer ends here."
    counted = formatting.counted(finished.usage.completion_tokens, "token")
    return f"The answer ends here because it reached its limit of {counted}."


def _badge(message: Message) -> str:
    if message.role != "assistant":
        return ""
    info = message.provenance.target if message.provenance else message.target
    if info is None:
        return "Edited by you" if message.version_count > 1 else "Imported"
    if info.kind == "local":
        return "Local"
    if not _was_sent(message):
        return NOTHING_SENT
    finished = message.provenance.finished if message.provenance else None
    badge = badge_words(info, (finished.host if finished else "") or info.host)
    return f"{badge} · edited by you" if _is_edited(message) else badge


def _is_edited(message: Message) -> bool:
    """Whether a person wrote this version of an answer: a target's own tells how it came about.

    What another program's export says came from elsewhere names no provider of ours.
    """
    is_ours = message.target is not None and bool(message.target.provider)
    return is_ours and message.status == "complete" and message.provenance is None


def stats(finished: Finished) -> tuple[str, ...]:
    """The short figures under an answer."""
    parts = [formatting.counted(finished.usage.completion_tokens, "token")]
    if finished.timing.first_token_s > 0:
        parts.append(f"first token {formatting.seconds(finished.timing.first_token_s)}")
    if finished.timing.tokens_per_s > 0:
        parts.append(formatting.speed(finished.timing.tokens_per_s))
    if finished.cost is not None:
        parts.append(cost_of(finished.cost))
    elif finished.energy_j is not None and not finished.host:
        parts.append(formatting.joules(finished.energy_j))
    return tuple(parts)


def cost_of(cost: Cost) -> str:
    """$0.0021, or about $0.0021 where it is an estimate."""
    told = formatting.money(cost.amount, cost.currency)
    return f"about {told}" if cost.is_estimate else told


def facts_of(message: Message) -> tuple[FactGroup, ...]:
    """Everything that is known about how an answer came about; first who else gave it."""
    groups = [FactGroup("Answer", _answer_facts(message))]
    elsewhere = message.target is not None and message.target.kind != "local"
    is_ours = message.target is not None and bool(message.target.provider)
    has_sent = elsewhere and is_ours and not _is_edited(message)  # of that, the one before tells
    origin = FactGroup("Where it came from", _origin_facts(message), has_sent=has_sent)
    if elsewhere:
        groups.append(origin)
    if message.provenance is not None or (message.error and message.error.cost is not None):
        groups.append(FactGroup("Cost", _cost_facts(message)))
    if message.provenance is not None:
        finished = message.provenance.finished
        groups.append(FactGroup("Tokens", _token_facts(finished)))
        groups.append(FactGroup("Time", _time_facts(finished)))
        groups.append(FactGroup("Parameters", _parameter_facts(finished)))
    if message.role == "assistant" and not elsewhere:
        groups.append(origin)
    if message.error is not None and message.error.details:
        lines = message.error.details.strip()
        groups.append(FactGroup("Last lines of the engine", (Fact("", lines, lines, mono=True),)))
    return tuple(group for group in groups if group.facts)


def _answer_facts(message: Message) -> tuple[Fact, ...]:
    facts = [Fact("Written", f"{message.created_at.astimezone():%d %b %Y, %H:%M:%S}")]
    if message.version_count > 1:
        number = message.version_index + 1
        facts.append(Fact("Version", f"{number} of {message.version_count}"))
    if message.provenance is not None and message.status != "cut":
        reason = message.provenance.finished.finish_reason
        facts.append(Fact("Ended", _FINISH_WORDS[reason]))
    elif message.status in _STATUS_WORDS:
        facts.append(Fact("Ended", _STATUS_WORDS[message.status]))
    if message.error is not None:
        facts.append(Fact("Error", message.error.message, message.error.code))
    return tuple(facts)


def _token_facts(finished: Finished) -> tuple[Fact, ...]:
    usage = finished.usage
    facts = [
        Fact("Prompt", f"{usage.prompt_tokens:,}"),
        Fact("Cached", f"{usage.cached_tokens:,}"),
        Fact("Answer", f"{usage.completion_tokens:,}"),
    ]
    if usage.reasoning_tokens:
        facts.append(Fact("Reasoning", f"{usage.reasoning_tokens:,}"))
    if finished.context_length:
        facts.append(Fact("Context", f"{finished.context_length:,}"))
    return tuple(facts)


def _cost_facts(message: Message) -> tuple[Fact, ...]:
    """Money for an answer from elsewhere, energy for one of this machine."""
    finished = message.provenance.finished if message.provenance else None
    info = message.provenance.target if message.provenance else message.target
    cost = finished.cost if finished else message.error.cost if message.error else None
    facts = []
    if cost is not None:
        told = formatting.money(cost.amount, cost.currency)
        exact = f"{cost.amount:f} {cost.currency}"
        facts.append(Fact("Cost", f"about {told} (estimated)" if cost.is_estimate else told, exact))
    elif info is not None and info.kind == "api":
        facts.append(Fact("Cost", "Not known: there is no price for this model"))
    elif info is not None:
        facts.append(Fact("Cost", "Nothing"))
    if finished is not None and finished.energy_j is not None:
        facts.append(
            Fact("Energy", f"{formatting.joules(finished.energy_j)}, counted by this machine")
        )
    return tuple(facts)


def _time_facts(finished: Finished) -> tuple[Fact, ...]:
    timing = finished.timing
    facts = []
    if timing.load_s >= 0.01:
        facts.append(Fact("Loading", formatting.seconds(timing.load_s)))
    facts.append(Fact("First token", formatting.seconds(timing.first_token_s)))
    facts.append(Fact("Total", formatting.seconds(timing.total_s)))
    if timing.prompt_tokens_per_s > 0:
        facts.append(Fact("Reading", formatting.speed(timing.prompt_tokens_per_s)))
    if timing.tokens_per_s > 0:
        facts.append(Fact("Writing", formatting.speed(timing.tokens_per_s)))
    return tuple(facts)


def _parameter_facts(finished: Finished) -> tuple[Fact, ...]:
    facts = []
    if "seed" in finished.parameters:
        seed = str(finished.parameters["seed"])
        facts.append(Fact("Seed", seed, seed, mono=True))
    for name, value in finished.parameters.items():
        if name == "seed" or value in (None, "", [], {}):
            continue
        facts.append(Fact(parameter_name(name), parameter_value(name, value)))
    return tuple(facts)


def _origin_facts(message: Message) -> tuple[Fact, ...]:
    info = message.provenance.target if message.provenance else message.target
    if info is None:
        return (Fact("Author", "Not a model on this machine"),)
    facts = [Fact("Model", info.title or info.name)]
    if info.kind != "local":
        facts += _elsewhere_facts(message, info)
    if info.detail:
        facts.append(Fact("Kind", info.detail))
    if message.provenance is None:
        return tuple(facts)
    finished = message.provenance.finished
    sha256 = finished.model_sha256 or info.sha256
    if sha256:
        facts.append(Fact("Model hash", formatting.short_hash(sha256), sha256, mono=True))
    if finished.template_sha256:
        template = finished.template_sha256
        facts.append(Fact("Template", formatting.short_hash(template), template, mono=True))
    engine = finished.engine
    if info.kind == "local":
        facts.append(Fact("Engine", f"{engine.name} {engine.version}".strip()))
    if engine.build:
        build = engine.build
        facts.append(Fact("Build", formatting.short_hash(build), build, mono=True))
    if finished.threads:
        facts.append(Fact("Threads", str(finished.threads)))
    facts.append(Fact("Left machine", "Yes" if leaves(info) else "No"))
    return tuple(facts)


def _elsewhere_facts(message: Message, info: TargetInfo) -> list[Fact]:
    """Who gave the answer, under which name, and the hash of what they got."""
    finished = message.provenance.finished if message.provenance else None
    facts = []
    if info.provider_title:
        facts.append(Fact("Provider", info.provider_title))
    host = (finished.host if finished else "") or info.host
    if host:
        facts.append(Fact("Host", host_name(host), host))
    if finished is not None and finished.model:
        facts.append(Fact("Named", finished.model))
    if finished is not None and finished.sent_sha256:
        digest = finished.sent_sha256
        facts.append(Fact("Sent hash", formatting.short_hash(digest), digest, mono=True))
    return facts
