"""Targets that answer with the events they were given: the seam as a test needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lockhouse.answer.permission import Permissions
from lockhouse.answer.session import Answers
from lockhouse.answer.target import Target, TargetInfo
from lockhouse.chat.conversations import Conversations
from lockhouse.chat.turns import Turns
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import NotFound
from lockhouse.core.events import Event, Finished
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms
from lockhouse.gate.consents import Consents
from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.values import Limits
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.providers import Providers
from lockhouse.storage.settings import Settings

Script = Callable[[AnswerRequest, CancelToken], Iterator[Event]]


class Scripted:
    """Answers by calling the script. Remembers what it was asked."""

    def __init__(self, name: str, script: Script) -> None:
        self.info = TargetInfo(name=name, kind="local", title=name.title(), sha256="ab" * 32)
        self.asked: list[AnswerRequest] = []
        self._script = script

    def preview(self, request: AnswerRequest) -> None:
        """Nothing leaves."""

    def obstacle(self) -> None:
        """Nothing is in the way."""

    def answer(
        self, request: AnswerRequest, cancel: CancelToken, *, approved: Outbound | None = None
    ) -> Iterator[Event]:
        self.asked.append(request)
        return self._script(request, cancel)

    def count_tokens(self, request: AnswerRequest) -> int:
        return sum(len(turn.content.split()) for turn in request.turns)


class Directory:
    """The targets of a test, the first one being the default."""

    def __init__(self, *targets: Target) -> None:
        self._targets = {target.info.name: target for target in targets}

    def get(self, name: str) -> Target:
        if not name:
            return self.default()
        if name not in self._targets:
            raise NotFound(f'There is no target "{name}".')
        return self._targets[name]

    def default(self) -> Target:
        return next(iter(self._targets.values()))

    def on_this_machine(self, preferred: str = "") -> Target:
        return self.get(preferred)


def turns_with(conversations: Conversations, *targets: Target, interval_s: float = 0.0) -> Turns:
    """Turns that are answered by these targets, the first one being the default."""
    database = conversations.database
    permissions = Permissions(
        Providers(database),
        lambda: Consents(database),
        lambda: Budget(database, Limits, PriceList(database)),
    )
    answers = Answers(Directory(*targets), permissions, AnswerForms())
    return Turns(conversations, answers, Settings, interval_s=interval_s)


def saying(*events: Event) -> Script:
    """Those events; ends at once when cancelled, as targets have to."""

    def script(_request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        for event in events:
            if cancel.cancelled:
                yield Finished("cancelled", parameters={"seed": 1})
                return
            yield event

    return script
