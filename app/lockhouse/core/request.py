"""What a target is asked: the turns, the sampler settings and the limits of one answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from lockhouse.core.labels import Label
from lockhouse.core.messages import Tool, Turn
from lockhouse.core.thinking import Thinking

ContextPolicy = Literal["stop", "cut_oldest"]


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
    answer must begin with ("continue"). ``thinking`` is a choice of the model's switch, empty for
    its own default; ``reasoning_budget`` counts tokens, None is no limit.
    ``tools`` are passed to targets that know them; what such a target wants called comes as
    :class:`ToolCall`. ``task`` is the word for totals and records: "chat", "turn", "selection",
    "document". ``left_open`` names what nobody chose for this request (fields of Sampling,
    "context_length", "max_tokens", "thinking", "reasoning_budget"): there a target's own defaults
    win over what stands here. ``message_id`` is the kept answer this is for, empty for none, and
    ``label`` says how far the words may travel; neither is ever sent. ``safer`` asks for the load
    settings of a local model that are least likely to fail.
    """

    turns: tuple[Turn, ...]
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    json_schema: str | None = None
    prefill: str = ""
    thinking: Thinking = ""
    reasoning_budget: int | None = None
    when_full: ContextPolicy = "stop"
    context_length: int | None = None
    tools: tuple[Tool, ...] = ()
    task: str = "chat"
    left_open: tuple[str, ...] = ()
    message_id: str = ""
    label: Label = "public"
    safer: bool = False


def left_open(chosen: Iterable[str]) -> tuple[str, ...]:
    """What may be left to a target's own defaults, when these names were chosen."""
    kept = {*chosen, "seed", "logit_bias"}
    others = ("context_length", "max_tokens", "thinking", "reasoning_budget")
    names = (*Sampling.__struct_fields__, *others)
    return tuple(name for name in names if name not in kept)
