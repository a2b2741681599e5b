"""Targets: anything that can answer a request.

Chat, the command line and everything to come are written against :class:`Target` and never
ask which kind they have; what differs is data in :class:`TargetInfo`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.core.events import Event, Notice
from lockhouse.core.labels import Zone
from lockhouse.core.request import AnswerRequest
from lockhouse.core.thinking import Thinking

if TYPE_CHECKING:
    from lockhouse.gate.outbound import Outbound


TargetKind = Literal["local", "api", "lan"]


class TargetInfo(msgspec.Struct, frozen=True):
    """What a person needs to know of a target before choosing it.

    ``name`` of a remote target is ``provider/model``; ``host`` is who would get the words.
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
    thinking: tuple[Thinking, ...] = ()  # choices of its switch for thinking; empty without one
    size_bytes: int = 0
    leaves_machine: bool = False
    zone: Zone = "local"  # where it is, for labels: this machine, the own network, anywhere
    host: str = ""
    provider_title: str = ""
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    currency: str = "USD"
    instructions: str = ""  # what it gets where a chat has no system prompt


class Target(Protocol):
    """Something that answers."""

    @property
    def info(self) -> TargetInfo:
        """What it is. Cheap: never loads a model."""
        ...

    def preview(self, request: AnswerRequest) -> Outbound | None:
        """Exactly what answering would send; None where nothing is sent. Nothing is sent by it.

        Raises InvalidInput for what this target cannot be asked.
        """
        ...

    def obstacle(self) -> LockhouseError | None:
        """What would stop it from being asked now: sealed, no key. Never loads or sends."""
        ...

    def answer(
        self, request: AnswerRequest, cancel: CancelToken, *, approved: Outbound | None = None
    ) -> Iterator[Event]:
        """Answer ``request``. Blocks between events.

        A target that sends something sends ``approved``, which permission was given for, and
        nothing without it.

        The last event is one ``Finished`` or ``Failed``. After ``cancel`` is set, a
        ``Finished`` with ``cancelled`` follows within a tenth of a second and what came stays.
        ``cancel.answer_now()`` ends a reasoning trace and makes the model answer.
        """
        ...

    def count_tokens(self, request: AnswerRequest) -> int:
        """Prompt tokens the request would take, template included. May load the model."""
        ...


_OTHER = "Choose a model that can: lockhouse targets list"


def suited(
    request: AnswerRequest, name: str, capabilities: Collection[str]
) -> tuple[AnswerRequest, Notice | None]:
    """The request as a model of these capabilities can take it, and what to say of it.

    Raises InvalidInput when what was asked now is beyond it.
    """
    if request.tools and "tools" not in capabilities:
        raise InvalidInput(f"{name} cannot call tools.", hint=_OTHER, code="no_tools")
    if "vision" in capabilities or not any(turn.images for turn in request.turns):
        return request, None
    last = request.turns[-1]
    if len(last.images) > last.earlier_images:
        raise InvalidInput(f"{name} cannot look at pictures.", hint=_OTHER, code="no_vision")
    count = sum(len(turn.images) for turn in request.turns)
    turns = tuple(
        msgspec.structs.replace(turn, images=(), content=turn.content or "(a picture)")
        for turn in request.turns
    )
    what = "A picture" if count == 1 else f"{count} pictures"
    notice = Notice(
        "pictures_left_out",
        f"{what} of earlier messages {'was' if count == 1 else 'were'} left out: {name} cannot "
        "look at pictures.",
    )
    return msgspec.structs.replace(request, turns=turns), notice
