"""What is asked of a model, and what comes back: the values every door shares.

A request goes to a target; a target gives back a stream of events that ends with exactly one
:class:`Finished` or :class:`Failed`. The events are what ``ask --jsonl`` prints, one a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant"]
TurnRole = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "cancelled", "error"]
ContextPolicy = Literal["stop", "cut_oldest"]


class Image(msgspec.Struct, frozen=True):
    """A picture in a prompt: the bytes of a PNG, JPEG, GIF or WebP file."""

    media_type: str  # "image/png"
    data: bytes
    name: str = ""


class Tool(msgspec.Struct, frozen=True):
    """Something the model may ask its caller to do. ``parameters`` is the text of a JSON schema."""

    name: str
    description: str = ""
    parameters: str = "{}"


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """The model wants a tool to be called; ``arguments`` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt.

    ``reasoning`` and ``tool_calls`` only for the assistant's own turns, ``images`` for the
    user's. A turn of the role "tool" answers the call named by ``tool_call_id``. The first
    ``earlier_images`` came with messages before this one that nobody answered.
    """

    role: TurnRole
    content: str
    reasoning: str | None = None
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    earlier_images: int = 0


class Sampling(msgspec.Struct, frozen=True, omit_defaults=False):
    """Sampler settings, in the terms and with the neutral values of llama.cpp.

    ``seed`` None draws one; the one drawn is reported in ``Finished.parameters``. A request
    that names its seed is answered reproducibly: fixed threads, no reuse of cached tokens.
    """

    temperature: float = 0.7
    top_k: int = 40  # 0 keeps all
    top_p: float = 0.95  # 1.0 is off
    min_p: float = 0.05  # 0.0 is off
    typical_p: float = 1.0  # 1.0 is off
    repeat_penalty: float = 1.0  # 1.0 is off
    repeat_last_n: int = 64  # tokens looked back on, -1 the whole context
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    dry_multiplier: float = 0.0  # 0.0 is off
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    xtc_probability: float = 0.0  # 0.0 is off
    xtc_threshold: float = 0.1
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    seed: int | None = None
    logit_bias: dict[str, float] = {}  # token id (decimal) or text of one token -> added logit


class AnswerRequest(msgspec.Struct, frozen=True):
    """Everything a target needs to answer.

    ``max_tokens`` None means until the model stops or the context is full. ``grammar`` is GBNF,
    ``json_schema`` the text of a JSON schema; at most one of the two. ``prefill`` is text the
    answer must begin with ("continue"). ``reasoning_budget`` counts tokens, None is no limit.
    ``tools`` are passed to targets that know them; what such a target wants called comes as
    :class:`ToolCall`. ``task`` is the word for totals and records: "chat", "turn", "selection",
    "document". ``left_open`` names what nobody chose for this request (fields of Sampling,
    "context_length", "max_tokens"): there a target's own defaults win over what stands here.
    ``message_id`` is the kept answer this is for, empty for none; it is never sent.
    """

    turns: tuple[Turn, ...]
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    json_schema: str | None = None
    prefill: str = ""
    reasoning_budget: int | None = None
    when_full: ContextPolicy = "stop"
    context_length: int | None = None
    tools: tuple[Tool, ...] = ()
    task: str = "chat"
    left_open: tuple[str, ...] = ()
    message_id: str = ""


def left_open(chosen: Iterable[str]) -> tuple[str, ...]:
    """What may be left to a target's own defaults, when these names were chosen."""
    kept = {*chosen, "seed", "logit_bias"}
    names = (*Sampling.__struct_fields__, "context_length", "max_tokens")
    return tuple(name for name in names if name not in kept)


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

    Only servers of one's own do this, when one of several equal ones ended in mid-answer and
    what another one says differs.
    """

    reason: str


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something the user should know: turns cut, template replaced, safer settings used.

    ``code`` is one of ``turns_cut``, ``template_fallback``, ``engine_restarted``,
    ``safer_settings``, ``reasoning_ended``, ``context_full``, ``repeats``, ``pictures_left_out``,
    ``waiting`` (for a provider that asked for it, or for the keyring), ``server_changed``.
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
    used meanwhile, in joules, where it can tell. Of an answer from elsewhere: ``host`` is who
    gave it, ``model`` the name it gave for what answered, ``sent_sha256`` the hash of the body
    that was sent.
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


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The answer ended in an error; text that came before it stays valid."""

    code: str
    message: str
    hint: str = ""
    exit_code: int = 70
    details: str = ""  # last native log lines, where an engine ended
    retry_after_s: float = 0.0  # what a provider asks to wait
    cost: Cost | None = None  # of an answer from elsewhere that ended half-way


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
