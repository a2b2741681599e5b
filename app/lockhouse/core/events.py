"""What a target sends back while it answers.

A target yields a stream of events that ends with exactly one :class:`Finished` or
:class:`Failed`. These are what ``ask --jsonl`` prints, one a line.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from lockhouse.core.errors import LockhouseError, from_wire
from lockhouse.core.messages import ToolCall

FinishReason = Literal["stop", "length", "cancelled", "error"]


class Usage(msgspec.Struct, frozen=True, tag="usage"):
    """Tokens counted. ``cached_tokens`` are those of the prompt that were not read again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


class Timing(msgspec.Struct, frozen=True):
    """Seconds, and tokens per second; 0.0 where nothing was measured."""

    load_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0
    prompt_tokens_per_s: float = 0.0
    tokens_per_s: float = 0.0


class LoadProgress(msgspec.Struct, frozen=True, tag="load_progress"):
    """The model is being loaded; ``fraction`` from 0 to 1."""

    fraction: float


class PromptProgress(msgspec.Struct, frozen=True, tag="prompt_progress"):
    """The prompt is being read; ``cached`` tokens of it were already there."""

    tokens_read: int
    tokens_total: int
    cached: int = 0


class Text(msgspec.Struct, frozen=True, tag="text"):
    """A piece of the answer. Pieces are gathered; one may hold several tokens."""

    text: str


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning"):
    """A piece of the reasoning trace."""

    text: str


class TextWasReasoning(msgspec.Struct, frozen=True, tag="text_was_reasoning"):
    """All text sent so far belonged to the trace: the model closed one it never opened."""


class StartOver(msgspec.Struct, frozen=True, tag="start_over"):
    """All text and reasoning sent so far is void; the answer begins again from nothing.

    Only equal servers on the own network do this, when one ended in mid-answer and
    what another one says differs.
    """

    reason: str


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something the user should know: turns cut, template replaced, safer settings used.

    ``code`` is one of ``turns_cut``, ``template_fallback``, ``template_leaves_out``,
    ``template_not_used``, ``engine_restarted``, ``safer_settings``, ``reasoning_ended``,
    ``context_full``, ``repeats``,
    ``thinking_changed``, ``settings_left_out``, ``pictures_left_out``,
    ``waiting`` (for a provider that asked for it, or for the keyring),
    ``server_changed``, ``target_changed``, ``field_refused`` (asked again without it),
    ``may_be_cut``, ``form_cut`` (of an answer that was to have a form), ``format_not_enforced``.
    """

    code: str
    message: str


class EngineBuild(msgspec.Struct, frozen=True):
    """What computed the answer."""

    name: str = "llama.cpp"
    version: str = ""  # of llama-cpp-python
    build: str = ""  # commit and digest of the native library


class Cost(msgspec.Struct, frozen=True):
    """Money. ``is_estimate`` where the provider did not say what it counted."""

    amount: Decimal
    currency: str = "USD"
    is_estimate: bool = False


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The end of an answer, with all that is needed to tell how it came about.

    ``parameters`` holds every setting that was in force, the seed included. ``cost`` is None
    for what runs on this machine and where no price is known; ``energy_j`` is what this machine
    used meanwhile, in joules, where it can tell. Of a remote answer: ``host`` is who
    gave it, ``model`` the name it gave for what answered, ``sent_sha256`` the hash of the body
    that was sent. ``begins_edited``: its first words are a person's version of an answer.
    """

    finish_reason: FinishReason
    usage: Usage = Usage()
    timing: Timing = Timing()
    parameters: dict[str, object] = {}
    engine: EngineBuild = EngineBuild()
    template_sha256: str = ""
    model_sha256: str | None = None
    threads: int = 0
    context_length: int = 0
    cost: Cost | None = None
    energy_j: float | None = None
    host: str = ""
    model: str = ""
    sent_sha256: str = ""
    begins_edited: bool = False


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The answer ended in an error; text that came before it stays valid.

    ``finished`` tells how it came about, where the model itself had come to its end.
    """

    code: str
    message: str
    hint: str = ""
    exit_code: int = 70
    details: str = ""  # last native log lines, where an engine ended
    retry_after_s: float = 0.0  # what a provider asks to wait
    needed_tokens: int = 0  # of context, where a prompt was too long
    can_be_cut: bool = False  # without its oldest messages it would fit
    cost: Cost | None = None  # of a remote answer that ended half-way
    finished: Finished | None = None


Event = (
    LoadProgress
    | PromptProgress
    | Text
    | Reasoning
    | TextWasReasoning
    | ToolCall
    | StartOver
    | Notice
    | Usage
    | Finished
    | Failed
)


def said_something(event: Event) -> bool:
    """Whether a reader has something in hand after this event that a new start would repeat."""
    return isinstance(event, Text | Reasoning | TextWasReasoning | ToolCall | StartOver)


def failed_of(error: LockhouseError, *, details: str = "", cost: Cost | None = None) -> Failed:
    """An error as the last event of an answer."""
    return Failed(
        error.code,
        error.message,
        error.hint,
        error.exit_code,
        details=details,
        retry_after_s=error.retry_after_s,
        needed_tokens=error.needed_tokens,
        can_be_cut=error.can_be_cut,
        cost=cost,
    )


def error_of(failed: Failed) -> LockhouseError:
    """The error that a failure tells of."""
    return from_wire(failed.code, failed.exit_code, failed.message, failed.hint)
