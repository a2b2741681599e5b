"""Targets elsewhere as tests need them: a home, a broker of its own, and loopback servers."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import msgspec

from lockhouse.answer.load_balancer import LoadBalancer
from lockhouse.answer.permission import Confirm, Permissions
from lockhouse.answer.remote import RemoteTarget
from lockhouse.answer.remote_targets import RemoteTargets
from lockhouse.answer.request import Question
from lockhouse.answer.session import Answers, Session
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError
from lockhouse.core.events import Event, Failed, Finished, Reasoning, StartOver, Text, failed_of
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling, left_open
from lockhouse.engine.answer_forms import AnswerForms
from lockhouse.gate.consents import Consents
from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.costs.prices import PriceList
from lockhouse.gate.costs.values import Limits, Price
from lockhouse.gate.providers import Provider, Providers, RemoteModel
from lockhouse.gate.sent_requests import Sent
from tests.remote.open_home import OpenHome
from tests.remote.server import RemoteServer


class RemoteAccess:
    """A home that may reach ``servers``: what a workspace holds of the world outside."""

    def __init__(self, home: Path, servers: Sequence[RemoteServer | str]) -> None:
        hosts = [one if isinstance(one, str) else one.host for one in servers]
        self.home = OpenHome(home, [], lan_hosts=hosts)
        self.limits = Limits()

    def __enter__(self) -> Self:
        self.home.__enter__()
        self.gate, database = self.home.gate, self.home._database
        self.database = database
        self.providers = Providers(database)
        self.consents = Consents(database)
        self.sent = Sent(database)
        self.prices = PriceList(database)
        self.budget = Budget(database, lambda: self.limits, self.prices)
        self.balancer = LoadBalancer()
        self.remotes = RemoteTargets(
            self.gate,
            self.providers,
            self.sent,
            self.budget,
            most_tokens=lambda: 100,
            balancer=self.balancer,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.home.__exit__(kind, error, trace)

    def add(self, name: str, *urls: str, zone: str = "lan", **more: object) -> Provider:
        """Make servers known."""
        provider = Provider(
            name=name, title=name.title(), dialect="openai", zone="lan", endpoints=urls, key="none"
        )
        return self.providers.add(msgspec.structs.replace(provider, zone=zone, **more))

    def price(self, provider: str, model: str, dollars: str) -> None:
        """So much for a million tokens, in and out."""
        self.prices.set_own(provider, model, Price(Decimal(dollars), Decimal(dollars)))

    def model(self, name: str, **more: object) -> None:
        """Make a model known, with what its list tells."""
        provider, _, model = name.partition("/")
        known = msgspec.structs.replace(RemoteModel(provider, model), **more)
        fields = {
            field: getattr(known, field)
            for field in ("name", "title", "context_length", "max_output_tokens", "capabilities")
        }
        from lockhouse.gate.remote_requests import ListedModel

        self.providers.keep_models(provider, [ListedModel(**fields)])


def question(text: str = "Where?", **more: object) -> AnswerRequest:
    """A request in which nothing but what is named was chosen."""
    request = AnswerRequest((Turn("user", text),), left_open=left_open(more))
    return msgspec.structs.replace(request, **more)


def cold(text: str, max_tokens: int, **more: object) -> AnswerRequest:
    """The same, so that every server answers alike."""
    request = question(text, max_tokens=max_tokens, **more)
    return msgspec.structs.replace(
        request,
        sampling=Sampling(temperature=0.0, seed=1),
        left_open=left_open(("temperature", "max_tokens")),
    )


def answering(
    target: RemoteTarget, request: AnswerRequest, cancel: CancelToken | None = None
) -> Generator[Event, None, None]:
    """The events of an answer, asked for as everything in the program asks: by a session.

    What is raised before there is an answer is told as its end.
    """
    known = target._dependencies
    permissions = Permissions(
        SimpleNamespace(get=lambda _name: target.provider),  # type: ignore[arg-type]
        lambda: Consents(known.gate._database),
        lambda: known.budget,
    )
    nothing: Any = SimpleNamespace()
    forms = AnswerForms()
    answers = Answers(nothing, permissions, forms)
    try:
        session = answers.open(
            Question("asked"), [target], lambda _: request, cancel=cancel or CancelToken()
        )
    except LockhouseError as error:
        yield failed_of(error)
        return
    try:
        yield from session.answer(message_id=request.message_id)  # type: ignore[misc]
    finally:
        forms.close()


def ask(target: RemoteTarget, request: AnswerRequest) -> list[Event]:
    """All events of an answer."""
    return [*answering(target, request)]


def session_of(home: RemoteAccess, name: str, asked: AnswerRequest, confirm: Confirm) -> Session:
    """The session of one request in this home, where a person may be asked."""
    permissions = Permissions(home.providers, lambda: home.consents, lambda: home.budget)
    targets: Any = SimpleNamespace(get=home.remotes.get)
    answers = Answers(targets, permissions, AnswerForms())
    return answers.open(
        Question("asked"), [name], lambda _: asked, confirm=confirm, cancel=CancelToken()
    )


def held(events: Iterable[Event]) -> str:
    """The text that a reader holds in the end."""
    text = ""
    for event in events:
        if isinstance(event, StartOver):
            text = ""
        elif isinstance(event, Text):
            text += event.text
    return text


def thought(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Reasoning))


def finished(events: Sequence[Event]) -> Finished:
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1]


def failed(events: Sequence[Event]) -> Failed:
    assert isinstance(events[-1], Failed), events[-1]
    return events[-1]
