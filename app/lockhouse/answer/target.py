"""Targets: anything that can answer a request.

Chat, the command line and everything to come are written against :class:`Target` and never
ask which kind they hold; what differs is data in :class:`TargetInfo`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.events import Event
from lockhouse.core.request import AnswerRequest

TargetKind = Literal["local", "api", "lan"]


class TargetInfo(msgspec.Struct, frozen=True):
    """What a person needs to know of a target before choosing it.

    ``name`` of a target elsewhere is ``provider/model``; ``host`` is who would get the words.
    Prices are per million tokens; None where none is known.
    """

    name: str
    kind: TargetKind
    title: str = ""  # "SmolLM2 135M Instruct"
    detail: str = ""  # "Balanced, Q4_1"
    provider: str | None = None
    sha256: str | None = None  # local, when known
    context_length: int = 0  # tokens the model was trained for
    capabilities: tuple[str, ...] = ("chat",)
    size_bytes: int = 0
    leaves_machine: bool = False
    host: str = ""
    provider_title: str = ""
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    currency: str = "USD"


class Target(Protocol):
    """Something that answers."""

    @property
    def info(self) -> TargetInfo:
        """What it is. Cheap: never loads a model."""
        ...

    def answer(self, request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        """Answer ``request``. Blocks between events.

        The last event is one ``Finished`` or ``Failed``. After ``cancel`` is set, a
        ``Finished`` with ``cancelled`` follows within a tenth of a second and what came stays.
        ``cancel.answer_now()`` ends a reasoning trace and makes the model answer.
        """
        ...

    def count_tokens(self, request: AnswerRequest) -> int:
        """Prompt tokens the request would take, template included. May load the model."""
        ...
