"""Requests to the broker about providers: send one request, list models, count a prompt.

The program makes the body (``gate.dialects``); the broker adds the key, sends the bytes as they
are and reads the answer. It sends nothing where the label of the body does not allow the host.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lockhouse.core.events import Notice, Reasoning, Text, TextWasReasoning, Usage
from lockhouse.core.labels import Label
from lockhouse.core.messages import ToolCall

DialectName = Literal["openai", "anthropic", "gemini"]
ProviderZone = Literal["lan", "cloud"]


class SendAnswerRequest(msgspec.Struct, frozen=True):
    """Send ``body`` to ``url`` and read the stream that answers it.

    Followed by :data:`RemoteEvent` and an :class:`Answered`. ``key`` names the provider whose
    key is added; empty for none. Retries (``attempts`` in all) only before the first byte
    of an answer, honouring Retry-After up to ``most_wait_s``.
    """

    provider: str
    dialect: DialectName
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    key: str = ""
    connect_s: float = 10.0
    first_token_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 1800.0
    most_bytes: int = 64 << 20
    attempts: int = 3
    most_wait_s: float = 20.0
    title: str = ""  # of the provider, for sentences; its host where there is none
    label: Label = "public"  # of what is in the body
    max_tokens: int = 0  # that the body asks for; 0 where that is not known


RemoteEvent = Text | Reasoning | TextWasReasoning | ToolCall | Usage | Notice


class Answered(msgspec.Struct, frozen=True):
    """The end of an answer. ``usage`` None where the provider reports none.

    ``pieces`` counts those of text and reasoning: most own servers send a token in each.
    ``has_reason`` is false where a mark of the end came without a reason for it.
    """

    finish_reason: str  # stop, length, tool_calls
    usage: Usage | None
    model: str = ""
    response_id: str = ""
    first_byte_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0
    cache_write_tokens: int = 0
    reported_cost: str = ""  # decimal, where the provider reports it
    pieces: int = 0
    has_reason: bool = True


class CountPrompt(msgspec.Struct, frozen=True):
    """Ask a server for an answer without a stream, to learn its count of the prompt's tokens.

    For own servers that report no usage while they stream; ``body`` asks for one token.
    """

    provider: str
    url: str
    body: bytes
    key: str = ""
    timeout_s: float = 10.0
    title: str = ""
    label: Label = "public"


class Counted(msgspec.Struct, frozen=True):
    """Reply to CountPrompt; 0 where it does not count."""

    prompt_tokens: int = 0


class ListModels(msgspec.Struct, frozen=True):
    """Ask a server which models it has; also how a key is tested."""

    provider: str
    dialect: DialectName
    endpoint: str
    key: str = ""
    timeout_s: float = 15.0
    most_bytes: int = 16 << 20
    title: str = ""  # of the provider, for sentences; its host where there is none


class ListedModel(msgspec.Struct, frozen=True):
    """One of them, with what the server says of it."""

    name: str
    title: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    capabilities: tuple[str, ...] = ()


class ListedModels(msgspec.Struct, frozen=True):
    """Reply to ListModels."""

    models: tuple[ListedModel, ...]
    duration_s: float
