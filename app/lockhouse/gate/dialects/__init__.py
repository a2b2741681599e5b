"""The three ways of speaking that cover the field: chat completions, messages, generateContent.

A dialect is pure: it makes the bytes of a request and reads the stream that answers it. Nothing
here opens a connection. Bodies are made in the process that shows them; streams are read in the
broker.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from lockhouse.core.request import AnswerRequest
from lockhouse.gate.dialects.provider_errors import Recipient
from lockhouse.gate.providers import DialectName, Provider
from lockhouse.gate.remote_requests import Answered, ListedModel, RemoteEvent


class StreamReader(Protocol):
    """Reads one answer, event by event."""

    def feed(self, event: str, data: bytes) -> list[RemoteEvent]:
        """What one event of the stream means. Raises RemoteFailure for an error inside it."""
        ...

    def end(self) -> Answered:
        """The stream is over. Raises RemoteFailure when the answer is not complete or refused."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether the dialect's own mark of the end has come."""
        ...


class Dialect(Protocol):
    """One way of speaking."""

    def body(
        self, provider: Provider, model: str, request: AnswerRequest, *, max_tokens: int
    ) -> bytes:
        """The exact body of a request. Raises InvalidInput for what cannot be said in it."""
        ...

    def path(self, model: str) -> str:
        """Behind the base address, query included."""
        ...

    def headers(self, provider: Provider) -> tuple[tuple[str, str], ...]:
        """What is sent beside the body, complete but for the key and the connection's own."""
        ...

    def key_header(self, key: str) -> tuple[str, str]:
        """The header that carries the key."""
        ...

    def models_path(self) -> str:
        """Where the list of models is, behind the base address."""
        ...

    def headers_of_lists(self) -> tuple[tuple[str, str], ...]:
        """What the request for that list needs beside the key."""
        ...

    def listed(self, data: bytes) -> tuple[ListedModel, ...]:
        """Read a list of models. Raises RemoteFailure for what is none."""
        ...

    def reader(self, who: Recipient) -> StreamReader:
        """For one answer."""
        ...


@cache
def dialect(name: DialectName) -> Dialect:
    """The dialect of that name."""
    if name == "anthropic":
        from lockhouse.gate.dialects.anthropic import Anthropic

        return Anthropic()
    if name == "gemini":
        from lockhouse.gate.dialects.gemini import Gemini

        return Gemini()
    from lockhouse.gate.dialects.openai import OpenAI

    return OpenAI()
