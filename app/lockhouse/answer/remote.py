"""A model elsewhere as a target: what would leave, whether it may, sending it, what came of it.

The body is made once. What was shown, what is sent and what is kept are the same bytes. Before
any of them leaves, the person has allowed it, the budget has room for it, and it is written down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lockhouse.answer.abilities import suited
from lockhouse.answer.sharing import Lease, Sharing, Telling, another_may_answer
from lockhouse.answer.targets import Target, TargetInfo
from lockhouse.core.answering import (
    AnswerRequest,
    Cost,
    EngineBuild,
    Event,
    Failed,
    Finished,
    FinishReason,
    Notice,
    Reasoning,
    StartOver,
    Text,
    Timing,
    ToolCall,
    Usage,
)
from lockhouse.core.cancelling import CancelToken
from lockhouse.core.errors import (
    Cancelled,
    InvalidInput,
    LockhouseError,
    NetworkRefused,
    PolicyRefused,
)
from lockhouse.gate.consents import Consents
from lockhouse.gate.costs.budget import Budget, Reservation
from lockhouse.gate.dialects import dialect
from lockhouse.gate.door import Gate
from lockhouse.gate.network import allows, split_host
from lockhouse.gate.outbound import Outbound
from lockhouse.gate.protocol import RemoteFailure
from lockhouse.gate.providers import Provider, RemoteModel, host_of, is_this_machine
from lockhouse.gate.remote_requests import (
    Answered,
    Counted,
    CountPrompt,
    RemoteEvent,
    SendAnswerRequest,
)
from lockhouse.gate.sent import Sent, purpose_of

_MOST_TOKENS = 4096  # of an answer, where nobody chose
# A server of one's own may have to load a model, and reads prompts slowly.
_PATIENCE_S = {"cloud": (120.0, 60.0), "lan": (600.0, 120.0)}


@dataclass(frozen=True, slots=True)
class Means:
    """What every target elsewhere needs to answer. ``key_of`` names the key that goes along."""

    gate: Gate
    consents: Consents
    sent: Sent
    budget: Budget
    sharing: Sharing
    key_of: Callable[[Provider], str]
    most_tokens: Callable[[], int]


class RemoteTarget:
    """One model of one provider."""

    def __init__(
        self,
        provider: Provider,
        model: RemoteModel,
        means: Means,
        *,
        approved: Outbound | None = None,
    ) -> None:
        self.provider = provider
        self.model = model
        self._means = means
        self._approved = approved
        self._lock = threading.Lock()

    @property
    def info(self) -> TargetInfo:
        """What it is."""
        return info_of(self.provider, self.model, self._means.budget)

    def preview(self, request: AnswerRequest) -> Outbound:
        """Exactly what answering ``request`` would send. Nothing is sent.

        Raises InvalidInput for what this model cannot be asked.
        """
        provider, model = self.provider, self.model
        left_out: Notice | None = None
        if model.capabilities:  # otherwise its list does not say; the provider will
            name = f"{provider.name}/{model.name}"
            request, left_out = suited(request, name, model.capabilities)
        spoken = dialect(provider.dialect)
        most = request.max_tokens or self._means.most_tokens() or _MOST_TOKENS
        if model.max_output_tokens:
            most = min(most, model.max_output_tokens)
        body = spoken.body(provider, model.name, request, max_tokens=most)
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
            has_key=bool(self._means.key_of(provider)),
            task=request.task,
            added=_added(provider, request, left_out),
            estimate=self._means.budget.estimate(provider, model.name, body),
        )

    def sending(self, outbound: Outbound) -> Target:
        """The same target, allowed to send that very buffer, once."""
        return RemoteTarget(self.provider, self.model, self._means, approved=outbound)

    def may_send(self) -> bool:
        """Whether something may go there without a question."""
        return self._means.consents.given(self.provider)

    def answer(self, request: AnswerRequest, cancel: CancelToken) -> Iterator[Event]:
        """Events of the answer; see :class:`Target`. Whatever goes wrong is its last event."""
        try:
            outbound = self._allowed(request)
            sending = _Sending(self, outbound, self._means, request, cancel)
        except LockhouseError as error:
            yield failed_of(told(error, self.provider, self._means.gate))
            return
        yield from sending.run()

    def count_tokens(self, request: AnswerRequest) -> int:
        """About how many tokens the prompt takes; only the provider knows exactly."""
        outbound = self.preview(request)
        if outbound.estimate is not None:
            return outbound.estimate.prompt_tokens
        return sum(len(turn.content.encode()) // 4 + 4 for turn in request.turns)

    def _allowed(self, request: AnswerRequest) -> Outbound:
        with self._lock:
            approved, self._approved = self._approved, None
        if approved is not None:
            return approved
        outbound = self.preview(request)
        if not self.may_send():
            raise consent_needed(self.provider)
        return outbound


def info_of(provider: Provider, model: RemoteModel, budget: Budget) -> TargetInfo:
    """A model elsewhere as a target."""
    price = budget.prices.price_of(provider, model.name) if provider.zone == "cloud" else None
    context_length = model.context_length or budget.prices.context_length(
        provider.prices, model.name
    )
    count = len(provider.endpoints)
    return TargetInfo(
        name=f"{provider.name}/{model.name}",
        kind="api" if provider.zone == "cloud" else "lan",
        title=model.title or model.name,
        detail=f"{count} equal servers" if count > 1 else "",
        provider=provider.name,
        context_length=context_length,
        capabilities=model.capabilities or ("chat",),
        leaves_machine=not all(is_this_machine(url) for url in provider.endpoints),
        host=provider.hosts[0],
        provider_title=provider.title,
        input_price=price.input if price else None,
        output_price=price.output if price else None,
        currency=price.currency if price else "USD",
    )


def consent_needed(provider: Provider) -> PolicyRefused:
    """The refusal where nobody has allowed it yet."""
    return PolicyRefused(
        f"Nothing was sent: you have not allowed yet that something goes to {provider.title} "
        f"({', '.join(provider.hosts)}).",
        hint=f"Allow it: lockhouse targets allow {provider.name}",
        code="consent_needed",
    )


def failed_of(error: LockhouseError, cost: Cost | None = None) -> Failed:
    """An error as the last event of an answer."""
    wait_s = error.retry_after_s if isinstance(error, RemoteFailure) else 0.0
    return Failed(
        error.code,
        error.message,
        error.hint,
        error.exit_code,
        retry_after_s=wait_s,
        cost=cost,
    )


def told(error: LockhouseError, provider: Provider, gate: Gate) -> LockhouseError:
    """The same error with the way on for this very provider."""
    if error.code not in ("sealed", "host_not_allowed"):
        return error
    way = gate.way_to(provider.hosts)
    if way == "not_listed" or (way == "start_anew" and not _is_listed(gate, provider)):
        hint = f"Open it for {provider.title} too: lockhouse unseal --add --for {provider.name}"
    elif way in ("sealed", "sealed_meanwhile", "damaged"):
        hint = f"Open it for {provider.title} alone: lockhouse unseal --for {provider.name}"
    else:
        return error
    if gate.status().way not in ("sealed", "open"):
        hint += ". Then start this program anew."
    return type(error)(error.message, hint=hint, code=error.code)


def _is_listed(gate: Gate, provider: Provider) -> bool:
    listed = gate.state.all_hosts
    return all(allows(listed, *split_host(host)) for host in provider.hosts)


def _added(provider: Provider, request: AnswerRequest, left_out: Notice | None) -> tuple[str, ...]:
    """What the program put in beside the last message, in sentences."""
    found: list[str] = []
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
    if left_out is not None:
        found.append(left_out.message)
    if request.tools:
        found.append(f"The tools it may call: {', '.join(tool.name for tool in request.tools)}.")
    if request.json_schema is not None:
        found.append("The JSON schema that the answer has to fit.")
    if request.prefill:
        found.append(f"The beginning of the answer, {len(request.prefill):,} characters.")
    for field_name, value in provider.body.items():
        found.append(
            f"What {provider.title} is told with every request: "
            f"{field_name} = {msgspec.json.encode(value).decode()}"
        )
    return tuple(found)


@dataclass(slots=True)
class _Sending:
    """One request on its way, from the reservation to the last event."""

    target: RemoteTarget
    outbound: Outbound
    means: Means
    request: AnswerRequest
    cancel: CancelToken
    telling: Telling = field(default_factory=Telling)
    tool_calls: list[ToolCall] = field(default_factory=list)
    usage: Usage | None = None  # the last that was told
    url: str = ""
    started: float = field(default_factory=time.perf_counter)
    first_token_s: float = 0.0
    sent_id: int = 0
    is_settled: bool = False
    reservation: Reservation = field(init=False)

    def __post_init__(self) -> None:
        """Make room and write it down. Raises before anything leaves."""
        outbound, means = self.outbound, self.means
        self._require_open()
        self._require_key()
        self.reservation = means.budget.reserve(
            self.target.provider, outbound.model, outbound.body, task=outbound.task
        )
        try:
            self.sent_id = means.sent.keep(outbound, message_id=self.request.message_id)
        except LockhouseError:
            means.budget.release(self.reservation)
            raise

    def run(self) -> Iterator[Event]:
        """The events, one Finished or Failed at the end."""
        try:
            answered = yield from self._from_one_of_them()
            yield from self.tool_calls
            if answered.usage is None and self.usage is None:
                self.usage = self._counted(answered)
            yield self._finished(answered)
        except Cancelled:
            yield self._cancelled()
        except LockhouseError as error:
            meant = told(error, self.target.provider, self.means.gate)
            yield failed_of(meant, self._settle(error.code, nothing_came=self._is_free(error)))
        finally:
            if not self.is_settled:  # the reader went away
                self._settle("cancelled")

    # -- servers -----------------------------------------------------------------------------------

    def _from_one_of_them(self) -> Generator[Event, None, Answered]:
        urls, tried = self.outbound.endpoints, set[str]()
        while True:
            with self.means.sharing.lease(urls, without=tried) as lease:
                self.url = lease.url
                try:
                    return (yield from self._from(lease))
                except LockhouseError as error:
                    if not another_may_answer(error.code):
                        raise
                    wait_s = error.retry_after_s if isinstance(error, RemoteFailure) else 0.0
                    lease.failed(wait_s=wait_s)
                    tried.add(lease.url)
                    if len(tried) == len(urls):
                        raise
                    failure = error
            if self.cancel.cancelled:
                raise Cancelled
            yield self._changing(failure)

    def _changing(self, failure: LockhouseError) -> Notice:
        self.telling.begin_again()
        self.tool_calls.clear()
        when = "" if self.telling.is_empty else " in mid-answer"
        return Notice(
            "server_changed",
            f"{host_of(self.url)} failed{when} ({failure.message.rstrip('.')}); another of the "
            "equal servers is asked.",
        )

    def _from(self, lease: Lease) -> Generator[Event, None, Answered]:
        """What one server answers."""
        outbound = self.outbound
        first_token_s, idle_s = _PATIENCE_S[outbound.zone]
        request = SendAnswerRequest(
            provider=outbound.provider,
            dialect=outbound.dialect,
            url=lease.url + outbound.path,
            headers=outbound.headers,
            body=outbound.body,
            key=outbound.provider if outbound.has_key else "",
            first_token_s=first_token_s,
            idle_s=idle_s,
            attempts=1 if len(outbound.endpoints) > 1 else 3,
            title=outbound.provider_title,
        )
        stream = self.means.gate.stream(
            request,
            event_type=RemoteEvent,
            cancel=self.cancel,
            purpose=purpose_of(self.target.info.name, self.sent_id),
        )
        try:
            answered = yield from self._read(stream)
        finally:
            stream.close()
        lease.answered(answered.first_byte_s)
        yield from self.telling.end()
        return answered

    def _counted(self, answered: Answered) -> Usage | None:
        """What a server of one's own counts that told nothing while it streamed.

        It is asked for it with the same prompt, and sends a token in each piece of an answer.
        """
        outbound, provider = self.outbound, self.target.provider
        if outbound.zone != "lan" or outbound.dialect != "openai" or not answered.pieces:
            return None
        body = msgspec.json.decode(outbound.body, type=dict[str, Any])
        body.pop("stream_options", None)
        body.update({"stream": False, provider.max_tokens_field: 1})
        request = CountPrompt(
            outbound.provider,
            self.url + outbound.path,
            msgspec.json.encode(body),
            key=outbound.provider if outbound.has_key else "",
            title=outbound.provider_title,
        )
        try:
            counted = self.means.gate.ask(
                request,
                reply_type=Counted,
                cancel=self.cancel,
                purpose=purpose_of(self.target.info.name, self.sent_id),
            )
        except (LockhouseError, Cancelled):
            counted = Counted()  # the answer is there; its prompt stays uncounted
        return Usage(counted.prompt_tokens, completion_tokens=answered.pieces)

    def _read(self, stream: Generator[Any, None, bytes]) -> Generator[Event, None, Answered]:
        while True:
            try:
                event = next(stream)
            except StopIteration as end:
                return msgspec.json.decode(end.value, type=Answered)
            yield from self._take(event)

    def _take(self, event: RemoteEvent) -> list[Any]:
        if isinstance(event, Text | Reasoning):
            if not self.first_token_s:
                self.first_token_s = time.perf_counter() - self.started
            return list(self.telling.take(event))
        if isinstance(event, ToolCall):  # handed on at the end: they cannot be taken back
            self.tool_calls.append(event)
            return []
        if isinstance(event, Usage):
            self.usage = event
        return [event]

    # -- ends --------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        """Before anything is written down. Of equal servers, one that may be asked is enough."""
        gate, ways = self.means.gate, set[str]()
        for url in self.outbound.endpoints:
            ways.add(gate.way_to([host_of(url)]))
        if "open" in ways:
            return
        if "not_listed" in ways:
            hosts = ", ".join(self.target.provider.hosts)
            raise NetworkRefused(
                f"Nothing was sent: {hosts} is not among the hosts that may be reached.",
                code="host_not_allowed",
            )
        raise gate.why_closed()

    def _require_key(self) -> None:
        provider = self.target.provider
        if provider.key == "required" and not self.outbound.has_key:
            raise InvalidInput(
                f"There is no key for {provider.title}.",
                hint=f"Keep one: lockhouse keys set {provider.name}",
                code="key_missing",
            )

    def _settle(
        self, outcome: str, answered: Answered | None = None, *, nothing_came: bool = False
    ) -> Cost | None:
        """Put what it cost in place of what was reserved. ``nothing_came``: it is given back."""
        self.is_settled = True
        budget, cost = self.means.budget, None
        usage = (answered.usage if answered else None) or self.usage
        if nothing_came:
            budget.release(self.reservation)
        else:
            calls = sum(len(call.arguments.encode()) for call in self.tool_calls)
            cost = budget.settle(
                self.reservation,
                usage,
                cache_write_tokens=answered.cache_write_tokens if answered else 0,
                reported_cost=answered.reported_cost if answered else "",
                received_bytes=self.telling.received_bytes + calls,
                is_complete=answered is not None,
            )
        host = host_of(self.url) if self.url else ""
        self.means.sent.settle(self.sent_id, outcome, host=host, usage=usage, cost=cost)
        return cost

    def _is_free(self, error: LockhouseError) -> bool:
        """Whether it is certain that nothing was computed, and so nothing is paid for."""
        came = self.telling.received_bytes or self.tool_calls or self.usage is not None
        return not came and _nothing_came_of(error)

    def _finished(self, answered: Answered) -> Finished:
        cost = self._settle("ok", answered)
        reason: FinishReason = "length" if answered.finish_reason == "length" else "stop"
        return self._end(reason, answered.usage or self.usage or Usage(), answered.model, cost)

    def _cancelled(self) -> Finished:
        return self._end("cancelled", self.usage or Usage(), "", self._settle("cancelled"))

    def _end(self, reason: FinishReason, usage: Usage, model: str, cost: Cost | None) -> Finished:
        total_s = time.perf_counter() - self.started
        writing_s = total_s - self.first_token_s
        per_second = (
            usage.completion_tokens / writing_s if self.first_token_s and writing_s > 0 else 0.0
        )
        return Finished(
            reason,
            usage=usage,
            timing=Timing(
                first_token_s=round(self.first_token_s, 4),
                total_s=round(total_s, 4),
                tokens_per_s=round(per_second, 2),
            ),
            parameters=parameters_of(self.outbound.body),
            engine=EngineBuild(name=self.outbound.provider_title),
            context_length=self.target.info.context_length,
            cost=cost,
            host=host_of(self.url or self.outbound.endpoints[0]),
            model=model or self.outbound.model,
            sent_sha256=self.outbound.sha256,
        )


def _nothing_came_of(error: LockhouseError) -> bool:
    """Whether an error before the first word means that nothing was computed."""
    if isinstance(error, RemoteFailure):
        never_left = ("host_not_allowed", "dns", "connection_refused", "network_unreachable", "tls")
        return error.status >= 400 or error.code in never_left
    return error.code != "sealed"  # the broker was ended: nobody knows what it had sent


_CONTENT = ("messages", "contents", "system", "systemInstruction", "tools", "response_format")


def parameters_of(body: bytes) -> dict[str, object]:
    """The settings in a body, without anything that was said."""
    value = msgspec.json.decode(body, type=dict[str, Any])
    return {name: setting for name, setting in value.items() if name not in _CONTENT}


__all__ = ["Means", "RemoteTarget", "StartOver", "consent_needed", "failed_of", "info_of", "told"]
