"""A model of a provider as a target: what would leave, and sending exactly that.

The body is made once. What was shown, what is sent and what is kept are the same bytes. Before
any of them leaves, permission was given for them, the budget has room, and it is written down.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lockhouse.answer.remote_request import (
    RemoteDependencies,
    RemoteRequest,
    map_error,
    require_key,
    require_open,
)
from lockhouse.answer.target import TargetInfo, suited
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, PolicyRefused
from lockhouse.core.events import Event, Notice, failed_of
from lockhouse.core.request import AnswerRequest
from lockhouse.gate.costs.budget import Budget
from lockhouse.gate.dialects import dialect
from lockhouse.gate.dialects.left_out import left_out
from lockhouse.gate.dialects.thinking import offered, settled, without_thinking
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.providers import Provider, RemoteModel, is_this_machine

_MOST_TOKENS = 4096  # of an answer, where nobody chose


class RemoteTarget:
    """One model of one provider."""

    def __init__(
        self, provider: Provider, model: RemoteModel, dependencies: RemoteDependencies
    ) -> None:
        self.provider = provider
        self.model = model
        self._dependencies = dependencies

    @property
    def info(self) -> TargetInfo:
        """What it is."""
        return info_of(self.provider, self.model, self._dependencies.budget)

    def preview(self, request: AnswerRequest) -> Outbound:
        """Exactly what answering ``request`` would send. Nothing is sent.

        Raises InvalidInput for what this model cannot be asked.
        """
        provider, model = self.provider, self.model
        no_pictures: Notice | None = None
        if model.capabilities:  # otherwise its list does not say; the provider will
            name = f"{provider.name}/{model.called}"
            request, no_pictures = suited(request, name, model.capabilities)
        spoken = dialect(provider.dialect)
        most = request.max_tokens or self._dependencies.most_tokens() or _MOST_TOKENS
        if model.max_output_tokens:
            most = min(most, model.max_output_tokens)
        asked = without_thinking(provider, model.capabilities)
        body = spoken.body(asked, model.name, request, max_tokens=most)
        return Outbound(
            provider=provider.name,
            provider_title=provider.title,
            model=model.name,
            dialect=provider.dialect,
            zone=provider.zone,
            endpoints=provider.endpoints,
            path=spoken.path(model.name),
            headers=spoken.headers(provider),
            body=body,
            max_tokens=most,
            has_key=bool(self._dependencies.key_of(provider)),
            task=request.task,
            added=_added(provider, request, no_pictures, self._left_out(request, body)),
            estimate=self._dependencies.budget.estimate(provider, model.name, body),
        )

    def _left_out(self, request: AnswerRequest, body: bytes) -> str:
        """What was chosen and is not sent as it was chosen."""
        provider, model = self.provider, self.model.name
        thinking = settled(provider, model, request.thinking)
        return left_out(request, body, provider.title or provider.name, thinking)

    def obstacle(self) -> LockhouseError | None:
        """What would stop it from being asked now; None for nothing.

        The hint has a line for each thing that is missing, so that nobody meets them one by one.
        """
        found: list[LockhouseError] = []
        gate, provider = self._dependencies.gate, self.provider
        for require in (self._require_open, self._require_key):
            try:
                require()
            except LockhouseError as error:
                found.append(map_error(error, provider, gate))
        if not found:
            return None
        first, hint = found[0], "\n".join(error.hint for error in found)
        return type(first)(first.message, hint=hint, code=first.code)

    def _require_open(self) -> None:
        require_open(self._dependencies.gate, self.provider, self.provider.endpoints)

    def _require_key(self) -> None:
        require_key(self.provider, has_key=bool(self._dependencies.key_of(self.provider)))

    def answer(
        self, request: AnswerRequest, cancel: CancelToken, *, approved: Outbound | None = None
    ) -> Iterator[Event]:
        """Events of the answer; see :class:`Target`. Whatever goes wrong is its last event.

        Sends exactly the bytes that were approved, and nothing without them.
        """
        if approved is None:
            raise PolicyRefused("Nothing was sent: it was not approved.", code="consent_needed")
        try:
            sending = RemoteRequest(
                self.provider, self.info, approved, self._dependencies, request, cancel
            )
        except LockhouseError as error:
            meant = map_error(error, self.provider, self._dependencies.gate)
            obstacle = self.obstacle()
            yield failed_of(obstacle if obstacle and obstacle.code == meant.code else meant)
            return
        if words := self._left_out(request, approved.body):
            yield Notice("settings_left_out", words)
        yield from sending.run()

    def count_tokens(self, request: AnswerRequest) -> int:
        """About how many tokens the prompt takes; only the provider knows exactly."""
        outbound = self.preview(request)
        if outbound.estimate is not None:
            return outbound.estimate.prompt_tokens
        return sum(len(turn.content.encode()) // 4 + 4 for turn in request.turns)


def info_of(provider: Provider, model: RemoteModel, budget: Budget) -> TargetInfo:
    """A provider's model as a target."""
    price = budget.prices.price_of(provider, model.name) if provider.zone == "cloud" else None
    context_length = model.context_length or budget.prices.context_length(
        provider.prices, model.name
    )
    count = len(provider.endpoints)
    return TargetInfo(
        name=f"{provider.name}/{model.called}",
        kind="api" if provider.zone == "cloud" else "lan",
        title=model.title or model.called,
        detail=f"{count} equal servers" if count > 1 else "",
        provider=provider.name,
        context_length=context_length,
        capabilities=model.capabilities or ("chat",),
        thinking=offered(provider, model.name, model.capabilities),
        leaves_machine=not all(is_this_machine(url) for url in provider.endpoints),
        zone=provider.label_zone(),
        host=provider.hosts[0],
        provider_title=provider.title,
        input_price=price.input if price else None,
        output_price=price.output if price else None,
        currency=price.currency if price else "USD",
    )


def _added(
    provider: Provider, request: AnswerRequest, no_pictures: Notice | None, left_out: str
) -> tuple[str, ...]:
    """What the program put in beside the last message, and what it leaves out, in sentences."""
    found: list[str] = [left_out] if left_out else []
    systems = [turn.content for turn in request.turns if turn.role == "system"]
    if systems:
        size = sum(len(text) for text in systems)
        found.append(f"The system prompt, {size:,} characters.")
    earlier = [turn for turn in request.turns if turn.role != "system"][:-1]
    if earlier:
        size = sum(len(turn.content) for turn in earlier)
        messages = (
            "One earlier message" if len(earlier) == 1 else f"{len(earlier)} earlier messages"
        )
        found.append(f"{messages} of this conversation, {size:,} characters.")
    images = sum(len(turn.images) for turn in request.turns)
    if images:
        found.append("One picture." if images == 1 else f"{images} pictures.")
    if no_pictures is not None:
        found.append(no_pictures.message)
    if request.tools:
        found.append(f"The tools it may call: {', '.join(tool.name for tool in request.tools)}.")
    if request.json_schema is not None:
        found.append("The JSON schema that the answer has to fit.")
    if request.prefill:
        found.append(f"The beginning of the answer, {len(request.prefill):,} characters.")
    for field_name, value in provider.body.items():
        found.append(
            f"Added to every request to {provider.title}: "
            f"{field_name} = {msgspec.json.encode(value).decode()}"
        )
    return tuple(found)
