"""The three dialects that cover the field: chat completions, messages, generateContent.

A dialect is pure: it makes the bytes of a request and reads the stream that answers it. Nothing
here opens a connection. Bodies are made in the process that shows them; streams are read in the
broker.
"""

from __future__ import annotations

from functools import cache
from typing import ClassVar

from lockhouse.core.request import AnswerRequest
from lockhouse.gate.dialects.stream_reader import StreamReader
from lockhouse.gate.providers import Provider
from lockhouse.gate.remote_requests import DialectName, ListedModel

Headers = tuple[tuple[str, str], ...]


class Dialect:
    """How requests are written and answers read for one kind of API."""

    models_path: ClassVar[str]  # where the list of models is, behind the base address
    list_headers: ClassVar[Headers] = ()  # of the request for that list, beside the key's
    request_headers: ClassVar[Headers] = (
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    )
    reader: ClassVar[type[StreamReader]]  # made anew for each answer

    def body(
        self, provider: Provider, model: str, request: AnswerRequest, *, max_tokens: int
    ) -> bytes:
        """The exact body of a request. Raises InvalidInput for what the dialect cannot express."""
        raise NotImplementedError

    def path(self, model: str) -> str:
        """Behind the base address, query included."""
        raise NotImplementedError

    def headers(self, provider: Provider) -> Headers:
        """What is sent beside the body, complete but for the key and the connection's own."""
        return self.request_headers

    def key_header(self, key: str) -> tuple[str, str]:
        """The header that carries the key."""
        raise NotImplementedError

    def listed(self, data: bytes) -> tuple[ListedModel, ...]:
        """Read a list of models. Raises RemoteFailure for anything else."""
        raise NotImplementedError


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
